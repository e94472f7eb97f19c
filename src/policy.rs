//! When to refresh, what to retry, and for how long. These functions decide from times and results. They use no clock
//! and no network.
//!
//! All times are on the suspend-aware clock, and are computed from the gate's time. So the time of expiry is right even
//! if the machine's wall clock is wrong or is set afterwards. The gate may have read its clock at the start of the
//! request, so a token's life is counted from there, and is never too long. The wall clock is a second source: if it
//! has jumped since, a token may be older than the suspend-aware clock shows.

use std::time::Duration;

use crate::clock::{Boot, Now};
use crate::error::{Error, Status};

mod gate_time;
#[cfg(test)]
pub(crate) use gate_time::BUILT_AT;
pub use gate_time::{Source, gate_time};

/// The state of a token at a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Valid, and no refresh is due.
    Fresh,
    /// Valid, and a refresh is due.
    Due,
    /// No longer valid.
    Expired,
}

/// When a token becomes due and when it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// From this time on it is due.
    pub due: Boot,
    /// From this time on it is expired.
    pub expires: Boot,
    /// How long a new token of this kind is valid.
    pub length: Duration,
    /// The time at which it would be due without jitter.
    ideal: Boot,
    /// How long it was valid when it arrived.
    life: Duration,
    /// The wall clock minus the suspend-aware clock when it arrived, in milliseconds.
    offset_ms: i64,
}

/// A [`Lifetime`] relative to a moment, as processes share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// How long after the moment it is due, without jitter.
    pub due_in: Duration,
    /// How long after the moment it expires.
    pub left: Duration,
    /// How long a new token of this kind is valid.
    pub length: Duration,
    /// How long it was valid when it arrived.
    pub life: Duration,
}

impl Life {
    /// The same life, relative to a moment that is later by this time. `None`: it has expired.
    pub fn later(self, by: Duration) -> Option<Life> {
        let left = self.left.saturating_sub(by);
        (!left.is_zero()).then(|| Life { due_in: self.due_in.saturating_sub(by), left, ..self })
    }
}

/// The times of the request that returned a token, on this machine's clocks and the gate's.
#[derive(Clone, Copy, Debug)]
pub struct RequestTimes {
    /// When the request began.
    pub started: Boot,
    /// When the answer was complete.
    pub ended: Now,
    /// The latest possible time of the gate, in Unix milliseconds.
    pub gate_ms: i64,
}

/// The largest difference between the clocks that counts as drift or its correction. A larger one is a jump of the wall
/// clock.
const JUMP_MS: i64 = 5000;

/// The maximum jitter of a refresh in either direction, as a part of the token's life. It spreads the refreshes of many
/// programs that started at the same time.
pub const SPREAD: f64 = 0.05;

impl Lifetime {
    /// The life of a token of the gate, without jitter. Returns `None` if it has already expired.
    ///
    /// Its length is `exp - iat`, or the rest of its life if there is no usable `iat`. The rest is at most the length,
    /// even if `Date` is wrong. The due time is computed from the rest if the rest is shorter: a gate may return a
    /// token that it issued long ago, and a token with an `iat` of 1970 must become due before it expires.
    pub fn new(times: RequestTimes, expiry: i64, issued_at: Option<i64>, refresh_at: f64) -> Option<Lifetime> {
        let left = millis(expiry.saturating_mul(1000).saturating_sub(times.gate_ms))?;
        let whole = issued_at.and_then(|issued_at| millis(expiry.saturating_sub(issued_at).saturating_mul(1000)));
        let length = whole.unwrap_or(left);
        let life = left.min(length);
        let expires = times.started.saturating_add(life);
        let ideal = times.started.saturating_add(life.mul_f64(refresh_at)).min(expires);
        let offset_ms = times.ended.offset_ms();
        (expires > times.ended.boot).then_some(Lifetime { due: ideal, expires, length, ideal, life, offset_ms })
    }

    /// The same life, due with this jitter, from 0 to 1. Each token, and each process that holds it, has its own
    /// jitter.
    pub fn with_jitter(self, jitter: f64) -> Lifetime {
        let spread = self.life.mul_f64(SPREAD);
        let due = self.ideal.saturating_sub(spread).saturating_add((spread * 2).mul_f64(jitter.clamp(0.0, 1.0)));
        Lifetime { due: due.min(self.expires), ..self }
    }

    /// The life of a token that another process fetched, without jitter. `now` is the moment of `life`.
    pub fn shared(life: Life, now: Now) -> Lifetime {
        let Life { due_in, left, length, life } = life;
        let (ideal, expires) = (now.boot.saturating_add(due_in), now.boot.saturating_add(left));
        Lifetime { due: ideal, expires, length, ideal, life, offset_ms: now.offset_ms() }
    }

