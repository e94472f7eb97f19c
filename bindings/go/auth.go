// Package dlauth hands out a Dataloop token that is always valid. The C library dl_auth logs in and refreshes; this
// package lends it Go's manners: contexts, errors, an oauth2.TokenSource and an http.RoundTripper.
//
// One decision shapes it: goroutines do not wait in C. A call into C holds a thread of the system for as long as it
// takes, so of all goroutines that wait on a handle one is in C, and the others wait for that one on a channel, each
// to the end of its own context. And a token is read without C at all: for at most a second a copy of it serves.
package dlauth

import (
	"context"
	"encoding/json"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Key is the name of an option, such as Username. One that this package has no name for is passed on as well.
type Key string

// Options by name. An option that is not set comes from the environment (DL_AUTH_ and the key in capitals), else it has
// its default. New takes the environment from os.Environ. The README of the library says what each does and which form its value has.
type Options map[Key]string

// Auth is a handle on one user's token, for any number of goroutines. Close it when it is needed no more.
type Auth struct {
	handle handle
	wait   time.Duration // the option `wait`
	held   atomic.Pointer[held]

	lock   sync.Mutex // over each change of what follows, and of held
	flight *flight    // the goroutine that waits in C; nil: none does
}

// New makes a handle, and asks nobody: the first Token logs in. It reads the files that the options name. An error is
// an *Error that says which option is wrong and how: ErrUnknownKey, ErrInvalidValue, ErrNoCredentials, ErrUnsupported.
//
// The environment is that of os.Environ, so another goroutine may call os.Setenv at the same time. If the program has more
// rights than the user that started it (set-user-ID), the environment is ignored.
func New(options Options) (*Auth, error) {
	return NewWithEnviron(options, environ())
}

// NewWithEnviron is New with another environment: NAME=VALUE strings, in the form of os.Environ. An empty environ means no
// variables. An entry without "=", or with a NUL character, is ErrInvalidValue.
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

// Token returns a valid token: at once while there is one, else after the refresh in flight, which it begins where
// there is none. While a token is at hand the call takes a look at the clock, and nothing else.
//
// It waits no longer than the option `wait` says (ErrTimeout), and than ctx lets it: then the error is ctx.Err(). The
// refresh goes on, and its token is there for the next call. All other errors are an *Error.
func (auth *Auth) Token(ctx context.Context) (string, error) {
	if held := auth.held.Load(); held != nil && held.serves(time.Now()) {
		return held.token, nil
	}
	return textOf(auth.get(ctx, 0))
}

// TokenWithin is Token for a caller who needs the token for longer: it is valid for at least minValid. ErrTooShort
// where the tokens of the gate live no longer than that, or where the last one is so new that another may not be
// fetched yet (RetryAfter says when).
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

// Claims reads what a valid token says of itself, a JSON object (RFC 7519), into claims, as json.Unmarshal does. It waits
// as Token does.
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

// Invalidate tells that the platform refused a token with 401. Where it is still the current one it is refreshed, once
// for all who tell; else nothing is done. One that was fetched within the last tenth of its life, or the last minute if
// that is less, is kept until then. A RoundTripper does this by itself.
func (auth *Auth) Invalidate(rejectedToken string) error {
	err := auth.handle.invalidate(rejectedToken)
	auth.lock.Lock()
	defer auth.lock.Unlock()
	auth.held.Store(nil)
	return err
}

// SetCredentials logs in with these from now on. The present token stays only where the username does; an empty
// username keeps the one there is.
func (auth *Auth) SetCredentials(username, password string) error {
	err := auth.handle.setCredentials(username, password)
	auth.disown()
	return err
}

// Info looks at the handle. It starts nothing and waits for nothing.
func (auth *Auth) Info() (Info, error) {
	defer runtime.KeepAlive(auth)
	return auth.handle.info()
}

// Close gives the handle up: who waits in it is woken with ErrClosed, and so fail all later calls. A second Close does
// nothing. The error is always nil; it makes an io.Closer of Auth.
func (auth *Auth) Close() error {
	auth.handle.free()
	auth.disown()
	return nil
}

// disown drops the copy of the token, and the flight, which may have landed with what is no longer to be handed out: it is
// only for those who wait for it already. The library has been told before, so a copy that is made meanwhile goes too.
func (auth *Auth) disown() {
	auth.lock.Lock()
	defer auth.lock.Unlock()
	auth.held.Store(nil)
	auth.flight = nil
}
