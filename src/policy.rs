//! When to refresh, what to try again, and for how long: decisions from times and outcomes, without a clock or a
//! network.
//!
//! All times are on the suspend-aware clock, anchored in the gate's own time as measured in the middle of the
//! request. So a machine whose wall clock is wrong, or is set afterwards, still knows when its token ends.

use std::time::Duration;

use crate::clock::Boot;
use crate::error::{Error, Status};

/// What a token is good for at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Good, and needs no refresh.
    Fresh,
    /// Good, and its refresh is due.
    Due,
    /// Not to be handed out any more.
    Expired,
}

/// When a token becomes due and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// From here on it is due.
    pub due: Boot,
    /// From here on it is expired.
    pub expires: Boot,
    /// How long a token like this one lives when it is new.
    pub length: Duration,
}

/// The request that fetched a token, as seen by our clocks and the gate's.
#[derive(Clone, Copy, Debug)]
pub struct Fetched {
    /// When the request began.
    pub started: Boot,
    /// When the answer was there.
    pub ended: Boot,
    /// The gate's time in the middle, Unix milliseconds: the latest that it can have been.
    pub gate_ms: i64,
}

impl Fetched {
    fn middle(&self) -> Boot {
        self.started + self.ended.saturating_sub(self.started) / 2
    }
}

impl Lifetime {
    /// The life of a token that the gate gave; `None` where it has ended already.
    ///
    /// Its length is `exp - iat`, else what is left. It is believed to have no more left than its length, whatever
    /// `Date` says; and it is due by what is left where that is less: a gate may hand out a token that it made long
    /// ago, and one with an `iat` of 1970 must still become due before it expires.
    pub fn new(fetched: Fetched, expiry: i64, issued_at: Option<i64>, refresh_at: f64) -> Option<Lifetime> {
        let left = millis(expiry.saturating_mul(1000).saturating_sub(fetched.gate_ms))?;
        let whole = issued_at.and_then(|issued_at| millis(expiry.saturating_sub(issued_at).saturating_mul(1000)));
        let length = whole.unwrap_or(left);
        let left = left.min(length);
        let expires = fetched.middle().saturating_add(left);
        let due = fetched.started.saturating_add(left.mul_f64(refresh_at)).min(expires);
        Some(Lifetime { due, expires, length })
    }

    /// What the token is good for now.
    pub fn state(&self, now: Boot) -> State {
        if now >= self.expires {
            State::Expired
        } else if now >= self.due {
            State::Due
        } else {
            State::Fresh
        }
    }

    /// How much of its life is left.
    pub fn left(&self, now: Boot) -> Duration {
        self.expires.saturating_sub(now)
    }
}

