//! The gate's time at the moment of its answer. Each source of this time may be wrong.
//!
//! A proxy may replace the header `Date`, a machine's clock may be wrong, and a gate may return a token that it issued
//! long ago. `Date` is used if it fits the token. Otherwise the gate's time is the later of the token's `iat` and this
//! machine's clock: the token existed by then, and an old token must not seem new.

/// This library's build date, in Unix seconds. Each answer of a gate is later.
pub const BUILT_AT: i64 = match i64::from_str_radix(env!("DL_AUTH_BUILT_AT"), 10) {
    Ok(seconds) => seconds,
    Err(_) => 0, // build.rs writes a number
};

/// `Date` may be outside of the token's life by this much, because the clocks of one service differ.
const GRACE_MS: i64 = 5 * 60 * 1000;

/// The source of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The gate's clock, from the header `Date`.
    Date,
    /// The gate's clock, from the claim `iat`.
    IssuedAt,
    /// This machine's clock.
    Machine,
}

/// The gate's time, in Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateTime {
    /// Its source.
    pub source: Source,
    /// The best estimate.
    pub likely_ms: i64,
    /// The latest possible time, if the source is right.
    pub latest_ms: i64,
}

/// The gate's time, from the header `Date`, the token's `iat` and `exp`, and this machine's clock.
///
/// An `iat` that is not before `exp` does not say when the token's life began, so `Date` is not compared with it. An
/// `iat` that is more than the grace after `exp` is ignored.
pub fn gate_time(date_ms: Option<i64>, issued_at: Option<i64>, expiry: i64, wall_ms: i64) -> GateTime {
    let latest = millis(expiry).saturating_add(GRACE_MS);
    let issued_ms = issued_at.map(millis).filter(|issued_ms| *issued_ms <= latest);
    let begun_ms = issued_ms.filter(|issued_ms| *issued_ms < millis(expiry)).unwrap_or(millis(BUILT_AT));
    let earliest = begun_ms.saturating_sub(GRACE_MS);
    if let Some(date_ms) = date_ms.filter(|date_ms| (earliest..=latest).contains(date_ms)) {
        return told(Source::Date, date_ms);
    }
    match issued_ms.map(|issued_ms| told(Source::IssuedAt, issued_ms)) {
        Some(by_issue) if issued_ms > Some(wall_ms) => by_issue,
        by_issue => {
            let latest_ms = by_issue.map_or(wall_ms, |by_issue| by_issue.latest_ms.max(wall_ms));
            GateTime { source: Source::Machine, likely_ms: wall_ms, latest_ms }
        }
    }
}

/// A time that the gate wrote. It is truncated to whole seconds: on average, the real time was half a second later, and
/// it may have been almost one second later.
fn told(source: Source, ms: i64) -> GateTime {
    GateTime { source, likely_ms: ms.saturating_add(500), latest_ms: ms.saturating_add(999) }
}

