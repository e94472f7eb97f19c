//go:build cgo && dlauth_static

package dlauth

// #cgo pkg-config: dl_auth_static
import "C"