    /// The same life for other processes, relative to `now`.
    pub fn to_share(self, now: Boot) -> Life {
        let (due_in, left) = (self.ideal.saturating_sub(now), self.expires.saturating_sub(now));
        Life { due_in, left, length: self.length, life: self.life }
    }

    /// The same life, never due: for a token that no refresh can replace.
    pub fn never_due(self) -> Lifetime {
        Lifetime { due: self.expires, ideal: self.expires, life: Duration::ZERO, ..self }
    }

    /// The state of the token now.
    pub fn state(&self, now: Now) -> State {
        if self.left(now).is_zero() {
            State::Expired
        } else if now.boot >= self.due || self.jumped_ms(now).unsigned_abs() > JUMP_MS.unsigned_abs() {
            State::Due
        } else {
            State::Fresh
        }
    }

    /// The time for which it is still valid, by the clock that gives the shorter time. If the wall clock has jumped
    /// ahead, the machine may have been suspended while the suspend-aware clock did not run.
    pub fn left(&self, now: Now) -> Duration {
        let jumped_ms = self.jumped_ms(now);
        let uncounted =
            if jumped_ms > JUMP_MS { Duration::from_millis(jumped_ms.unsigned_abs()) } else { Duration::ZERO };
        self.expires.saturating_sub(now.boot).saturating_sub(uncounted)
    }

    /// The minimum interval to the next refresh. It protects a gate that issues short-lived tokens.
    pub fn min_interval(&self) -> Duration {
        (self.life / 10).clamp(Duration::from_secs(1), Duration::from_secs(60))
    }

    fn jumped_ms(&self, now: Now) -> i64 {
        now.offset_ms().saturating_sub(self.offset_ms)
    }
}

