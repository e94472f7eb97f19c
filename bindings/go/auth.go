// Package dlauth returns a Dataloop token that is always valid. The C library dl_auth logs in and refreshes. This
// package adds contexts, errors, an oauth2.TokenSource and an http.RoundTripper.
//
// Goroutines do not wait in C, because a call into C holds a system thread until it returns. Of all goroutines that
// wait on a handle, one is in C. The others wait for that one on a channel, each until its own context ends. A token is
// read without C: a copy of it is valid for up to a second.
package dlauth

import (
	"context"
	"encoding/json"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Key is the name of an option, such as Username. A name that this package does not declare is passed on as well.
type Key string

// Options by name. An option that is not set comes from the environment (DL_AUTH_ and the key in capitals). Otherwise
// it has its default. New takes the environment from os.Environ. The README of the library says what each option does
// and which values are valid.
type Options map[Key]string

// Auth is a handle for one user's token. It is safe for any number of goroutines. Close it after use.
type Auth struct {
	handle handle
	wait   time.Duration // the option `wait`
	held   atomic.Pointer[held]

	lock   sync.Mutex // guards each change of held and of the fields below
	flight *flight    // the goroutine that waits in C; nil: there is no such goroutine
}

// New makes a handle. It does not use the network: the first Token logs in. It reads the files that the options name.
// An error is an *Error that says which option is wrong and how: ErrUnknownKey, ErrInvalidValue, ErrNoCredentials,
// ErrUnsupported.
//
// New takes the environment from os.Environ, so another goroutine may call os.Setenv at the same time. If the program
// has more rights than the user that started it (set-user-ID), the environment is ignored.
func New(options Options) (*Auth, error) {
	return NewWithEnviron(options, environ())
}

// NewWithEnviron is New with another environment: NAME=VALUE strings, in the form of os.Environ. An empty environ means
// no variables. An entry without "=", or with a NUL character, is ErrInvalidValue.
func NewWithEnviron(options Options, environ []string) (*Auth, error) {
	handle, err := open(options, environ)
	if err != nil {
		return nil, err
	}
	auth := &Auth{handle: handle}
	runtime.SetFinalizer(auth, func(auth *Auth) { auth.handle.free() })
	info, err := auth.Info()
	if err != nil {
		return nil, err
	}
	auth.wait = info.Wait
	return auth, nil
}

// Token returns the cached token immediately if it is valid. Otherwise it starts a refresh, or joins the one in flight,
// and blocks. While the token is valid, the call reads the clock and does nothing more.
//
// It blocks for up to the option `wait` (ErrTimeout), and until ctx ends: then the error is ctx.Err(). The refresh
// continues, and the next call gets its token. All other errors are an *Error.
func (auth *Auth) Token(ctx context.Context) (string, error) {
	if held := auth.held.Load(); held != nil && held.serves(time.Now()) {
		return held.token, nil
	}
	return textOf(auth.get(ctx, 0))
}

// TokenWithin is Token for a caller that needs the token for longer: it is valid for at least minValid. The error is
// ErrTooShort if the gate's tokens live no longer than that. It is also ErrTooShort if the last token is so new that
// another may not be fetched yet; RetryAfter then says when.
func (auth *Auth) TokenWithin(ctx context.Context, minValid time.Duration) (string, error) {
	if minValid <= 0 {
		return auth.Token(ctx)
	}
	return textOf(auth.get(ctx, minValid))
}

func textOf(held *held, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return held.token, nil
}

// Claims reads the payload of a valid token, a JSON object (RFC 7519), into claims, as json.Unmarshal does. It waits as
// Token does.
func (auth *Auth) Claims(ctx context.Context, claims any) error {
	token, err := auth.Token(ctx)
	if err != nil {
		return err
	}
	payload, err := JWTClaims(token)
	if err != nil {
		return err
	}
	return json.Unmarshal(payload, claims)
}

// Invalidate reports that the platform refused a token with 401. If it is still the current token, it is refreshed:
// once, even if many callers report it. Otherwise nothing happens. A token that was fetched within the last tenth of
// its life (or within the last minute, if that is less) is kept until then. A RoundTripper calls Invalidate by itself.
func (auth *Auth) Invalidate(rejectedToken string) error {
	err := auth.handle.invalidate(rejectedToken)
	auth.lock.Lock()
	defer auth.lock.Unlock()
	auth.held.Store(nil)
	return err
}

// SetCredentials replaces the credentials. The current token is kept only if the username is unchanged. An empty
// username keeps the current username.
func (auth *Auth) SetCredentials(username, password string) error {
	err := auth.handle.setCredentials(username, password)
	auth.forget()
	return err
}

// Info returns the state of the handle. It starts no refresh and does not wait.
func (auth *Auth) Info() (Info, error) {
	defer runtime.KeepAlive(auth)
	return auth.handle.info()
}

// Close frees the handle. All waiters wake up and fail with ErrClosed, and so does each later call. A second Close does
// nothing. The error is always nil; it makes Auth an io.Closer.
func (auth *Auth) Close() error {
	auth.handle.free()
	auth.forget()
	return nil
}

// forget drops the copy of the token, and the flight. The flight may have ended with a token that must not be returned
// any longer: only the callers that already wait for it may get it. The library is called before this, so a copy that
// is made in between is dropped as well.
func (auth *Auth) forget() {
	auth.lock.Lock()
	defer auth.lock.Unlock()
	auth.held.Store(nil)
	auth.flight = nil
}
