//! Tables of what a caller gets. Each line has the time, what the gate does from then on, and the result of a call. One
//! test runs all tables.

use super::bench::*;
use super::*;

/// What the gate does with each request.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Returns a token that is valid for this many seconds.
    Gives(i64),
    /// Answers with this status and an empty object.
    Says(u16),
    /// Requests a pause with `Retry-After`, in seconds.
    Asks(&'static str),
    /// Cannot be reached.
    IsGone,
}
use Does::*;

/// The result of a call: the n-th token, or a status and the minimum and maximum of `retry_after` in seconds.
#[derive(Clone, Copy, Debug)]
enum Sees {
    Gets(u64),
    Fails(Status, f64, f64),
}
use Sees::*;

/// Seconds since the start, what the gate does from then on, the result of a call, and the number of requests so far.
type Moment = (u64, Does, Sees, u64);

const SCENARIOS: &[(&str, &[Moment])] = &[
    (
        "while a token is valid, callers get it although the gate cannot be reached, and requests become rarer",
        &[
            (0, Gives(1000), Gets(1), 1),
            (740, IsGone, Gets(1), 1),
            (851, IsGone, Gets(1), 2),
            (851, IsGone, Gets(1), 2),
            (852, IsGone, Gets(1), 3),
            (854, IsGone, Gets(1), 4),
            (858, IsGone, Gets(1), 5),
            (858, IsGone, Gets(1), 5),
            (998, IsGone, Gets(1), 6),
            (1000, IsGone, Fails(Status::Unreachable, 2.0, 14.0), 6),
            (1014, IsGone, Fails(Status::Unreachable, 15.0, 30.0), 7),
            (1014, IsGone, Fails(Status::Unreachable, 15.0, 30.0), 7),
            (1044, Gives(1000), Gets(2), 8),
        ],
    ),
    (
        "a wrong password is sent three times in the first hour, and a valid token is returned until it expires",
        &[
            (0, Gives(100), Gets(1), 1),
            (90, Says(401), Gets(1), 2),
            (98, Says(401), Gets(1), 2),
            (100, Says(401), Fails(Status::Denied, 20.0, 20.0), 2),
            (119, Says(401), Fails(Status::Denied, 1.0, 1.0), 2),
            (120, Says(401), Fails(Status::Denied, 300.0, 300.0), 3),
            (419, Says(401), Fails(Status::Denied, 1.0, 1.0), 3),
            (420, Says(400), Fails(Status::Denied, 3600.0, 3600.0), 4),
            (4019, Gives(100), Fails(Status::Denied, 1.0, 1.0), 4),
            (4020, Gives(100), Gets(2), 5),
            (4110, Says(401), Gets(2), 6),
            (4125, Says(401), Fails(Status::Denied, 15.0, 15.0), 6),
        ],
    ),
    (
        "a password that a 403 refuses is sent again every five minutes; after a 401 the number of refusals decides",
        &[
            (0, Says(403), Fails(Status::Denied, 30.0, 30.0), 1),
            (30, Says(403), Fails(Status::Denied, 300.0, 300.0), 2),
            (330, Says(403), Fails(Status::Denied, 300.0, 300.0), 3),
            (629, Says(403), Fails(Status::Denied, 1.0, 1.0), 3),
            (630, Says(401), Fails(Status::Denied, 7200.0, 7200.0), 4),
            (7830, Says(403), Fails(Status::Denied, 300.0, 300.0), 5),
            (8130, Gives(100), Gets(1), 6),
            (8230, Says(403), Fails(Status::Denied, 30.0, 30.0), 7),
        ],
    ),
    (
        "no request is sent during a pause that the gate requests, with a valid token and without one",
        &[
            (0, Asks("7"), Fails(Status::RateLimited, 7.0, 7.0), 1),
            (6, Gives(100), Fails(Status::RateLimited, 1.0, 1.0), 1),
            (7, Gives(100), Gets(1), 2),
            (93, Asks("99999"), Gets(1), 3),
            (106, Gives(100), Gets(1), 3),
            (107, Gives(100), Fails(Status::RateLimited, 3586.0, 3586.0), 3),
            (3692, Gives(100), Fails(Status::RateLimited, 1.0, 1.0), 3),
            (3693, Gives(100), Gets(2), 4),
        ],
    ),
    (
        "a gate that always requests a pause of one second still gets requests less and less often",
        &[
            (0, Asks("1"), Fails(Status::RateLimited, 1.0, 1.0), 1),
            (1, Asks("1"), Fails(Status::RateLimited, 1.0, 2.0), 2),
            (3, Asks("1"), Fails(Status::RateLimited, 2.0, 4.0), 3),
            (7, Asks("1"), Fails(Status::RateLimited, 4.0, 8.0), 4),
            (15, Asks("60"), Fails(Status::RateLimited, 60.0, 60.0), 5),
        ],
    ),
    (
        "tokens valid for one second cause one request per second; an expired token causes a cooldown like any failure",
        &[
            (0, Gives(1), Gets(1), 1),
            (0, Gives(1), Gets(1), 1),
            (1, Gives(1), Gets(2), 2),
            (2, Gives(0), Fails(Status::BadResponse, 0.5, 1.0), 3),
            (2, Gives(0), Fails(Status::BadResponse, 0.5, 1.0), 3),
            (3, Gives(0), Fails(Status::BadResponse, 1.0, 2.0), 4),
            (5, Gives(-100), Fails(Status::BadResponse, 2.0, 4.0), 5),
            (9, Gives(100), Gets(3), 6),
            (83, Gives(100), Gets(3), 6),
            (95, Gives(100), Gets(3), 7),
            (95, Gives(100), Gets(4), 7),
        ],
    ),
];

#[test]
fn a_caller_gets_the_results_in_the_tables() {
    for (name, moments) in SCENARIOS {
        let options = [BOT[0], BOT[1], ("max_attempts", "1"), ("refresh_grant", "false")];
        let bench = bench_with(Inline, &options, Vec::new());
        let mut now = 0;
        for (index, (at, does, sees, requests)) in moments.iter().enumerate() {
            let place = format!("{name}: at {at} s, line {index}");
            bench.pass(at - now);
            now = *at;
            bench.gate_will(match *does {
                Gives(life) => token(life, None),
                Says(code) => status(code, "{}"),
                Asks(seconds) => retry_after(429, seconds),
                IsGone => unreachable(false),
            });
            let result = bench.auth.token(Token::generation);
            assert_eq!(bench.seen().len() as u64, *requests, "{place}: {result:?}");
            match (*sees, result) {
                (Gets(wanted), got) => assert_eq!(got, Ok(wanted), "{place}"),
                (Fails(wanted, least, most), Err(error)) => {
                    let wait = error.retry_after().unwrap_or_default().as_secs_f64();
                    assert_eq!(error.status(), wanted, "{place}");
                    assert!((least..=most).contains(&wait), "{place}: retry_after is {wait} s");
                }
                (Fails(..), got) => panic!("{place}: {got:?}"),
            }
            assert_eq!(bench.auth.info().waiting, 0, "{place}");
        }
    }
}