fn millis(ms: i64) -> Option<Duration> {
    u64::try_from(ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}

/// The time limit of one request if the time `left` remains for its refresh. It is half of `left`, so that another
/// request is possible, but at least 5 s. The last request may use all of `left`.
pub fn attempt_limit(left: Duration, last: bool) -> Duration {
    if last { left } else { (left / 2).max(Duration::from_secs(5)).min(left) }
}

/// The time before its limit at which a refresh stops, so that its waiters get the reason.
pub fn margin(timeout: Duration) -> Duration {
    (timeout / 4).min(Duration::from_secs(1))
}

/// Whether a retry within the same refresh may succeed.
pub fn is_transient(error: &Error) -> bool {
    match error.status() {
        _ if error.retry_after().is_some() => false, // the gate gave a time
        Status::Timeout | Status::Gate => true,
        // An answer of a proxy is final: a wrong password must not be sent to it again.
        Status::Unreachable => matches!(error.http_status(), None | Some(408 | 425 | 500..=599)),
        // A 200 without a token may be a proxy's page. Any other status is an answer of the gate.
        Status::BadResponse => matches!(error.http_status(), None | Some(200..=299)),
        _ => false,
    }
}

/// The pause after the n-th failed attempt of a refresh, counted from 1: full jitter under an exponential bound that
/// starts at 500 ms. `jitter` is from 0 to 1.
pub fn back_off(attempt: u32, jitter: f64) -> Duration {
    doubled(Duration::from_millis(500), attempt).mul_f64(jitter.clamp(0.0, 1.0))
}

/// The cooldown after the n-th failed refresh in a row, counted from 1: 1 s, doubled each time up to 120 s, or up to
/// 30 s while the handle holds no valid token. A jitter from 0 to 1 selects from half of this to all of it.
pub fn cool_down(failures: u32, holds_valid: bool, jitter: f64) -> Duration {
    let most = Duration::from_secs(if holds_valid { 120 } else { 30 });
    doubled(Duration::from_secs(1), failures).min(most).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

/// The pause before a password is sent again after its n-th refusal, counted from 1: 30 s, 5 min, then 1 h, doubled
/// each time up to 24 h. After a 403 it is at most 5 min, because API gateways also answer 403 for other reasons. The
/// refusals of all statuses count. The status of the last one decides.
pub fn refusal_pause(refusals: u32, http_status: Option<u16>) -> Duration {
    let most = Duration::from_secs(if http_status == Some(403) { 300 } else { 24 * 3600 });
    let pause = match refusals {
        0 | 1 => Duration::from_secs(30),
        2 => Duration::from_secs(300),
        more => doubled(Duration::from_secs(3600), more - 2),
    };
    pause.min(most)
}

/// `first`, doubled `nth - 1` times.
fn doubled(first: Duration, nth: u32) -> Duration {
    first.saturating_mul(1 << nth.saturating_sub(1).min(20))
}

/// The maximum for a gate's `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// The minimum, because a date may be wrong by a few milliseconds.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

/// A `Retry-After` header (RFC 9110, 10.2.3): seconds, or a date on the gate's clock.
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
        let times = RequestTimes { started: s(100), ended: at(102), gate_ms: gate * 1000 };
        Lifetime::new(times, expiry, issued_at, 0.5)
    }

    #[test]
    fn due_and_expiry_are_counted_from_the_start_of_the_request() {
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
    fn a_token_is_never_valid_for_longer_than_its_length_even_if_the_date_is_wrong() {
        for gate in [5000, 4000, 1, -1_000_000_000] {
            assert_eq!(life(gate, 5100, Some(5000)).unwrap().expires, s(200), "{gate}");
        }
    }

    #[test]
    fn an_old_token_is_due_by_its_remaining_life_and_has_the_length_of_a_new_one() {
        assert_eq!(times(life(5000, 5100, Some(4000)).unwrap()), (s(150), s(200), s(1100)));
    }

    #[test]
    fn a_wrong_iat_never_makes_a_token_due_after_its_expiry() {
        for issued_at in [None, Some(0), Some(-9_000_000_000), Some(4000), Some(5100), Some(9999), Some(i64::MIN)] {
            let life = life(5000, 5100, issued_at).unwrap();
            assert_eq!(life.expires, s(200), "{issued_at:?}");
            assert!(life.due <= s(150), "{issued_at:?}");
        }
    }

    #[test]
    fn a_token_that_expired_during_its_request_has_no_lifetime() {
        assert_eq!(life(5000, 5002, None), None, "the request took two seconds");
        assert!(life(5000, 5003, None).is_some());
    }

    #[test]
    fn the_jitter_is_at_most_a_twentieth_of_the_life_in_either_direction_and_never_past_the_expiry() {
        let life = life(5000, 5100, Some(5000)).unwrap();
        for (jitter, due) in [(0.0, 145), (0.5, 150), (1.0, 155), (-9.0, 145), (9.0, 155)] {
            assert_eq!(life.with_jitter(jitter).due, s(due), "{jitter}");
            assert_eq!(
                life.with_jitter(0.3).with_jitter(jitter),
                life.with_jitter(jitter),
                "a new jitter replaces the last one"
            );
        }
        let times = RequestTimes { started: s(100), ended: at(100), gate_ms: 0 };
        let late = Lifetime::new(times, 100, None, 0.9).unwrap();
        assert_eq!((late.with_jitter(1.0).due, late.expires), (s(195), s(200)));
        assert_eq!(late.never_due().with_jitter(0.0).due, s(200));
    }

    #[test]
    fn a_jump_of_the_wall_clock_makes_a_token_due_and_a_jump_past_its_expiry_makes_it_expired() {
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
    fn the_minimum_interval_is_a_tenth_of_the_life_but_at_least_a_second_and_at_most_a_minute() {
        for (life_s, interval) in [(3, 1), (9, 1), (10, 1), (11, 1), (59, 5), (60, 6), (601, 60), (86400, 60)] {
            assert_eq!(life(5000, 5000 + life_s, None).unwrap().min_interval().as_secs(), interval, "{life_s}");
        }
        assert_eq!(
            life(5000, 5060, Some(0)).unwrap().min_interval(),
            s(6),
            "computed from the remaining life: otherwise a token with a short remaining life would cause an outage"
        );
    }

    #[test]
    fn the_cooldown_doubles_up_to_two_minutes_or_up_to_half_a_minute_without_a_token() {
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
    fn after_a_403_the_pause_is_at_most_5_minutes() {
        let pauses = |http| [0, 1, 2, 3, 9, u32::MAX].map(|n| refusal_pause(n, http).as_secs());
        assert_eq!(pauses(Some(403)), [30, 30, 300, 300, 300, 300]);
        assert_eq!(pauses(Some(400)), pauses(Some(401)));
        assert_eq!(pauses(Some(401)), [30, 30, 300, 3600, 86_400, 86_400]);
    }

    #[test]
    fn an_expired_token_has_no_lifetime() {
        for expiry in [5000, 4999, 1, 0, -1, i64::MIN] {
            assert_eq!(life(5000, expiry, None), None, "{expiry}");
        }
        assert!(life(-50 * 366 * 86400, 253_402_300_799, Some(1)).is_some());
    }

    #[test]
    fn a_request_may_take_half_of_the_remaining_time_but_at_least_5_seconds_and_the_last_one_all() {
        for (left, limit) in [(30, 15), (12, 6), (8, 5), (3, 3), (0, 0)] {
            assert_eq!((attempt_limit(s(left), false), attempt_limit(s(left), true)), (s(limit), s(left)));
        }
    }

    #[test]
    fn the_pause_after_a_failed_attempt_has_a_bound_that_doubles_and_full_jitter() {
        assert_eq!([1, 2, 3].map(|n| back_off(n, 1.0)), [500, 1000, 2000].map(Duration::from_millis));
        assert_eq!((back_off(1, 0.0), back_off(1, 0.5)), (s(0), Duration::from_millis(250)));
        assert!(back_off(u32::MAX, 1.0) > s(3600));
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_limited() {
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
    fn a_final_answer_is_not_retried() {
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
