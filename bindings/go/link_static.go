//go:build cgo && dlauth_static

package dlauth

// #cgo pkg-config: --static --define-variable=library=:libdl_auth.a dl_auth
import "C"
