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
func (held *held) serves(now time.Time) bool {
	return uint64(now.Sub(held.asked)) < uint64(held.serving) && uint64(now.UnixNano()-held.wall) < uint64(held.serving)
}

// askedAt is the copy, with the library's word of that time that it is the token.
func (held held) askedAt(now time.Time) *held {
	held.asked, held.wall, held.serving = now, now.UnixNano(), int64(trust)
	if left := held.expires.Sub(now); left < trust {
		held.serving = int64(left)
		if left < 0 {
			held.serving = 0
		}
	}
	return &held
}

// read gets a token from the library. Its generation and its end come from calls of their own, which are about this
// token where the generation was the same before and after; else, as after a login, they are asked once more.
func (handle handle) read(ask func() (string, error)) (*held, error) {
	before, err := handle.info()
	for err == nil {
		var token string
		if token, err = ask(); err != nil {
			break
		}
		var after Info
		now := time.Now()
		if after, err = handle.info(); err == nil && before.Generation == after.Generation {
			return held{token: token, generation: after.Generation, expires: now.Add(after.ExpiresIn)}.askedAt(now), nil
		}
		before = after
	}
	return nil, err
}
