package dlauth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// flight is a goroutine that waits in C, for all who need what it asks for. Its result may be read once done is closed.
type flight struct {
	minValid time.Duration
	done     chan struct{}
	held     *held
	err      error
}

// get gets a token by way of C. Where there is none yet, it waits with a flight, or with several, one after the other: no
// longer than the option `wait` says, and than ctx lets it.
func (auth *Auth) get(ctx context.Context, minValid time.Duration) (*held, error) {
	var over <-chan time.Time
	for {
		held, flight, err := auth.ask(minValid)
		if flight == nil {
			return held, err
		}
		if over == nil {
			timer := time.NewTimer(auth.wait)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-flight.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-over:
			message := fmt.Sprintf("there was no token within %v, the option `wait`; the refresh goes on", auth.wait)
			return nil, &Error{Status: ErrTimeout, Message: message}
		}
		// Another flight's time may be over before one's own is.
		if flight.minValid == minValid && !errors.Is(flight.err, ErrTimeout) {
			return flight.held, flight.err
		}
	}
}

// ask gets what the library has at once: a token, or an error that stands. Where it has neither, there is a flight to
// wait for, begun here or by another.
func (auth *Auth) ask(minValid time.Duration) (*held, *flight, error) {
	auth.lock.Lock()
	defer auth.lock.Unlock()
	if auth.flight != nil && auth.flight.minValid == minValid {
		return nil, auth.flight, nil
	}
	if minValid == 0 {
		if held := auth.heldStill(); held != nil {
			return held, nil, nil
		}
	}
	held, err := auth.handle.read(func() (string, error) { return auth.handle.tokenWithin(minValid, 0) })
	if err == nil {
		auth.held.Store(held)
		return held, nil, nil
	}
	// With no need of more life, a wait brings what is too short to its successor.
	mayPass := errors.Is(err, ErrPending) || minValid == 0 && errors.Is(err, ErrTooShort)
	if !mayPass || auth.wait == 0 {
		return nil, nil, err
	}
	if auth.flight == nil {
		auth.flight = &flight{minValid: minValid, done: make(chan struct{})}
		go auth.fly(auth.flight)
	}
	return nil, auth.flight, nil
}

// heldStill is the copy, if it serves, or if the library says that it still is the token.
func (auth *Auth) heldStill() *held {
	held, now := auth.held.Load(), time.Now()
	if held == nil || held.serves(now) {
		return held
	}
	if auth.handle.generation() != held.generation {
		return nil
	}
	held = held.askedAt(now)
	auth.held.Store(held)
	return held
}

// fly waits in C. What it brings is for those who wait, and not kept: who asks next finds it in the library, where an
// Invalidate may have been meanwhile. The flight itself may have been disowned.
func (auth *Auth) fly(flight *flight) {
	flight.held, flight.err = auth.handle.read(func() (string, error) {
		if flight.minValid == 0 {
			return auth.handle.token()
		}
		return auth.handle.tokenWithin(flight.minValid, auth.wait)
	})
	auth.lock.Lock()
	if auth.flight == flight {
		auth.flight = nil
	}
	auth.lock.Unlock()
	close(flight.done)
}
