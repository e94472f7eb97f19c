package dlauth_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dlauth "github.com/dataloop-ai/dl_auth/bindings/go"
)

// A test runs this program again with another library. DLAUTH_TEST_QUESTION says what it does then.
func TestMain(m *testing.M) {
	if os.Getenv("GATE_URL") == "" {
		fmt.Fprintln(os.Stderr, "there is no gate to test against: run `make test-hosts`, or tests/run.sh as tests/hosts.rs does")
		os.Exit(1)
	}
	switch os.Getenv("DLAUTH_TEST_QUESTION") {
	case "statuses":
		tellStatuses()
	case "new":
		_, err := dlauth.New(nil)
		fmt.Println(err, errors.Is(err, dlauth.ErrUnsupported))
	case "environment":
		changeTheEnvironment()
	default:
		os.Exit(m.Run())
	}
}

// again runs this program with the library of another directory.
func again(t *testing.T, libraries, question string) (string, error) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libraries, "DLAUTH_TEST_QUESTION="+question)
	told, err := command.CombinedOutput()
	return string(told), err
}

// The stub library takes the number of a status instead of a token, and fails with that status.
func tellStatuses() {
	for status := dlauth.Status(-1); status > -101; status-- {
		auth, err := dlauth.New(dlauth.Options{dlauth.Token: fmt.Sprint(int32(status))})
		if err == nil {
			_, err = auth.Token(ctx)
		}
		var failure *dlauth.Error
		if !errors.As(err, &failure) {
			fmt.Println(status, "no Error:", err)
			continue
		}
		fmt.Println(int32(failure.Status), errors.Is(err, status), failure.HTTPStatus, failure.RetryAfter, err)
	}
}

func everyStatus(t *testing.T) {
	told, err := again(t, os.Getenv("STUB_FAILING"), "statuses")
	if err != nil {
		t.Fatal(told, err)
	}
	lines := strings.Split(strings.TrimSpace(told), "\n")
	if len(lines) != 100 {
		t.Fatal(told)
	}
	for i, line := range lines {
		status := dlauth.Status(-1 - i)
		wanted := fmt.Sprint(int32(status), " true 418 1.5s dlauth: ", status.Error())
		if line != wanted {
			t.Errorf("%q is not %q", line, wanted)
		}
	}
}

func libraryMissing(t *testing.T) {
	told, err := again(t, t.TempDir(), "new")
	if err == nil || !strings.Contains(told, "libdl_auth.so.0") {
		t.Error(told, err)
	}
}

func libraryTooOld(t *testing.T) {
	old := os.Getenv("STUB_OLD")
	told, err := again(t, old, "new")
	if err != nil {
		t.Fatal(told, err)
	}
	for _, word := range []string{old + "/libdl_auth.so", "0.0.9", "ABI 0", "needs ABI 1", "true"} {
		if !strings.Contains(told, word) {
			t.Errorf("%q is not in %q", word, told)
		}
	}
}

// changeTheEnvironment writes variables in one goroutine, and makes handles in three others. With cgo, os.Setenv calls
// C's setenv, which moves memory that a getenv at the same time reads.
func changeTheEnvironment() {
	seconds, err := strconv.ParseFloat(os.Getenv("DLAUTH_TEST_SECONDS"), 64)
	if err != nil {
		seconds = 2
	}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	var made int64
	var makers sync.WaitGroup
	for i := 0; i < 3; i++ {
		makers.Add(1)
		go func() {
			defer makers.Done()
			for time.Now().Before(end) {
				auth, err := dlauth.New(nil)
				if err != nil {
					fmt.Println(err)
					os.Exit(1)
				}
				auth.Close()
				atomic.AddInt64(&made, 1)
			}
		}()
	}
	writes := 0
	for ; time.Now().Before(end); writes++ {
		os.Setenv(fmt.Sprint("GROWS_", writes%400), strings.Repeat("x", writes%90))
		if writes%400 == 399 {
			for i := 0; i < 400; i++ {
				os.Unsetenv(fmt.Sprint("GROWS_", i))
			}
		}
	}
	makers.Wait()
	fmt.Println(made > 0 && writes > 0, made, "handles beside", writes, "writes")
}

// DLAUTH_TEST_SECONDS says for how long: tests/run.sh does it for 30 s.
func TestHandlesAreMadeWhileTheEnvironmentChanges(t *testing.T) {
	t.Setenv("DL_AUTH_USERNAME", "bot")
	t.Setenv("DL_AUTH_PASSWORD", "password")
	told, err := again(t, os.Getenv("LD_LIBRARY_PATH"), "environment")
	if err != nil || !strings.HasPrefix(told, "true ") {
		t.Fatal(told, err)
	}
	t.Log(told)
}

