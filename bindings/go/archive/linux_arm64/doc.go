// Package archive has no code. In the module of a release, its directory contains libdl_auth.a for
// Linux on arm64 with glibc.
package archive
