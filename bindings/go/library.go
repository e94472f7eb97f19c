//go:build cgo

package dlauth

/*
#cgo linux LDFLAGS: -ldl
#ifdef DLAUTH_ARCHIVE // link_archive.go makes the compiler search in the directory of the archive
#if !__has_include("libdl_auth.a")
#error "dl_auth: this module has no libdl_auth.a for this platform: use the module of a release, or install the library and build with -tags dlauth_pkgconfig"
#endif
#endif
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dl_auth.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
static const char *dlauth_path(void) { return ""; }
#else
#include <dlfcn.h>
static const char *dlauth_path(void) {
  Dl_info found;
  return dladdr((void *)dl_auth_abi_version, &found) && found.dli_fname ? found.dli_fname : "";
}
#endif

// Whether the program must ignore the environment, because it has more rights than the user that started it.
#if defined(__linux__)
#include <sys/auxv.h>
static int dlauth_is_privileged(void) { return getauxval(AT_SECURE) != 0; }
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
#include <unistd.h>
static int dlauth_is_privileged(void) { return issetugid(); }
#else
static int dlauth_is_privileged(void) { return 0; }
#endif
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"sort"
	"strings"
	"time"
	"unsafe"
)

// These constants must be equal to those of the header. If they are not, this does not compile.
var (
	_ [C.DL_AUTH_STATE_EXPIRED - StateExpired]struct{}
	_ [StateExpired - C.DL_AUTH_STATE_EXPIRED]struct{}
	_ [C.DL_AUTH_ACTIVITY_DENIED - ActivityDenied]struct{}
	_ [ActivityDenied - C.DL_AUTH_ACTIVITY_DENIED]struct{}
)

// handle is the library's handle. It points to no Go memory. The library recognises a freed handle.
type handle struct{ auth *C.dl_auth_t }

func open(options Options, environ []string) (handle, error) {
	if abi := uint32(C.dl_auth_abi_version()); abi < C.DL_AUTH_ABI_VERSION {
		return handle{}, &Error{Status: ErrUnsupported, Message: fmt.Sprintf(
			"libdl_auth at %q is too old: it is version %s with ABI %d, and this program needs ABI %d; install a newer one",
			C.GoString(C.dlauth_path()), Version(), abi, C.DL_AUTH_ABI_VERSION)}
	}
	config := C.dl_auth_config_new()
	defer C.dl_auth_config_free(config)
	variables, err := arrayOf(environ)
	if err != nil {
		return handle{}, err
	}
	err = result(func(why *C.dl_auth_error_t) C.dl_auth_status_t {
		return C.dl_auth_config_set_environ(config, variables.c(), why)
	})
	variables.free()
	if err != nil {
		return handle{}, err
	}
	keys := make([]string, 0, len(options))
	for key := range options {
		keys = append(keys, string(key))
	}
	sort.Strings(keys) // so that of two mistakes the same one is reported each time
	for _, key := range keys {
		name, err := text("the name of an option", key)
		if err != nil {
			return handle{}, err
		}
		value, err := text("the option "+key, options[Key(key)])
		if err != nil {
			return handle{}, err
		}
		err = result(func(why *C.dl_auth_error_t) C.dl_auth_status_t {
			return C.dl_auth_config_set(config, name.c(), value.c(), why)
		})
		value.wipe()
		if err != nil {
			return handle{}, err
		}
	}
	var auth *C.dl_auth_t
	err = result(func(why *C.dl_auth_error_t) C.dl_auth_status_t { return C.dl_auth_new(config, &auth, why) })
	return handle{auth}, err
}

// environ returns the program's environment for New.
func environ() []string {
	if C.dlauth_is_privileged() != 0 {
		return nil
	}
	entries := os.Environ()
	wellFormed := entries[:0]
	for _, entry := range entries {
		if strings.IndexByte(entry, '=') >= 0 {
			wellFormed = append(wellFormed, entry)
		}
	}
	return wellFormed
}

func (h handle) free() { C.dl_auth_free(h.auth) }

func (h handle) generation() uint64 { return uint64(C.dl_auth_generation(h.auth)) }

func (h handle) token() (string, error) {
	return copied(func(buf *C.char, size C.size_t, length *C.size_t, why *C.dl_auth_error_t) C.dl_auth_status_t {
		return C.dl_auth_token(h.auth, buf, size, length, why)
	})
}

func (h handle) tokenWithin(minValid, wait time.Duration) (string, error) {
	need, most := milliseconds(minValid), milliseconds(wait)
	return copied(func(buf *C.char, size C.size_t, length *C.size_t, why *C.dl_auth_error_t) C.dl_auth_status_t {
		return C.dl_auth_token_within(h.auth, need, most, buf, size, length, why)
	})
}

func (h handle) invalidate(rejectedToken string) error {
	token, err := text("the token", rejectedToken)
	if err != nil {
		return err
	}
	defer token.wipe()
	return result(func(why *C.dl_auth_error_t) C.dl_auth_status_t {
		return C.dl_auth_invalidate(h.auth, token.c(), why)
	})
}

func (h handle) setCredentials(username, password string) error {
	var user cText // empty: NULL, which keeps the current one
	if username != "" {
		var err error
		if user, err = text("the username", username); err != nil {
			return err
		}
		defer user.wipe()
	}
	secret, err := text("the password", password)
	if err != nil {
		return err
	}
	defer secret.wipe()
	return result(func(why *C.dl_auth_error_t) C.dl_auth_status_t {
		return C.dl_auth_set_credentials(h.auth, user.c(), secret.c(), why)
	})
}

func (h handle) info() (Info, error) {
	var info C.dl_auth_info_t
	info.size = C.uint32_t(unsafe.Sizeof(info))
	err := result(func(why *C.dl_auth_error_t) C.dl_auth_status_t { return C.dl_auth_info(h.auth, &info, why) })
	if err != nil {
		return Info{}, err
	}
	return Info{
		State:          State(info.state),
		Activity:       Activity(info.activity),
		Generation:     uint64(info.generation),
		IssuedAt:       date(info.issued_at),
		ExpiresAt:      date(info.expires_at),
		ExpiresIn:      duration(info.expires_in_ms),
		RefreshIn:      duration(info.refresh_in_ms),
		ClockSkew:      duration(info.clock_skew_ms),
		Logins:         uint64(info.logins),
		Refreshes:      uint64(info.refreshes),
		Failures:       uint64(info.failures),
		SharedHits:     uint64(info.shared_hits),
		StoreFailures:  uint64(info.store_failures),
		StoreMessage:   C.GoString(&info.store_message[0]),
		Waiting:        uint64(info.waiting),
		LastStatus:     Status(info.last_status),
		LastHTTPStatus: int(info.last_http_status),
		RetryIn:        duration(info.retry_in_ms),
		Wait:           unsignedDuration(info.wait_ms),
	}, nil
}

// JWTClaims is the payload of a JWT, a JSON object (RFC 7519). It needs no handle, and checks no signature: the claims
// are the token's payload. ErrBadJWT if it is not a JWT.
func JWTClaims(jwt string) ([]byte, error) {
	token, err := text("the JWT", jwt)
	if err != nil {
		return nil, err
	}
	defer token.wipe()
	claims, err := copied(func(buf *C.char, size C.size_t, length *C.size_t, why *C.dl_auth_error_t) C.dl_auth_status_t {
		return C.dl_auth_jwt_claims(token.c(), buf, size, length, why)
	})
	return []byte(claims), err
}

// JWTExpiry returns when a JWT expires: its claim exp. It needs no handle, and checks no signature. ErrBadJWT if it is
// not a JWT.
func JWTExpiry(jwt string) (time.Time, error) {
	token, err := text("the JWT", jwt)
	if err != nil {
		return time.Time{}, err
	}
	defer token.wipe()
	var seconds C.int64_t
	err = result(func(why *C.dl_auth_error_t) C.dl_auth_status_t {
		return C.dl_auth_jwt_expiry(token.c(), &seconds, why)
	})
	return date(seconds), err
}

// Version is the library's, such as "1.2.3".
func Version() string { return C.GoString(C.dl_auth_version()) }

// result turns a failed call into an error.
func result(call func(why *C.dl_auth_error_t) C.dl_auth_status_t) error {
	var why C.dl_auth_error_t
	why.size = C.uint32_t(unsafe.Sizeof(why))
	status := Status(call(&why))
	if status == 0 {
		return nil
	}
	err := &Error{
		Status:     status,
		HTTPStatus: int(why.http_status),
		RetryAfter: unsignedDuration(why.retry_after_ms),
		Message:    C.GoString(&why.message[0]),
	}
	if err.Message == "" {
		err.Message = status.name()
	}
	return err
}

// copied calls a function that copies text into a buffer. If the buffer is too small, it calls again with a larger one.
func copied(call func(*C.char, C.size_t, *C.size_t, *C.dl_auth_error_t) C.dl_auth_status_t) (string, error) {
	for size := C.size_t(C.DL_AUTH_TOKEN_MAX); ; {
		buffer := make([]byte, size)
		var length C.size_t
		err := result(func(why *C.dl_auth_error_t) C.dl_auth_status_t {
			return call((*C.char)(unsafe.Pointer(&buffer[0])), size, &length, why)
		})
		switch {
		case err == nil:
			return string(buffer[:length]), nil
		case !errors.Is(err, ErrBufferTooSmall) || length < size:
			return "", err
		}
		size = length + 1
	}
}

// cText is a C string in Go memory.
type cText []byte

func text(what, value string) (cText, error) {
	if strings.IndexByte(value, 0) >= 0 {
		return nil, &Error{Status: ErrInvalidValue, Message: what + " contains a NUL character: remove it"}
	}
	return append(append(make(cText, 0, len(value)+1), value...), 0), nil
}

func (text cText) c() *C.char {
	if text == nil {
		return nil
	}
	return (*C.char)(unsafe.Pointer(&text[0]))
}

func (text cText) wipe() {
	for i := range text {
		text[i] = 0
	}
	runtime.KeepAlive(text)
}

// cArray is a C array of NAME=VALUE strings in C memory: pointers, NULL, and the strings.
type cArray []byte

func arrayOf(environ []string) (cArray, error) {
	begin := (len(environ) + 1) * int(unsafe.Sizeof(uintptr(0)))
	size := begin
	for i, entry := range environ {
		if strings.IndexByte(entry, 0) >= 0 {
			name, value, _ := strings.Cut(entry, "=")
			if strings.IndexByte(value, 0) < 0 {
				name = "an entry without a name" // no "=", or only after the NUL: the text may be a value
			}
			return nil, &Error{Status: ErrInvalidValue, Message: fmt.Sprintf(
				"`variables[%d]` (%.40s) contains a NUL character: remove it", i, name)}
		}
		size += len(entry) + 1
	}
	array := cArray(unsafe.Slice((*byte)(C.malloc(C.size_t(size))), size))
	// As numbers, because the garbage collector must not see pointers that were in this memory before.
	pointers := unsafe.Slice((*uintptr)(unsafe.Pointer(&array[0])), len(environ)+1)
	text := array[begin:]
	for i, entry := range environ {
		pointers[i] = uintptr(unsafe.Pointer(&text[0]))
		end := copy(text, entry)
		text[end] = 0
		text = text[end+1:]
	}
	pointers[len(environ)] = 0
	return array, nil
}

func (array cArray) c() **C.char { return (**C.char)(unsafe.Pointer(&array[0])) }

// free wipes the array first, because a value may be a password.
func (array cArray) free() {
	cText(array).wipe()
	C.free(unsafe.Pointer(&array[0]))
}

// milliseconds converts a duration that is not negative, and rounds it up.
func milliseconds(duration time.Duration) C.uint64_t {
	return (C.uint64_t(duration) + 999_999) / 1_000_000
}

// duration converts milliseconds, and limits them to the range of a Duration.
func duration(milliseconds C.int64_t) time.Duration {
	const most = math.MaxInt64 / int64(time.Millisecond)
	switch {
	case int64(milliseconds) > most:
		return math.MaxInt64
	case int64(milliseconds) < -most:
		return math.MinInt64
	}
	return time.Duration(milliseconds) * time.Millisecond
}

func unsignedDuration(milliseconds C.uint64_t) time.Duration {
	if milliseconds > math.MaxInt64 {
		return math.MaxInt64
	}
	return duration(C.int64_t(milliseconds))
}

func date(seconds C.int64_t) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}
