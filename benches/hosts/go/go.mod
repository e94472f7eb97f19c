module dl_auth_bench_hosts

go 1.19

require (
	github.com/dataloop-ai/dl_auth/bindings/go v0.0.0
	golang.org/x/oauth2 v0.20.0
)

replace github.com/dataloop-ai/dl_auth/bindings/go => ../../../bindings/go
