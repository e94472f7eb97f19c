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

// get gets a token by way of C. It waits with a flight where there is no token yet.
func (auth *Auth) get(ctx context.Context, minValid time.Duration) (*held, error) {
	for isFirst := true; ; isFirst = false {
		held, flight, hasJoined, err := auth.ask(minValid)
		if flight == nil {
			return held, err
		}
		select {
		case <-flight.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("dlauth: gave up waiting for a token, and the refresh goes on: %w", ctx.Err())
		}
		// Who came late to a flight that timed out has not waited for long enough yet.
		if flight.minValid == minValid && !(hasJoined && isFirst && errors.Is(flight.err, ErrTimeout)) {
			return flight.held, flight.err
		}
	}
}

// ask gets what the library has at once: a token, or an error that stands. Where it has neither, there is a flight to
// wait for, begun here or joined.
func (auth *Auth) ask(minValid time.Duration) (*held, *flight, bool, error) {
	auth.lock.Lock()
	defer auth.lock.Unlock()
	if auth.flight != nil && auth.flight.minValid == minValid {
		return nil, auth.flight, true, nil
	}
	if minValid == 0 {
		if held := auth.heldStill(); held != nil {
			return held, nil, false, nil
		}
	}
	held, err := auth.handle.read(func() (string, error) { return auth.handle.tokenWithin(minValid, 0) })
	switch {
	case err == nil:
		auth.held.Store(held)
		return held, nil, false, nil
	// With no need of more life, a wait brings what is too short to its successor.
	case !errors.Is(err, ErrPending) && !(minValid == 0 && errors.Is(err, ErrTooShort)):
		return nil, nil, false, err
	case auth.flight != nil:
		return nil, auth.flight, true, nil
	}
	auth.flight = &flight{minValid: minValid, done: make(chan struct{})}
	go auth.fly(auth.flight)
	return nil, auth.flight, false, nil
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
// Invalidate may have been meanwhile.
func (auth *Auth) fly(flight *flight) {
	flight.held, flight.err = auth.handle.read(func() (string, error) {
		if flight.minValid == 0 {
			return auth.handle.token()
		}
		return auth.handle.tokenWithin(flight.minValid, auth.wait)
	})
	auth.lock.Lock()
	auth.flight = nil
	auth.lock.Unlock()
	close(flight.done)
}
