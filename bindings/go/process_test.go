package dlauth_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"dlauth"
)

// What these tests run again, with another library, goes by the name of a question in the environment.
func TestMain(m *testing.M) {
	switch os.Getenv("DLAUTH_TEST_QUESTION") {
	case "statuses":
		tellStatuses()
	case "new":
		_, err := dlauth.New(nil)
		fmt.Println(err, errors.Is(err, dlauth.ErrUnsupported))
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

// The library that fails on order takes the number of a status in the place of a token.
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

func TestALateCallerWaitsToItsOwnEnd(t *testing.T) {
	gate := newGate(t)
	gate.plan(`{"do": "hang"}`)
	auth := opened(t, dlauth.Options{dlauth.Wait: "1s"})
	early, late := make(chan error), make(chan error)
	ask := func(result chan error) {
		_, err := auth.Token(ctx)
		result <- err
	}
	go ask(early)
	gate.waits("hanging=1")
	infoUntil(t, auth, func(info dlauth.Info) bool { return info.Waiting == 1 })
	go ask(late)
	failed(t, <-early, dlauth.ErrTimeout, 0)
	gate.release()
	if err := <-late; err != nil {
		t.Error(err)
	}
	gate.counted(map[string]int{"requests": 1})
}

func TestWhoNeedsMoreLifeHoldsUpNobody(t *testing.T) {
	gate := newGate(t)
	gate.set(`{"lifetime": 20}`)
	auth := opened(t, nil)
	first := tokenOf(t, auth)
	_, err := auth.TokenWithin(ctx, time.Hour)
	failed(t, err, dlauth.ErrTooShort, 0)
	const need = 18 * time.Second
	infoUntil(t, auth, func(info dlauth.Info) bool { return info.RetryIn == 0 && info.ExpiresIn < need })
	gate.plan(`{"do": "hang"}`)
	result := make(chan string)
	go func() {
		token, err := auth.TokenWithin(ctx, need)
		result <- token
		if err != nil {
			t.Error(err)
		}
	}()
	gate.waits("hanging=1")
	infoUntil(t, auth, func(info dlauth.Info) bool { return info.Waiting == 1 })
	auth.Invalidate("e30.e30.e30") // another's: all it does is that the library is asked by the next read
	if tokenOf(t, auth) != first {
		t.Error("another token")
	}
	gate.release()
	if token := <-result; token == first {
		t.Error("the old token")
	}
	gate.counted(map[string]int{"requests": 2})
}
