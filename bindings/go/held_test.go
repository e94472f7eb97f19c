package dlauth

import (
	"errors"
	"testing"
	"time"
)

func TestACopyServesForASecondByBothClocks(t *testing.T) {
	now := time.Now()
	hour := held{token: "token", expires: now.Add(time.Hour)}.askedAt(now)
	short := held{token: "token", expires: now.Add(300 * time.Millisecond)}.askedAt(now)
	ended := held{token: "token", expires: now.Add(-time.Second)}.askedAt(now)
	// As if the wall clock was set ahead between asking and reading.
	ahead := func(held *held, jump time.Duration) *held {
		copy := *held
		copy.wall -= int64(jump)
		return &copy
	}
	for _, read := range []struct {
		name   string
		held   *held
		after  time.Duration
		serves bool
	}{
		{"immediately", hour, 0, true},
		{"almost a second later", hour, trust - 1, true},
		{"a second later", hour, trust, false},
		{"earlier than asked", hour, -1, false},
		{"the token is about to end", short, 299 * time.Millisecond, true},
		{"the token has ended", short, 300 * time.Millisecond, false},
		{"the token had ended before", ended, 0, false},
		{"suspended for an hour: the monotonic clock stood still", ahead(hour, time.Hour), 0, false},
		{"the wall clock was set back", ahead(hour, -time.Hour), 0, false},
		{"the wall clock was set back by less than the time since", ahead(hour, -time.Millisecond), 2 * time.Millisecond, true},
		{"never kept", &held{}, 0, false},
	} {
		if read.held.serves(now.Add(read.after)) != read.serves {
			t.Errorf("%s: serves is not %v", read.name, read.serves)
		}
	}
}

func TestAnErrorIsItsStatusAndNoOther(t *testing.T) {
	err := error(&Error{Status: ErrTimeout, Message: "late"})
	var net interface{ Timeout() bool }
	var status Status
	if !errors.Is(err, ErrTimeout) || errors.Is(err, ErrGate) || !errors.As(err, &net) || !net.Timeout() || err.Error() != "dlauth: late" {
		t.Error(err)
	}
	if !errors.As(err, &status) || status != ErrTimeout || status.Error() != "DL_AUTH_E_TIMEOUT" || Status(0).Error() != "DL_AUTH_OK" {
		t.Error(status)
	}
	if told := StateDue.String() + ActivityCooling.String() + State(7).String(); told != "duecooling7" {
		t.Error(told)
	}
}