func TestTheEnvironmentIsThatOfGoOrAnother(t *testing.T) {
	newGate(t)
	for name, value := range map[string]string{"URL": "GATE_URL", "CA_FILE": "GATE_CA_FILE", "USERNAME": "GATE_USERNAME", "PASSWORD": "GATE_PASSWORD"} {
		t.Setenv("DL_AUTH_"+name, os.Getenv(value))
	}
	t.Setenv("DL_AUTH_PROXY", "none")
	gateTokenOf := func(environ []string) {
		t.Helper()
		auth, err := dlauth.NewWithEnviron(nil, environ)
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		tokenOf(t, auth)
	}
	gateTokenOf(os.Environ())
	auth, err := dlauth.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	tokenOf(t, auth)

	// With another environment, the process's is not read.
	for _, environ := range [][]string{nil, {}, {"OTHER=1", "DL_AUTH_USERNAME=bot"}} {
		_, err := dlauth.NewWithEnviron(nil, environ)
		failed(t, err, dlauth.ErrNoCredentials, 0)
	}
	for _, bad := range []struct {
		entry string
		says  []string
	}{
		{"canary horse", []string{"[1]"}}, {"canary\x00=", []string{"[1]", "NUL"}}, {"canary\x00", []string{"[1]", "NUL"}},
		{"DL_AUTH_PASSWORD=canary\x00", []string{"[1]", "DL_AUTH_PASSWORD", "NUL"}},
		{"DL_AUTH_PASSWORD=canary\xff", []string{"DL_AUTH_PASSWORD", "UTF-8"}},
	} {
		_, err := dlauth.NewWithEnviron(dlauth.Options{dlauth.Username: "bot"}, []string{"OTHER=1", bad.entry})
		failed(t, err, dlauth.ErrInvalidValue, 0)
		for _, word := range bad.says {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q is not in %q", word, err)
			}
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("a value is in %q", err)
		}
	}
}

// asked is the result of a goroutine that asks for a token.
type asked struct {
	token string
	err   error
}

func ask(get func() (string, error)) chan asked {
	result := make(chan asked, 1)
	go func() {
		token, err := get()
		result <- asked{token, err}
	}()
	return result
}

func TestALateCallerWaitsToItsOwnEnd(t *testing.T) {
	gate := newGate(t)
	gate.plan(`{"do": "hang"}`)
	auth := opened(t, dlauth.Options{dlauth.Wait: "6s"})
	token := func() (string, error) { return auth.Token(ctx) }
	early := ask(token)
	gate.waits("hanging=1")
	time.Sleep(3 * time.Second) // the release below may come up to this long after the end of the first wait
	late := ask(token)
	failed(t, (<-early).err, dlauth.ErrTimeout, 0)
	gate.release()
	if result := <-late; result.err != nil || result.token != gate.lastToken() {
		t.Error(result)
	}
	gate.counted(map[string]int{"requests": 1})
}

// The gate hangs for longer than any call may wait. Other calls start to wait repeatedly, each for another token.
func TestNoCallWaitsLongerThanTheOptionWait(t *testing.T) {
	gate := newGate(t)
	gate.plan(`{"do": "hang"}`)
	auth := opened(t, dlauth.Options{dlauth.Wait: "500ms"})
	over := make(chan struct{})
	var others sync.WaitGroup
	for i := 0; i < 4; i++ {
		others.Add(1)
		go func() {
			defer others.Done()
			for again := true; again; {
				auth.Token(ctx)
				select {
				case <-over:
					again = false
				default:
				}
			}
		}()
	}
	gate.waits("hanging=1")
	for i := 0; i < 3; i++ {
		_, err := auth.TokenWithin(ctx, time.Minute)
		failed(t, err, dlauth.ErrTimeout, 0)
		if gate.counts()["hanging"] != 1 {
			t.Fatal("it waited for the refresh to end")
		}
	}
	close(over)
	others.Wait()
	gate.counted(map[string]int{"requests": 1})
}

func TestWithNoTimeToWaitATokenIsPending(t *testing.T) {
	gate := newGate(t)
	gate.plan(`{"do": "hang"}`)
	auth := opened(t, dlauth.Options{dlauth.Wait: "0s"})
	_, err := auth.Token(ctx)
	failed(t, err, dlauth.ErrPending, 0)
	gate.waits("hanging=1")
	gate.release()
	infoUntil(t, auth, func(info dlauth.Info) bool { return info.State == dlauth.StateFresh })
	tokenOf(t, auth)
	gate.counted(map[string]int{"requests": 1})
}

func TestACallWithMinValidDoesNotBlockOthers(t *testing.T) {
	gate := newGate(t)
	gate.set(`{"lifetime": 20}`)
	auth := opened(t, nil)
	first := tokenOf(t, auth)
	_, err := auth.TokenWithin(ctx, time.Hour)
	failed(t, err, dlauth.ErrTooShort, 0)
	const need = 18 * time.Second
	infoUntil(t, auth, func(info dlauth.Info) bool { return info.RetryIn == 0 && info.ExpiresIn < need })
	gate.plan(`{"do": "hang"}`)
	longer := ask(func() (string, error) { return auth.TokenWithin(ctx, need) })
	gate.waits("hanging=1")
	infoUntil(t, auth, func(info dlauth.Info) bool { return info.Waiting == 1 })
	auth.Invalidate("e30.e30.e30") // another token: its only effect is that the next read asks the library
	if tokenOf(t, auth) != first {
		t.Error("another token")
	}
	gate.release()
	if result := <-longer; result.err != nil || result.token != gate.lastToken() || result.token == first {
		t.Error(result)
	}
	gate.counted(map[string]int{"requests": 2})
}

func TestNewCredentialsAreUsedImmediately(t *testing.T) {
	gate := newGate(t)
	auth := opened(t, nil)
	first := tokenOf(t, auth)
	gate.set(`{"username": "another@example.com"}`)
	if err := auth.SetCredentials("another@example.com", os.Getenv("GATE_PASSWORD")); err != nil {
		t.Fatal(err)
	}
	if token := tokenOf(t, auth); token == first || token != gate.lastToken() {
		t.Error("the first user's token")
	}
	gate.counted(map[string]int{"logins": 2})
}
