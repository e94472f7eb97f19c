module dl_auth_bench

go 1.18

require golang.org/x/oauth2 v0.20.0
