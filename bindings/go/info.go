package dlauth

import (
	"strconv"
	"time"
)

// State is the state of a token.
type State int32

// States of a token.
const (
	StateEmpty   State = iota // there is no token
	StateFresh                // valid; no refresh is due
	StateDue                  // valid; a refresh is due, and the next call starts it
	StateExpired              // no longer returned: it has expired, or the platform refused it
)

func (state State) String() string { return word(int(state), "empty", "fresh", "due", "expired") }

// Activity is the current activity of a handle.
type Activity int32

// Activities of a handle.
const (
	ActivityIdle       Activity = iota // nothing
	ActivityRefreshing                 // a refresh is in flight
	ActivityCooling                    // cooldown: the last refresh failed, and the next one starts after RetryIn
	ActivityDenied                     // the gate refused the credentials; they are not sent again for RetryIn, unless they change
)

func (activity Activity) String() string {
	return word(int(activity), "idle", "refreshing", "cooling", "denied")
}

func word(n int, words ...string) string {
	if n < 0 || n >= len(words) {
		return strconv.Itoa(n)
	}
	return words[n]
}

// Info is the state of a handle at one moment.
type Info struct {
	State      State
	Activity   Activity
	Generation uint64 // the number of tokens that the handle has had; 0: no token yet

	IssuedAt  time.Time     // the token's iat; zero: there is no token
	ExpiresAt time.Time     // the token's exp; zero: there is no token
	ExpiresIn time.Duration // until the token's exp, by a clock that counts suspend and that cannot be set, whether it was rejected or not
	RefreshIn time.Duration // until the planned time of its refresh, whether it was rejected or not; State says whether a refresh is due
	ClockSkew time.Duration // the gate's clock minus this machine's, exact to about a second

	Logins    uint64 // tokens from a login
	Refreshes uint64 // tokens from a refresh token
	Failures  uint64 // refreshes that failed, each after all its attempts

	SharedHits    uint64 // tokens from the shared store: another process had fetched them
	StoreFailures uint64 // refreshes that could not use the shared store
	StoreMessage  string // why the shared store could not be used the last time; empty: it has not failed

	Waiting        uint64        // callers that wait in the library at this moment; at most one goroutine of this package
	LastStatus     Status        // of the last refresh that has ended; 0: it succeeded, or there was no refresh
	LastHTTPStatus int           // of its answer, if it failed; 0: it succeeded, or there was no answer
	RetryIn        time.Duration // until the next refresh may start; 0: immediately
	Wait           time.Duration // the option `wait`
}
