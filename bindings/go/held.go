package dlauth

import "time"

// How long a copy of the token serves before the library is asked whether it still is the token.
const trust = time.Second

// held is a copy of the token on Go's side. It never changes: a new one takes its place.
type held struct {
	token      string
	generation uint64
	expires    time.Time // by this machine's clocks, and corrected by what is wrong with them
	asked      time.Time // when the library last said that this is the token
	wall       int64     // the same by the wall clock alone, in nanoseconds
	serving    int64     // how long it serves from then on, in nanoseconds; 0: not at all
}

// serves tells whether the copy may be handed out: by the monotonic clock, which stops while the machine is suspended,
// and by the wall clock, which anybody may set.
func (h *held) serves(now time.Time) bool {
	return uint64(now.Sub(h.asked)) < uint64(h.serving) && uint64(now.UnixNano()-h.wall) < uint64(h.serving)
}

// askedAt is the copy, with the library's word of that time that it is the token. It serves no longer than the token lives,
// by whichever clock says less.
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

// read gets a token from the library. Its generation and its end come from calls of their own, which are about this
// token where the generation was the same before and after; else, as after a login, they are asked once more. Where
// they cannot be had any more, the token is good, but not to be kept.
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
