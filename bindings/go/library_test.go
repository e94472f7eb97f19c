//go:build cgo

package dlauth

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
)

func TestDurationsAreLimitedToTheRangeOfAGoDuration(t *testing.T) {
	if duration(1<<62) <= 0 || duration(-1<<62) >= 0 || unsignedDuration(1<<63) <= 0 || duration(1500) != 1500*time.Millisecond {
		t.Error(duration(1<<62), duration(-1<<62), unsignedDuration(1<<63), duration(1500))
	}
	if milliseconds(1) != 1 || milliseconds(0) != 0 || milliseconds(1<<63-1) != 9223372036855 {
		t.Error(milliseconds(1), milliseconds(0), milliseconds(1<<63-1))
	}
}

func TestAHandleWithoutReferencesIsFreed(t *testing.T) {
	auth, err := New(Options{Username: "bot", Password: "password"})
	if err != nil {
		t.Fatal(err)
	}
	handle := auth.handle
	auth = nil
	for { // tests/run.sh ends what hangs
		runtime.GC()
		if _, err := handle.info(); errors.Is(err, ErrClosed) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// A flight that ends before a Close or a SetCredentials is not joined after it.
func TestAFlightFromBeforeIsNotJoinedAfterwards(t *testing.T) {
	auth, err := New(Options{Username: "bot", Password: "password"})
	if err != nil {
		t.Fatal(err)
	}
	ended := &flight{done: make(chan struct{}), held: &held{token: "of before"}}
	close(ended.done)
	auth.flight = ended
	if held, err := auth.get(context.Background(), 0); err != nil || held.token != "of before" {
		t.Fatal(held, err, "it is joined before")
	}
	if err := auth.SetCredentials("another", "password"); err != nil || auth.flight != nil {
		t.Error(err, auth.flight)
	}
	auth.flight = ended
	auth.Close()
	if token, err := auth.Token(context.Background()); !errors.Is(err, ErrClosed) {
		t.Error(token, err)
	}
}
