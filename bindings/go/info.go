package dlauth

import (
	"strconv"
	"time"
)

// State is what a token is good for.
type State int32

// States of a token.
const (
	StateEmpty   State = iota // there is none
	StateFresh                // valid, and needs no refresh
	StateDue                  // valid, and the next call that finds it begins a refresh
	StateExpired              // not handed out any more: it has ended, or the platform refused it
)

func (state State) String() string { return word(int(state), "empty", "fresh", "due", "expired") }

// Activity is what a handle is doing.
type Activity int32

// Activities of a handle.
const (
	ActivityIdle       Activity = iota // nothing
	ActivityRefreshing                 // a refresh is in flight
	ActivityCooling                    // the last refresh failed, and no other begins for RetryIn
	ActivityDenied                     // the gate refused the credentials, which are not sent again for RetryIn, unless they change
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

// Info is a look at a handle.
type Info struct {
	State      State
	Activity   Activity
	Generation uint64 // how many tokens the handle has held; 0: none yet

	IssuedAt  time.Time     // the token's iat; zero: none
	ExpiresAt time.Time     // the token's exp; zero: none
	ExpiresIn time.Duration // until the token ends, by a clock that counts suspend and that nobody can set; negative: it has
	RefreshIn time.Duration // until its refresh is due; negative: it is
	ClockSkew time.Duration // the gate's clock minus this machine's, good to about a second

	Logins    uint64 // tokens that were got for the password
	Refreshes uint64 // tokens that were got for a refresh token
	Failures  uint64 // refreshes that failed, each with all its tries

	SharedHits    uint64 // tokens that were found in the shared store: none yet
	StoreFailures uint64 // failures of the shared store: none yet

	Waiting        uint64        // callers that wait in the library at this moment; of this package's goroutines at most one
	LastStatus     Status        // of the last refresh that has ended; 0: it worked, or there was none
	LastHTTPStatus int           // of its answer, where it failed; 0: it worked, or there was no answer
	RetryIn        time.Duration // until the next refresh may begin; 0: at once
	Wait           time.Duration // the option `wait`
}