fn millis(ms: i64) -> Option<Duration> {
    u64::try_from(ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}

/// The most that one request may take of what its refresh has left: half, so that another fits, but at least 5 s; all
/// of it where no other can follow.
pub fn attempt_limit(left: Duration, last: bool) -> Duration {
    if last { left } else { (left / 2).max(Duration::from_secs(5)).min(left) }
}

/// How much earlier than its limit a refresh gives up: enough for its reason to reach those who wait.
pub fn margin(timeout: Duration) -> Duration {
    (timeout / 10).min(Duration::from_millis(200))
}

/// Whether a failure may pass by itself within one refresh.
pub fn is_transient(error: &Error) -> bool {
    match error.status() {
        _ if error.retry_after().is_some() => false, // the gate said when
        Status::Timeout | Status::Gate => true,
        // A proxy that answered has decided; a wrong password must not be sent to it again.
        Status::Unreachable => matches!(error.http_status(), None | Some(408 | 425 | 500..=599)),
        // A 200 that is no token may be a proxy's page; any other status is an answer.
        Status::BadResponse => matches!(error.http_status(), None | Some(200..=299)),
        _ => false,
    }
}

/// How long to wait after the n-th failed attempt of a refresh, counted from 1: full jitter under an exponential bound
/// from 500 ms. `draw` is from 0 to 1.
pub fn back_off(attempt: u32, draw: f64) -> Duration {
    let bound = Duration::from_millis(500).saturating_mul(1 << attempt.saturating_sub(1).min(16));
    bound.mul_f64(draw.clamp(0.0, 1.0))
}

/// The most that a gate's `Retry-After` is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// A `Retry-After` header (RFC 9110, 10.2.3): seconds, or a date in the gate's own time.
pub fn retry_after(header: &str, gate_ms: i64) -> Option<Duration> {
    let header = header.trim();
    let wait = match header.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if !header.is_empty() && header.bytes().all(|b| b.is_ascii_digit()) => RETRY_AFTER_MAX,
        Err(_) => {
            let date = crate::clock::unix_ms(httpdate::parse_http_date(header).ok()?);
            Duration::from_millis(u64::try_from(date.saturating_sub(gate_ms)).unwrap_or(0))
        }
    };
    Some(wait.min(RETRY_AFTER_MAX)).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn life(gate: i64, expiry: i64, issued_at: Option<i64>) -> Option<Lifetime> {
        let fetched = Fetched { started: s(100), ended: s(102), gate_ms: gate * 1000 };
        Lifetime::new(fetched, expiry, issued_at, 0.5)
    }

    #[test]
    fn a_token_is_due_from_the_start_and_ends_from_the_middle_of_its_request() {
        let life = life(5000, 5100, Some(5000)).unwrap();
        assert_eq!(life, Lifetime { due: s(150), expires: s(201), length: s(100) });
        for (now, state) in
            [(102, State::Fresh), (149, State::Fresh), (150, State::Due), (200, State::Due), (201, State::Expired)]
        {
            assert_eq!(life.state(s(now)), state, "{now}");
        }
        assert_eq!((life.left(s(191)), life.left(s(300))), (s(10), s(0)));
    }

    #[test]
    fn a_token_never_has_more_left_than_it_is_long_whatever_the_date_says() {
        for gate in [5000, 4000, 1, -1_000_000_000] {
            assert_eq!(life(gate, 5100, Some(5000)).unwrap().expires, s(201), "{gate}");
        }
    }

    #[test]
    fn a_token_that_was_made_long_ago_is_due_by_what_is_left_but_as_long_as_a_new_one() {
        assert_eq!(life(5000, 5100, Some(4000)).unwrap(), Lifetime { due: s(150), expires: s(201), length: s(1100) });
    }

    #[test]
    fn an_old_an_absurd_and_a_missing_iat_never_put_due_after_the_end() {
        for issued_at in [None, Some(0), Some(-9_000_000_000), Some(4000), Some(5100), Some(9999), Some(i64::MIN)] {
            let life = life(5000, 5100, issued_at).unwrap();
            assert_eq!(life.expires, s(201), "{issued_at:?}");
            assert!(life.due <= s(150), "{issued_at:?}");
        }
    }

    #[test]
    fn a_token_that_has_ended_has_no_lifetime() {
        for expiry in [5000, 4999, 1, 0, -1, i64::MIN] {
            assert_eq!(life(5000, expiry, None), None, "{expiry}");
        }
        assert!(life(-50 * 366 * 86400, 253_402_300_799, Some(1)).is_some());
    }

    #[test]
    fn a_request_takes_half_of_what_is_left_but_at_least_5_seconds_and_the_last_one_all() {
        for (left, limit) in [(30, 15), (12, 6), (8, 5), (3, 3), (0, 0)] {
            assert_eq!((attempt_limit(s(left), false), attempt_limit(s(left), true)), (s(limit), s(left)));
        }
    }

    #[test]
    fn the_back_off_doubles_under_full_jitter() {
        assert_eq!([1, 2, 3].map(|n| back_off(n, 1.0)), [500, 1000, 2000].map(Duration::from_millis));
        assert_eq!((back_off(1, 0.0), back_off(1, 0.5)), (s(0), Duration::from_millis(250)));
        assert!(back_off(u32::MAX, 1.0) > s(3600));
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped() {
        let gate_ms = 784_111_777_000; // Sun, 06 Nov 1994 08:49:37 GMT
        for (header, wait) in [
            ("7", Some(s(7))),
            (" 7 ", Some(s(7))),
            ("3601", Some(s(3600))),
            ("99999999999999999999999", Some(s(3600))),
            ("0", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(s(10))),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(s(10))),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sat, 05 Nov 1994 08:49:37 GMT", None),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(s(3600))),
        ] {
            assert_eq!(retry_after(header, gate_ms), wait, "{header}");
        }
    }

    #[test]
    fn what_an_answer_settles_is_not_tried_again() {
        for (status, http, transient) in [
            (Status::Timeout, None, true),
            (Status::Unreachable, None, true),
            (Status::Unreachable, Some(502), true),
            (Status::Unreachable, Some(407), false),
            (Status::Unreachable, Some(403), false),
            (Status::Gate, Some(503), true),
            (Status::BadResponse, Some(200), true),
            (Status::BadResponse, None, true),
            (Status::BadResponse, Some(302), false),
            (Status::BadResponse, Some(404), false),
            (Status::RateLimited, Some(429), false),
            (Status::Denied, Some(401), false),
            (Status::Tls, None, false),
            (Status::Internal, None, false),
        ] {
            let error = Error::new(status, "x");
            let error = http.map_or(error.clone(), |http| error.with_http_status(http));
            assert_eq!(is_transient(&error), transient, "{status:?} {http:?}");
        }
    }
}
