//go:build cgo

package dlauth

import (
	"errors"
	"runtime"
	"testing"
	"time"
)

func TestDurationsThatNoGoDurationHoldsAreTheMostThatItHolds(t *testing.T) {
	if duration(1<<62) <= 0 || duration(-1<<62) >= 0 || unsignedDuration(1<<63) <= 0 || duration(1500) != 1500*time.Millisecond {
		t.Error(duration(1<<62), duration(-1<<62), unsignedDuration(1<<63), duration(1500))
	}
	if milliseconds(1) != 1 || milliseconds(0) != 0 || milliseconds(1<<63-1) != 9223372036855 {
		t.Error(milliseconds(1), milliseconds(0), milliseconds(1<<63-1))
	}
}

func TestAHandleThatNobodyHoldsAnyMoreIsFreed(t *testing.T) {
	auth, err := New(Options{Username: "bot", Password: "password"})
	if err != nil {
		t.Fatal(err)
	}
	handle := auth.handle
	auth = nil
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		if _, err := handle.info(); errors.Is(err, ErrClosed) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it is still open")
		}
	}
}
