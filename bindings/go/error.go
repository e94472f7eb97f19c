package dlauth

import "time"

// Status is what kind of failure an Error is: errors.Is(err, dlauth.ErrDenied).
type Status int32

// Error is the name of the status, as in the header of the library.
func (status Status) Error() string { return status.name() }

// Error is how a call failed. errors.Is compares its Status, errors.As gets at the rest.
type Error struct {
	// Status is what kind of failure it is.
	Status Status
	// HTTPStatus is that of the answer behind the failure; 0: there was none.
	HTTPStatus int
	// RetryAfter is how long it takes until the library itself tries again; 0: at the next call, or never.
	RetryAfter time.Duration
	// Message says what happened, to what, and what to do. It is never empty, and holds no username, password or token.
	Message string
}

func (err *Error) Error() string { return "dlauth: " + err.Message }

// Is tells whether target is the error's Status.
func (err *Error) Is(target error) bool {
	status, ok := target.(Status)
	return ok && status == err.Status
}

// Timeout makes a net.Error's question answerable: whether time ran out.
func (err *Error) Timeout() bool { return err.Status == ErrTimeout }
