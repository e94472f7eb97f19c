//go:build cgo && dlauth_pkgconfig

package dlauth

// #cgo pkg-config: dl_auth
import "C"
