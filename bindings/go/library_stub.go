//go:build !cgo

package dlauth

import "time"

var errNoCgo = &Error{Status: ErrUnsupported, Message: "this program was built without cgo, and dl_auth is a C library: " +
	"build it with CGO_ENABLED=1 and a C compiler; without the module of a release, also with -tags dlauth_pkgconfig, " +
	"pkg-config, and the directory of dl_auth.pc in PKG_CONFIG_PATH"}

type handle struct{}

func environ() []string { return nil }

func open(Options, []string) (handle, error)                            { return handle{}, errNoCgo }
func (handle) free()                                                    {}
func (handle) generation() uint64                                       { return 0 }
func (handle) token() (string, error)                                   { return "", errNoCgo }
func (handle) tokenWithin(time.Duration, time.Duration) (string, error) { return "", errNoCgo }
func (handle) invalidate(string) error                                  { return errNoCgo }
func (handle) setCredentials(string, string) error                      { return errNoCgo }
func (handle) info() (Info, error)                                      { return Info{}, errNoCgo }

// JWTClaims needs the library: see New.
func JWTClaims(string) ([]byte, error) { return nil, errNoCgo }

// JWTExpiry needs the library: see New.
func JWTExpiry(string) (time.Time, error) { return time.Time{}, errNoCgo }

// Version is that of the library, which is missing.
func Version() string { return "none: built without cgo" }