fn millis(seconds: i64) -> i64 {
    seconds.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::Source::*;
    use super::*;

    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 366 * DAY;

    /// The true time in the table.
    const NOW: i64 = BUILT_AT + 30 * DAY;
    /// A token that was made an hour ago and lives for a day.
    const ISSUED: Option<i64> = Some(NOW - HOUR);
    const ENDS: i64 = NOW + 23 * HOUR;

    #[test]
    fn the_gate_s_time_is_date_if_it_fits_the_token_and_otherwise_the_later_of_iat_and_the_wall_clock() {
        let (right, behind, ahead) = (NOW, NOW - 50 * YEAR, NOW + 50 * YEAR);
        let iat = NOW - HOUR;
        // `Date`, `iat`, `exp`, the wall clock; and the result.
        for (line, (date, issued_at, expiry, wall, source, wanted)) in [
            // `Date` fits: nothing else matters.
            (Some(NOW), ISSUED, ENDS, right, Date, NOW),
            (Some(NOW), ISSUED, ENDS, behind, Date, NOW),
            (Some(NOW), ISSUED, ENDS, ahead, Date, NOW),
            (Some(NOW), None, ENDS, right, Date, NOW),
            (Some(NOW), None, ENDS, behind, Date, NOW),
            (Some(NOW), None, ENDS, ahead, Date, NOW),
            // The limits for `Date`, with an `iat` and without.
            (Some(iat - 5 * MINUTE), ISSUED, ENDS, right, Date, iat - 5 * MINUTE),
            (Some(iat - 5 * MINUTE - 1), ISSUED, ENDS, right, Machine, NOW),
            (Some(ENDS + 5 * MINUTE), ISSUED, ENDS, right, Date, ENDS + 5 * MINUTE),
            (Some(ENDS + 5 * MINUTE + 1), ISSUED, ENDS, right, Machine, NOW),
            (Some(BUILT_AT - 5 * MINUTE), None, ENDS, right, Date, BUILT_AT - 5 * MINUTE),
            (Some(BUILT_AT - 5 * MINUTE - 1), None, ENDS, right, Machine, NOW),
            (Some(ENDS + 5 * MINUTE), None, ENDS, right, Date, ENDS + 5 * MINUTE),
            (Some(ENDS + 5 * MINUTE + 1), None, ENDS, right, Machine, NOW),
            // `Date` does not fit: it is from a proxy, or from a device without a clock.
            (Some(NOW + 3 * YEAR), ISSUED, ENDS, right, Machine, NOW),
            (Some(NOW + 3 * YEAR), ISSUED, ENDS, behind, IssuedAt, iat),
            (Some(NOW + 3 * YEAR), ISSUED, ENDS, ahead, Machine, ahead),
            (Some(NOW + 3 * YEAR), None, ENDS, right, Machine, NOW),
            (Some(NOW - 3 * YEAR), ISSUED, ENDS, right, Machine, NOW),
            (Some(0), ISSUED, ENDS, right, Machine, NOW),
            (Some(0), ISSUED, ENDS, behind, IssuedAt, iat),
            (Some(0), None, ENDS, right, Machine, NOW),
            (Some(0), None, ENDS, behind, Machine, behind),
            (Some(i64::MIN / 1000), ISSUED, ENDS, right, Machine, NOW),
            (Some(i64::MAX / 1000), None, ENDS, right, Machine, NOW),
            // There is no `Date`.
            (None, ISSUED, ENDS, right, Machine, NOW),
            (None, ISSUED, ENDS, behind, IssuedAt, iat),
            (None, ISSUED, ENDS, ahead, Machine, ahead),
            (None, None, ENDS, right, Machine, NOW),
            (None, None, ENDS, behind, Machine, behind),
            (None, None, ENDS, ahead, Machine, ahead),
            // An expired token.
            (Some(NOW), Some(NOW - 61 * MINUTE), NOW - MINUTE, right, Date, NOW),
            (None, Some(NOW - 61 * MINUTE), NOW - MINUTE, right, Machine, NOW),
            (Some(0), Some(NOW - 61 * MINUTE), NOW - MINUTE, right, Machine, NOW),
            (Some(NOW), Some(NOW - 2 * DAY), NOW - DAY, right, Machine, NOW),
            // The gate's clock is wrong, but its answer is consistent.
            (Some(NOW - 40 * YEAR), Some(NOW - 40 * YEAR), NOW - 40 * YEAR + HOUR, right, Date, NOW - 40 * YEAR),
            (Some(NOW + 40 * YEAR), Some(NOW + 40 * YEAR), NOW + 40 * YEAR + HOUR, right, Date, NOW + 40 * YEAR),
            // An `iat` that is not before `exp`: `Date` is used without it, and it is used if there is no other source.
            (Some(NOW), Some(ENDS), ENDS, right, Date, NOW),
            (Some(NOW), Some(ENDS), ENDS, behind, Date, NOW),
            (Some(0), Some(ENDS), ENDS, right, IssuedAt, ENDS),
            (None, Some(NOW), NOW, right, Machine, NOW),
            (None, Some(NOW), NOW - 5, behind, IssuedAt, NOW),
            (None, Some(ENDS + 5 * MINUTE), ENDS, right, IssuedAt, ENDS + 5 * MINUTE),
            // An `iat` that is much too late is ignored.
            (None, Some(ENDS + 5 * MINUTE + 1), ENDS, right, Machine, NOW),
            (Some(NOW), Some(NOW + 50 * YEAR), ENDS, right, Date, NOW),
            (Some(0), Some(NOW + 50 * YEAR), ENDS, right, Machine, NOW),
            (None, Some(NOW + 50 * YEAR), ENDS, right, Machine, NOW),
            (Some(NOW + 50 * YEAR), Some(NOW + 50 * YEAR), ENDS, right, Machine, NOW),
            (None, Some(i64::MAX), ENDS, right, Machine, NOW),
            // An `iat` before `exp` is used, however late. An `iat` of 1970 has no effect.
            (Some(NOW), Some(NOW + 5 * MINUTE), ENDS, right, Date, NOW),
            (Some(NOW), Some(NOW + 6 * MINUTE), ENDS, right, IssuedAt, NOW + 6 * MINUTE),
            (Some(NOW), Some(NOW + 3 * YEAR), NOW + 3 * YEAR + DAY, right, IssuedAt, NOW + 3 * YEAR),
            (Some(NOW), Some(1), ENDS, behind, Date, NOW),
            (None, Some(1), ENDS, right, Machine, NOW),
            (None, Some(i64::MIN), ENDS, right, Machine, NOW),
        ]
        .into_iter()
        .enumerate()
        {
            let time = gate_time(date.map(millis), issued_at, expiry, millis(wall));
            let cut = if source == Machine { 0 } else { 500 };
            assert_eq!((time.source, time.likely_ms), (source, millis(wanted) + cut), "line {line}");
            assert!((time.likely_ms..=time.likely_ms + 999).contains(&time.latest_ms), "line {line}");
        }
    }

    #[test]
    fn a_time_of_the_gate_may_be_almost_a_second_old_and_the_wall_clock_is_exact() {
        let at = |date: Option<i64>, wall_ms| gate_time(date.map(millis), Some(NOW), ENDS, wall_ms).latest_ms;
        let now_ms = millis(NOW);
        assert_eq!(at(Some(NOW), 0), now_ms + 999);
        for (wall_ms, latest_ms) in [
            (now_ms - 1, now_ms + 999),
            (now_ms, now_ms + 999),
            (now_ms + 998, now_ms + 999),
            (now_ms + 1000, now_ms + 1000),
            (now_ms + 5000, now_ms + 5000),
        ] {
            assert_eq!(at(None, wall_ms), latest_ms, "{}", wall_ms - now_ms);
        }
    }

    #[test]
    fn the_build_date_is_between_2025_and_2100() {
        assert!((1_735_689_600..4_102_444_800).contains(&BUILT_AT), "{BUILT_AT}");
    }
}
