// Package archive has no code. In the module of a release, its directory contains libdl_auth.a for
// Windows on x86-64 (MinGW).
package archive
