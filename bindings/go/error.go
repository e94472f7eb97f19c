package dlauth

import "time"

// Status is what kind of failure an Error is: errors.Is(err, dlauth.ErrDenied).
type Status int32

// Error is the name of the status, as in the header of the library.
func (status Status) Error() string { return status.name() }

// Error is how a call failed: errors.Is finds its Status, errors.As all of it.
type Error struct {
	// Status is what kind of failure it is.
	Status Status
	// HTTPStatus is that of the answer behind the failure; 0: there was none.
	HTTPStatus int
	// RetryAfter is how long it takes until the library itself tries again; 0: at the next call, or never.
	RetryAfter time.Duration
	// Message says what happened, to what, and what to do, in the words of the C library. It is never empty, and holds no
	// username, password or token.
	Message string
}

func (err *Error) Error() string { return "dlauth: " + err.Message }

// Unwrap is the Status, for errors.Is and errors.As.
func (err *Error) Unwrap() error { return err.Status }

// Timeout makes a net.Error's question answerable: whether time ran out.
func (err *Error) Timeout() bool { return err.Status == ErrTimeout }
