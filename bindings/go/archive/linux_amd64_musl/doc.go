// Package archive has no code. In the module of a release, its directory contains libdl_auth.a for
// Linux on x86-64 with musl (build tag musl).
package archive
