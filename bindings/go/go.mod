module github.com/dataloop-ai/dl_auth/bindings/go

go 1.19

require golang.org/x/oauth2 v0.20.0
