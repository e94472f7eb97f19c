package dlauth_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	dlauth "github.com/dataloop-ai/dl_auth/bindings/go"
)

var ctx = context.Background()

func tokenOf(t *testing.T, auth *dlauth.Auth) string {
	t.Helper()
	token, err := auth.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// failed checks an error's status and HTTP status, and that it has a message.
func failed(t *testing.T, err error, status dlauth.Status, httpStatus int) *dlauth.Error {
	t.Helper()
	var failure *dlauth.Error
	if !errors.As(err, &failure) || !errors.Is(err, status) || failure.HTTPStatus != httpStatus || failure.Message == "" {
		t.Fatalf("%#v is not %v with HTTP status %d", err, status, httpStatus)
	}
	return failure
}

// The scenarios of tests/hosts/scenarios.md.
func TestScenarios(t *testing.T) {
	for _, scenario := range []struct {
		name string
		test func(*testing.T)
	}{
		{"first_token", firstToken},
		{"cached_read", cachedRead},
		{"claims", claims},
		{"expiry_and_refresh", expiryAndRefresh},
		{"wrong_password", wrongPassword},
		{"gate_down_with_a_valid_token", gateDownWithAValidToken},
		{"gate_down_without", gateDownWithout},
		{"platform_401", platform401},
		{"many_at_once_make_one_login", manyAtOnceMakeOneLogin},
		{"use_after_close", useAfterClose},
		{"wrong_option", wrongOption},
		{"cancellation", cancellation},
		{"every_status", everyStatus},
		{"library_missing", libraryMissing},
		{"library_too_old", libraryTooOld},
	} {
		t.Run(scenario.name, scenario.test)
	}
}

func firstToken(t *testing.T) {
	gate := newGate(t)
	auth := opened(t, nil)
	gate.counted(map[string]int{"connections": 0})
	if token := tokenOf(t, auth); token != gate.lastToken() {
		t.Errorf("%q is not the gate's last token", token)
	}
	gate.counted(map[string]int{"logins": 1, "requests": 1})
}

func cachedRead(t *testing.T) {
	gate := newGate(t)
	auth := opened(t, nil)
	first := tokenOf(t, auth)
	for i := 0; i < 1000; i++ {
		if tokenOf(t, auth) != first {
			t.Fatal("another token")
		}
	}
	if !underRace { // which allocates for itself
		if allocated := testing.AllocsPerRun(1000, func() { auth.Token(ctx) }); allocated != 0 {
			t.Errorf("a cached read allocates %v times", allocated)
		}
	}
	gate.counted(map[string]int{"requests": 1})
}

func claims(t *testing.T) {
	newGate(t)
	auth := opened(t, nil)
	var claims struct {
		Email    string
		Iat, Exp int64
	}
	if err := auth.Claims(ctx, &claims); err != nil {
		t.Fatal(err)
	}
	expiry, err := dlauth.JWTExpiry(tokenOf(t, auth))
	if claims.Email != os.Getenv("GATE_USERNAME") || claims.Exp-claims.Iat != 3600 || expiry.Unix() != claims.Exp || err != nil {
		t.Errorf("%+v, %v, %v", claims, expiry, err)
	}
	_, err = dlauth.JWTClaims("canary")
	failed(t, err, dlauth.ErrBadJWT, 0)
}

func expiryAndRefresh(t *testing.T) {
	gate := newGate(t)
	gate.set(`{"lifetime": 3}`)
	auth := opened(t, nil)
	first := tokenOf(t, auth)
	for next := first; next == first; {
		before := time.Now()
		next = tokenOf(t, auth)
		expiry, err := dlauth.JWTExpiry(next)
		if err != nil || !before.Before(expiry) {
			t.Fatalf("a token that expires at %v was returned at %v, %v", expiry, before, err)
		}
	}
	gate.counted(map[string]int{"logins": 1, "refreshes": 1, "reused_refresh_tokens": 0})
}

func wrongPassword(t *testing.T) {
	gate := newGate(t)
	auth := opened(t, dlauth.Options{dlauth.Password: "canary-" + t.Name() + time.Now().String()})
	for i := 0; i < 2; i++ {
		_, err := auth.Token(ctx)
		if failure := failed(t, err, dlauth.ErrDenied, 401); failure.RetryAfter <= 0 || strings.Contains(err.Error(), "canary") {
			t.Errorf("%#v", failure)
		}
	}
	gate.counted(map[string]int{"requests": 1, "refused": 1})
	if err := auth.SetCredentials("", os.Getenv("GATE_PASSWORD")); err != nil {
		t.Fatal(err)
	}
	tokenOf(t, auth)
}

func gateDownWithAValidToken(t *testing.T) {
	gate := newGate(t)
	gate.set(`{"lifetime": 30}`)
	gate.plan(`[{"do": "ok"}, {"do": "status", "status": 503, "times": 1000}]`)
	auth := opened(t, dlauth.Options{dlauth.RefreshAt: "0.1"})
	first := tokenOf(t, auth)
	infoUntil(t, auth, func(info dlauth.Info) bool {
		return tokenOf(t, auth) == first && info.LastStatus == dlauth.ErrGate && info.LastHTTPStatus == 503
	})
	if tokenOf(t, auth) != first {
		t.Error("another token")
	}
	gate.counted(map[string]int{"issued": 1, "logins": 1})
}

func gateDownWithout(t *testing.T) {
	gate := newGate(t)
	gate.plan(`{"do": "status", "status": 503}`)
	_, err := opened(t, nil).Token(ctx)
	if failure := failed(t, err, dlauth.ErrGate, 503); failure.RetryAfter <= 0 {
		t.Errorf("%#v", failure)
	}
	_, err = opened(t, dlauth.Options{dlauth.URL: os.Getenv("GATE_REFUSED_URL")}).Token(ctx)
	if failure := failed(t, err, dlauth.ErrUnreachable, 0); failure.RetryAfter <= 0 {
		t.Errorf("%#v", failure)
	}
	gate.counted(map[string]int{"requests": 1})
}

// All begin before the gate answers: one of them waits in C, on a thread of the system, and the others in Go.
func manyAtOnceMakeOneLogin(t *testing.T) {
	goroutines := 20_000
	if underRace {
		goroutines = 2_000 // it counts those that are alive, and bears 8,128
	}
	gate := newGate(t)
	gate.plan(`{"do": "hang"}`)
	auth := opened(t, nil)
	var asking, done sync.WaitGroup
	asking.Add(goroutines)
	done.Add(goroutines)
	var wrong sync.Map
	before := threads(t)
	for i := 0; i < goroutines; i++ {
		go func() {
			defer done.Done()
			asking.Done()
			if token, err := auth.Token(ctx); err != nil || token == "" {
				wrong.Store(err, token)
			}
		}()
	}
	asking.Wait()
	gate.waits("hanging=1")
	infoUntil(t, auth, func(info dlauth.Info) bool { return info.Waiting == 1 })
	during := threads(t)
	gate.release()
	done.Wait()
	wrong.Range(func(err, token any) bool { t.Errorf("%v", err); return false })
	if after := threads(t); during-before >= 20 || after-before >= 20 {
		t.Errorf("%d threads before, %d while they waited, %d after", before, during, after)
	}
	gate.counted(map[string]int{"requests": 1, "logins": 1})
}

func threads(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func useAfterClose(t *testing.T) {
	gate := newGate(t)
	auth := opened(t, nil)
	tokenOf(t, auth)
	for i := 0; i < 2; i++ {
		if err := auth.Close(); err != nil {
			t.Error(err)
		}
		_, err := auth.Token(ctx)
		failed(t, err, dlauth.ErrClosed, 0)
		_, err = auth.TokenWithin(ctx, time.Hour)
		failed(t, err, dlauth.ErrClosed, 0)
		_, err = auth.TokenSource(ctx).Token()
		failed(t, err, dlauth.ErrClosed, 0)
		_, err = auth.Info()
		failed(t, err, dlauth.ErrClosed, 0)
		failed(t, auth.Claims(ctx, nil), dlauth.ErrClosed, 0)
		failed(t, auth.Invalidate("token"), dlauth.ErrClosed, 0)
		failed(t, auth.SetCredentials("user", "password"), dlauth.ErrClosed, 0)
	}
	gate.plan(`{"do": "hang"}`)
	auth = opened(t, nil)
	result := make(chan error)
	go func() {
		_, err := auth.Token(ctx)
		result <- err
	}()
	gate.waits("hanging=1")
	auth.Close()
	failed(t, <-result, dlauth.ErrClosed, 0)
}

func wrongOption(t *testing.T) {
	_, err := dlauth.New(dlauth.Options{"usernam": "bot"})
	if failure := failed(t, err, dlauth.ErrUnknownKey, 0); !strings.Contains(failure.Message, "`username`") {
		t.Error(failure)
	}
	_, err = dlauth.New(dlauth.Options{dlauth.Timeout: "soon"})
	if failure := failed(t, err, dlauth.ErrInvalidValue, 0); !strings.Contains(failure.Message, "`timeout`") {
		t.Error(failure)
	}
	for _, options := range []dlauth.Options{{dlauth.Username: "bot\x00"}, {"user\x00name": "bot"}} {
		_, err = dlauth.New(options)
		failed(t, err, dlauth.ErrInvalidValue, 0)
	}
	_, err = dlauth.New(dlauth.Options{dlauth.Username: "\xff"})
	failed(t, err, dlauth.ErrNotUTF8, 0)
}

func cancellation(t *testing.T) {
	gate := newGate(t)
	gate.plan(`{"do": "hang"}`)
	auth := opened(t, nil)
	cancelled, cancel := context.WithCancel(ctx)
	result := make(chan error)
	go func() {
		_, err := auth.Token(cancelled)
		result <- err
	}()
	gate.waits("hanging=1")
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	late, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if _, err := auth.Token(late); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	gate.release()
	tokenOf(t, auth)
	gate.counted(map[string]int{"requests": 1, "logins": 1})
}
