//! When to refresh, what to try again, and for how long: decisions from times and outcomes, without a clock or a
//! network.
//!
//! All times are on the suspend-aware clock, anchored in the gate's own time: a machine whose wall clock is wrong, or
//! is set afterwards, still knows when its token ends. The gate may have told its time when the request had just begun,
//! so a token's life is counted from there, and never a moment too long. The wall clock is the second witness: where it
//! has jumped since, a token may be older than the first one knows.

use std::time::Duration;

use crate::clock::{Boot, Now};
use crate::error::{Error, Status};

mod gate_time;
#[cfg(test)]
pub(crate) use gate_time::BUILT_AT;
pub use gate_time::{Source, gate_time};

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
    /// When it would be due without a draw.
    ideal: Boot,
    /// How much of its life it had when it came.
    life: Duration,
    /// The wall clock minus the other one when it came, in milliseconds.
    offset_ms: i64,
}

/// The request that fetched a token, as seen by our clocks and the gate's.
#[derive(Clone, Copy, Debug)]
pub struct Fetched {
    /// When the request began.
    pub started: Boot,
    /// When the answer was there.
    pub ended: Now,
    /// The time that the gate told, Unix milliseconds: the latest that it can have been.
    pub gate_ms: i64,
}

/// A jump of the wall clock that is no drift, and no correction of one.
const JUMP_MS: i64 = 5000;

/// The part of its life by which a token's refresh is drawn to either side, so that a fleet that started together does
/// not come back together.
pub const SPREAD: f64 = 0.05;

impl Lifetime {
    /// The life of a token that the gate gave; `None` where it has ended already. Due without a draw.
    ///
    /// Its length is `exp - iat`, else what is left. It is believed to have no more left than its length, whatever
    /// `Date` says; and it is due by what is left where that is less: a gate may hand out a token that it made long
    /// ago, and one with an `iat` of 1970 must still become due before it expires.
    pub fn new(fetched: Fetched, expiry: i64, issued_at: Option<i64>, refresh_at: f64) -> Option<Lifetime> {
        let left = millis(expiry.saturating_mul(1000).saturating_sub(fetched.gate_ms))?;
        let whole = issued_at.and_then(|issued_at| millis(expiry.saturating_sub(issued_at).saturating_mul(1000)));
        let length = whole.unwrap_or(left);
        let life = left.min(length);
        let expires = fetched.started.saturating_add(life);
        let ideal = fetched.started.saturating_add(life.mul_f64(refresh_at)).min(expires);
        let offset_ms = fetched.ended.offset_ms();
        (expires > fetched.ended.boot).then_some(Lifetime { due: ideal, expires, length, ideal, life, offset_ms })
    }

    /// The same, due by a draw from 0 to 1: one for each token, and for each process that holds it.
    pub fn drawn(self, draw: f64) -> Lifetime {
        let spread = self.life.mul_f64(SPREAD);
        let due = self.ideal.saturating_sub(spread).saturating_add((spread * 2).mul_f64(draw.clamp(0.0, 1.0)));
        Lifetime { due: due.min(self.expires), ..self }
    }

    /// The same, never due: for a token that nothing can replace.
    pub fn never_due(self) -> Lifetime {
        Lifetime { due: self.expires, ideal: self.expires, life: Duration::ZERO, ..self }
    }

    /// What the token is good for now.
    pub fn state(&self, now: Now) -> State {
        if self.left(now).is_zero() {
            State::Expired
        } else if now.boot >= self.due || self.jumped_ms(now).unsigned_abs() > JUMP_MS.unsigned_abs() {
            State::Due
        } else {
            State::Fresh
        }
    }

    /// How much of its life is left, by whichever clock says less: a wall clock that has jumped ahead may be that of a
    /// machine that slept where no clock ran.
    pub fn left(&self, now: Now) -> Duration {
        let jumped_ms = self.jumped_ms(now);
        let unseen = if jumped_ms > JUMP_MS { Duration::from_millis(jumped_ms.unsigned_abs()) } else { Duration::ZERO };
        self.expires.saturating_sub(now.boot).saturating_sub(unseen)
    }

    /// How long after it no other refresh may begin: a gate that gives short tokens is never hammered.
    pub fn brake(&self) -> Duration {
        (self.life / 10).clamp(Duration::from_secs(1), Duration::from_secs(60))
    }

