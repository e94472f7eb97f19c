//! Which clock decides when a token expires: how a handle uses `Date`, `iat` and its machine's clock.

use serde_json::Value;

use super::bench::*;
use super::*;

const ONCE: [(&str, &str); 3] = [BOT[0], BOT[1], ("max_attempts", "1")];
const YEARS: i64 = 3 * 366 * 86_400;

/// An answer with a token that has these claims, and perhaps with `Date`.
fn dated(date_s: Option<i64>, claims: Value) -> Answer {
    Box::new(move |_| {
        let body = json!({"id_token": jwt(claims)}).to_string();
        Ok(Response { date_ms: date_s.map(|seconds| seconds * 1000), ..response(200, body) })
    })
}

#[test]
fn an_impossible_date_neither_loses_a_token_nor_changes_its_expiry() {
    for date in [None, Some(NOW + YEARS), Some(NOW - YEARS), Some(0)] {
        for (claims, left_s) in [
            (json!({"iat": NOW, "exp": NOW + 100}), 100),
            (json!({"exp": NOW + 100}), 100),
            (json!({"iat": NOW - 3000, "exp": NOW + 100}), 100),
            (json!({"iat": NOW + 2 * YEARS, "exp": NOW + 100}), 100),
            (json!({"iat": NOW + 3600, "exp": NOW + 3700}), 100), // never more than `exp - iat`
        ] {
            let answers = vec![dated(date, claims.clone()), status(500, ""), status(500, "")];
            let bench = bench_with(Inline, &ONCE, answers);
            assert_eq!(bench.token(), Ok(1), "{date:?} {claims}");
            bench.pass(left_s - 1);
            assert_eq!(bench.token(), Ok(1), "{date:?} {claims}");
            bench.pass(1);
            assert_eq!(bench.token(), Err(Status::Gate), "{date:?} {claims}");
        }
    }
}

#[test]
fn an_expired_token_is_not_returned_and_the_message_names_the_clock() {
    let old = json!({"iat": NOW - 3660, "exp": NOW - 60});
    for (date, said) in [
        (Some(NOW), "60 s ago by the gate's own clock"),
        (None, "60 s ago by this machine's clock"),
        (Some(0), "60 s ago by this machine's clock"),
        (Some(NOW + YEARS), "60 s ago by this machine's clock"),
    ] {
        let bench = bench_with(Inline, &ONCE, vec![dated(date, old.clone())]);
        let error = bench.auth.token(|_| ()).unwrap_err();
        assert_eq!((error.status(), error.http_status()), (Status::BadResponse, Some(200)));
        assert!(error.message().contains(said), "{error}");
    }
}

#[test]
fn the_skew_is_from_the_gate_s_time_and_0_if_this_machine_s_clock_is_used() {
    let claims = json!({"iat": NOW - 10, "exp": NOW + 100});
    for (date, wall_s, skew_ms) in [
        (Some(NOW), 0, 500),
        (Some(NOW), -3600, 3_600_500),
        (None, 0, 0),
        (Some(0), 30, 0),
        (None, -3600, 3_590_500), // `iat` is later
    ] {
        let bench = bench_with(Inline, &ONCE, vec![dated(date, claims.clone())]);
        bench.clock.set_wall(wall_s);
        assert_eq!((bench.token(), bench.auth.info().clock_skew_ms), (Ok(1), skew_ms), "{date:?} {wall_s}");
    }
}
