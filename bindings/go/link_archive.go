//go:build cgo && !dlauth_pkgconfig

package dlauth

// The archives of a release stand in these packages, because `go mod vendor` copies only the directories of packages.
import (
	_ "github.com/dataloop-ai/dl_auth/bindings/go/archive/linux_amd64"
	_ "github.com/dataloop-ai/dl_auth/bindings/go/archive/linux_amd64_musl"
	_ "github.com/dataloop-ai/dl_auth/bindings/go/archive/linux_arm64"
	_ "github.com/dataloop-ai/dl_auth/bindings/go/archive/windows_amd64"
)

// #cgo CFLAGS: -DDLAUTH_ARCHIVE -I${SRCDIR}
// #cgo linux,amd64,!musl CFLAGS: -I${SRCDIR}/archive/linux_amd64
// #cgo linux,amd64,musl CFLAGS: -I${SRCDIR}/archive/linux_amd64_musl
// #cgo linux,arm64 CFLAGS: -I${SRCDIR}/archive/linux_arm64
// #cgo windows,amd64 CFLAGS: -I${SRCDIR}/archive/windows_amd64
// #cgo linux,amd64,!musl LDFLAGS: ${SRCDIR}/archive/linux_amd64/libdl_auth.a -lgcc_eh -lpthread -lm
// #cgo linux,amd64,musl LDFLAGS: ${SRCDIR}/archive/linux_amd64_musl/libdl_auth.a
// #cgo linux,arm64 LDFLAGS: ${SRCDIR}/archive/linux_arm64/libdl_auth.a -lgcc_eh -lpthread -lm
// #cgo windows,amd64 LDFLAGS: ${SRCDIR}/archive/windows_amd64/libdl_auth.a
// #cgo windows,amd64 LDFLAGS: -lws2_32 -lcrypt32 -lbcrypt -ladvapi32 -lntdll -luserenv
import "C"
