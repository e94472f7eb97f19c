package dlauth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// flight is a goroutine that waits in C for all callers with the same request. Its result may be read after done is
// closed.
type flight struct {
	minValid time.Duration
	done     chan struct{}
	held     *held
	err      error
}

// get gets a token from C. If there is no token yet, it waits for a flight, or for several, one after the other. It
// waits for up to the option `wait`, and until ctx ends.
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
			message := fmt.Sprintf("no token within %v, the option `wait`; the refresh continues", auth.wait)
			return nil, &Error{Status: ErrTimeout, Message: message}
		}
		// The time of another flight may end before the time of this caller.
		if flight.minValid == minValid && !errors.Is(flight.err, ErrTimeout) {
			return flight.held, flight.err
		}
	}
}

// ask returns what the library has now: a token, or a final error. If it has neither, ask returns a flight to wait for.
// This call or another one has started it.
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
	// Without a minValid, a token that is too short is replaced during the wait.
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

// heldStill returns the copy if it is usable, or if the library says that it is still the current token.
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

// fly waits in C. Its result is only for the callers that wait, and it is not kept. The next caller gets the token from
// the library, because an Invalidate may have come in between. The flight itself may have been dropped by forget.
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
