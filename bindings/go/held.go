package dlauth

import "time"

// How long a copy of the token is used before the library is asked whether it is still the current token.
const trust = time.Second

// held is a copy of the token in Go. It never changes: a new one replaces it.
type held struct {
	token      string
	generation uint64
	expires    time.Time // by this machine's clocks, corrected by their error
	asked      time.Time // when the library last said that this is the current token
	wall       int64     // the time of asked by the wall clock alone, in nanoseconds
	serving    int64     // how long the copy is used after that, in nanoseconds; 0: not at all
}

// serves says whether the copy may be returned. It checks the monotonic clock, which stops while the machine is
// suspended, and the wall clock, which can be set.
func (h *held) serves(now time.Time) bool {
	return uint64(now.Sub(h.asked)) < uint64(h.serving) && uint64(now.UnixNano()-h.wall) < uint64(h.serving)
}

// askedAt returns the copy, marked as confirmed by the library at this time. It is not used for longer than the token
// is valid, by the clock that gives less time.
func (h held) askedAt(now time.Time) *held {
	left := h.expires.Sub(now)
	if byWall := h.expires.Round(0).Sub(now.Round(0)); byWall < left {
		left = byWall
	}
	if left > trust {
		left = trust
	}
	if left < 0 {
		left = 0
	}
	h.asked, h.wall, h.serving = now, now.UnixNano(), int64(left)
	return &h
}

// read gets a token from the library. Two further calls get its generation and its expiry. They are about this token if
// the generation is the same before and after. Otherwise, as after a login, they are repeated. If these calls fail, the
// token is valid, but it is not kept.
func (h handle) read(ask func() (string, error)) (*held, error) {
	var got *held
	before, err := h.info()
	for err == nil {
		var token string
		if token, err = ask(); err != nil {
			break
		}
		var after Info
		now := time.Now()
		if after, err = h.info(); err != nil {
			break
		}
		got = &held{token: token, generation: after.Generation, expires: now.Add(after.ExpiresIn)}
		if before.Generation == after.Generation {
			return got.askedAt(now), nil
		}
		before = after
	}
	if got != nil {
		return got, nil
	}
	return nil, err
}
