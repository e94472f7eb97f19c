package dlauth

import "time"

// Status is the kind of failure of an Error: errors.Is(err, dlauth.ErrDenied).
type Status int32

// Error is the name of the status, as in the header of the library.
func (status Status) Error() string { return status.name() }

// Error says how a call failed. errors.Is finds its Status, errors.As the whole Error.
type Error struct {
	// Status is the kind of failure.
	Status Status
	// HTTPStatus is the status of the answer that caused the failure. 0: there was no answer.
	HTTPStatus int
	// RetryAfter is the time until the next refresh can start. 0: the next call can start it, or no refresh can help.
	RetryAfter time.Duration
	// Message is the message of the C library: what happened, to what, and what to do. It is never empty, and contains no
	// username, password or token.
	Message string
}

func (err *Error) Error() string { return "dlauth: " + err.Message }

// Unwrap is the Status, for errors.Is and errors.As.
func (err *Error) Unwrap() error { return err.Status }

// Timeout says whether a time limit ended, as in a net.Error.
func (err *Error) Timeout() bool { return err.Status == ErrTimeout }