    fn jumped_ms(&self, now: Now) -> i64 {
        now.offset_ms().saturating_sub(self.offset_ms)
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
    (timeout / 4).min(Duration::from_secs(1))
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
    doubled(Duration::from_millis(500), attempt).mul_f64(draw.clamp(0.0, 1.0))
}

/// How long a handle cools down after the n-th failed refresh in a row, counted from 1: 1 s doubling to 120 s, or to
/// 30 s while it holds no valid token; of that, from half to all by a draw from 0 to 1.
pub fn cool_down(failures: u32, holds_valid: bool, draw: f64) -> Duration {
    let most = Duration::from_secs(if holds_valid { 120 } else { 30 });
    doubled(Duration::from_secs(1), failures).min(most).mul_f64(0.5 + draw.clamp(0.0, 1.0) / 2.0)
}

/// How long a password that was refused for the n-th time, counted from 1, is not sent again: 30 s, 5 min, then 1 h
/// doubling to 24 h; after a 403, 5 min at most, for API gateways answer 403 for reasons of their own. The refusals of
/// all statuses count; the last one's status decides.
pub fn refusal_pause(refusals: u32, http_status: Option<u16>) -> Duration {
    let most = Duration::from_secs(if http_status == Some(403) { 300 } else { 24 * 3600 });
    let pause = match refusals {
        0 | 1 => Duration::from_secs(30),
        2 => Duration::from_secs(300),
        more => doubled(Duration::from_secs(3600), more - 2),
    };
    pause.min(most)
}

/// The first, doubled with each one after it.
fn doubled(first: Duration, nth: u32) -> Duration {
    first.saturating_mul(1 << nth.saturating_sub(1).min(20))
}

/// The most that a gate's `Retry-After` is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// The least: a date may be a few milliseconds off.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

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
    Some(wait.min(RETRY_AFTER_MAX)).filter(|wait| !wait.is_zero()).map(|wait| wait.max(RETRY_AFTER_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A time at which both clocks agree.
    fn at(seconds: u64) -> Now {
        Now { boot: s(seconds), wall_ms: seconds as i64 * 1000 }
    }

    fn times(life: Lifetime) -> (Boot, Boot, Duration) {
        (life.due, life.expires, life.length)
    }

    fn life(gate: i64, expiry: i64, issued_at: Option<i64>) -> Option<Lifetime> {
        let fetched = Fetched { started: s(100), ended: at(102), gate_ms: gate * 1000 };
        Lifetime::new(fetched, expiry, issued_at, 0.5)
    }

    #[test]
    fn a_token_is_due_and_ends_counted_from_the_start_of_its_request() {
        let life = life(5000, 5100, Some(5000)).unwrap();
        assert_eq!(times(life), (s(150), s(200), s(100)));
        for (now, state) in
            [(102, State::Fresh), (149, State::Fresh), (150, State::Due), (199, State::Due), (200, State::Expired)]
        {
            assert_eq!(life.state(at(now)), state, "{now}");
        }
        assert_eq!((life.left(at(190)), life.left(at(300))), (s(10), s(0)));
    }

    #[test]
    fn a_token_never_has_more_left_than_it_is_long_whatever_the_date_says() {
        for gate in [5000, 4000, 1, -1_000_000_000] {
            assert_eq!(life(gate, 5100, Some(5000)).unwrap().expires, s(200), "{gate}");
        }
    }

    #[test]
    fn a_token_that_was_made_long_ago_is_due_by_what_is_left_but_as_long_as_a_new_one() {
        assert_eq!(times(life(5000, 5100, Some(4000)).unwrap()), (s(150), s(200), s(1100)));
    }

    #[test]
    fn an_old_an_absurd_and_a_missing_iat_never_put_due_after_the_end() {
        for issued_at in [None, Some(0), Some(-9_000_000_000), Some(4000), Some(5100), Some(9999), Some(i64::MIN)] {
            let life = life(5000, 5100, issued_at).unwrap();
            assert_eq!(life.expires, s(200), "{issued_at:?}");
            assert!(life.due <= s(150), "{issued_at:?}");
        }
    }

    #[test]
    fn a_token_that_ended_while_its_answer_was_on_the_way_has_no_lifetime() {
        assert_eq!(life(5000, 5002, None), None, "its request took two seconds");
        assert!(life(5000, 5003, None).is_some());
    }

    #[test]
    fn the_draw_moves_the_refresh_by_a_twentieth_of_the_life_to_either_side_and_never_past_its_end() {
        let life = life(5000, 5100, Some(5000)).unwrap();
        for (draw, due) in [(0.0, 145), (0.5, 150), (1.0, 155), (-9.0, 145), (9.0, 155)] {
            assert_eq!(life.drawn(draw).due, s(due), "{draw}");
            assert_eq!(life.drawn(0.3).drawn(draw), life.drawn(draw), "a draw anew forgets the last one");
        }
        let fetched = Fetched { started: s(100), ended: at(100), gate_ms: 0 };
        let late = Lifetime::new(fetched, 100, None, 0.9).unwrap();
        assert_eq!((late.drawn(1.0).due, late.expires), (s(195), s(200)));
        assert_eq!(late.never_due().drawn(0.0).due, s(200));
    }

    #[test]
    fn a_jump_of_the_wall_clock_makes_a_token_due_and_past_its_end_expires_it() {
        let life = life(5000, 5100, Some(5000)).unwrap();
        for (jump_ms, state, left) in [
            (0, State::Fresh, 90),
            (5000, State::Fresh, 90),
            (-5000, State::Fresh, 90),
            (6000, State::Due, 84),
            (-6000, State::Due, 90),
            (-3_600_000, State::Due, 90),
            (89_000, State::Due, 1),
            (90_000, State::Expired, 0),
            (3_600_000, State::Expired, 0),
            (i64::MAX, State::Expired, 0),
            (i64::MIN, State::Due, 90),
        ] {
            let now = Now { wall_ms: at(110).wall_ms.saturating_add(jump_ms), ..at(110) };
            assert_eq!((life.state(now), life.left(now)), (state, s(left)), "{jump_ms}");
        }
    }

    #[test]
    fn the_brake_is_a_tenth_of_the_life_from_a_second_to_a_minute() {
        for (life_s, brake) in [(3, 1), (9, 1), (10, 1), (11, 1), (59, 5), (60, 6), (601, 60), (86400, 60)] {
            assert_eq!(life(5000, 5000 + life_s, None).unwrap().brake().as_secs(), brake, "{life_s}");
        }
        assert_eq!(life(5000, 5060, Some(0)).unwrap().brake(), s(6), "by what is left, or a short rest were an outage");
    }

    #[test]
    fn the_cool_down_doubles_to_two_minutes_or_to_half_a_minute_without_a_token() {
        let seconds = |holds_valid| [1, 2, 5, 6, 7, 8, u32::MAX].map(|n| cool_down(n, holds_valid, 1.0).as_secs());
        assert_eq!(seconds(true), [1, 2, 16, 32, 64, 120, 120]);
        assert_eq!(seconds(false), [1, 2, 16, 30, 30, 30, 30]);
        assert_eq!((cool_down(1, true, 0.0), cool_down(8, true, 0.5)), (Duration::from_millis(500), s(90)));
    }

    #[test]
    fn a_refused_password_is_sent_3_times_in_the_first_hour_and_10_in_four_days() {
        let hours = |n| refusal_pause(n, Some(401)).as_secs_f64() / 3600.0;
        assert_eq!([3, 4, 5, 6, 7, 8, u32::MAX].map(hours), [1.0, 2.0, 4.0, 8.0, 16.0, 24.0, 24.0]);
        let sent = |within: u64| {
            let mut time = Duration::ZERO;
            (1..)
                .take_while(|n| {
                    let in_time = time < s(within);
                    time += refusal_pause(*n, Some(401));
                    in_time
                })
                .count()
        };
        assert_eq!((sent(3600), sent(4 * 86400)), (3, 10));
    }

    #[test]
    fn after_a_403_a_password_waits_for_5_minutes_at_most() {
        let pauses = |http| [0, 1, 2, 3, 9, u32::MAX].map(|n| refusal_pause(n, http).as_secs());
        assert_eq!(pauses(Some(403)), [30, 30, 300, 300, 300, 300]);
        assert_eq!(pauses(Some(400)), pauses(Some(401)));
        assert_eq!(pauses(Some(401)), [30, 30, 300, 3600, 86_400, 86_400]);
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
            ("Sun, 06 Nov 1994 08:49:38 GMT", Some(s(1))),
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
