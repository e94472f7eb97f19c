//! Tests of the handle with a fake clock, a scripted gate, and refreshes that run when the test starts them.

use serde_json::json;

use super::*;
use crate::clock::fake::Fake;
use crate::gate::Response;
use crate::scheduler::Job;
use crate::sync::Mutex;

mod bench;
mod dates;
mod leases;
mod pauses;
mod scenarios;
mod secrets;
mod shared;
mod simulation;
use bench::*;

#[test]
fn a_fresh_token_is_lent_without_a_request() {
    let bench = bench(vec![token(1000, None)]);
    for _ in 0..100 {
        assert_eq!(bench.token(), Ok(1));
        bench.pass(7);
    }
    assert_eq!(bench.seen(), ["bot pass"]);
}

#[test]
fn a_token_is_lent_while_another_thread_holds_the_locks() {
    let bench = bench(vec![token(1000, None), token(1000, None)]);
    bench.token().unwrap();
    let inner = bench.auth.inner();
    for (passed, state) in [(0, State::Fresh), (850, State::Due)] {
        bench.pass(passed);
        assert_eq!(bench.auth.info().state, Some(state));
        let held = lock(&inner.state);
        let (told, tells) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| told.send(bench.token()));
            // The limit only detects a hang: a reader that needs the lock would never return.
            assert_eq!(tells.recv_timeout(dl_auth_gate::patience(600)), Ok(Ok(1)));
            drop(held);
        });
    }
    assert_eq!(bench.seen().len(), 1, "a call that cannot get the lock starts no refresh; the next call does");
}

#[test]
fn a_due_token_is_lent_and_refreshed_in_the_background() {
    let runner = Deferred::default();
    let bench = bench_with(runner.clone(), &BOT, vec![token(1000, None), token(1000, None)]);
    assert_eq!(bench.within(0, 0), Err(Status::Pending));
    assert_eq!(runner.run_all(), 1);
    bench.pass(749);
    assert_eq!((bench.token(), bench.auth.generation(), runner.run_all()), (Ok(1), 1, 0));
    bench.pass(101);
    for _ in 0..100 {
        assert_eq!((bench.token(), bench.auth.generation()), (Ok(1), 0));
    }
    assert_eq!(runner.run_all(), 1, "one refresh for all calls that found it due");
    assert_eq!((bench.token(), bench.auth.generation()), (Ok(2), 2));
}

#[test]
fn a_valid_token_survives_a_failed_refresh() {
    let failures =
        || vec![status(404, ""), unreachable(false), status(500, ""), status(200, "<html>"), status(401, "{}")];
    let once = [BOT[0], BOT[1], ("max_attempts", "1")];
    let bench = bench_with(Inline, &once, std::iter::once(token(1000, None)).chain(failures()).collect());
    bench.token().unwrap();
    bench.pass(850);
    for _ in failures() {
        assert_eq!(bench.token(), Ok(1));
        bench.pass(16);
    }
    assert_eq!(bench.auth.info().failures, failures().len() as u64);
}

#[test]
fn an_expired_token_is_never_lent() {
    let once = [BOT[0], BOT[1], ("max_attempts", "1")];
    let bench = bench_with(Inline, &once, vec![token(100, None), status(500, ""), status(500, ""), token(100, None)]);
    bench.token().unwrap();
    bench.pass(99);
    assert_eq!(bench.token(), Ok(1));
    bench.pass(1);
    assert_eq!(bench.token(), Err(Status::Gate));
    bench.pass(2);
    assert_eq!(bench.token(), Ok(2));
}

#[test]
fn the_refresh_token_is_used_first_a_new_one_is_adopted_and_an_old_one_kept() {
    let script = vec![token(100, Some("r1")), token(100, Some("r2")), token(100, None), token(100, None)];
    let bench = bench(script);
    for generation in 1..=4 {
        assert_eq!(bench.token(), Ok(generation));
        bench.pass(100);
    }
    assert_eq!(bench.seen(), ["bot pass", "r1", "r2", "r2"]);
    let info = bench.auth.info();
    assert_eq!((info.logins, info.refreshes, info.failures), (1, 3, 0));
}

#[test]
fn a_refused_refresh_token_falls_back_to_the_password_within_the_refresh() {
    for refusal in [status(401, ""), status(400, r#"{"error":"invalid_grant"}"#), status(403, "{}")] {
        let bench = bench(vec![token(100, Some("r1")), refusal, token(100, Some("r2")), token(100, None)]);
        bench.token().unwrap();
        bench.pass(100);
        assert_eq!(bench.token(), Ok(2));
        bench.pass(100);
        assert_eq!(bench.token(), Ok(3));
        assert_eq!(bench.seen(), ["bot pass", "r1", "bot pass", "r2"]);
    }
}

#[test]
fn a_refresh_token_that_may_be_used_up_is_never_sent_twice() {
    for outcome in [unreachable(true), status(500, ""), status(200, "<html>"), status(404, ""), retry_after(429, "1")] {
        let bench = bench_with(
            Inline,
            &[BOT[0], BOT[1], ("max_attempts", "1")],
            vec![token(100, Some("r1")), outcome, token(100, None)],
        );
        bench.token().unwrap();
        bench.pass(100);
        bench.token().unwrap_err();
        bench.pass(1);
        assert_eq!(bench.token(), Ok(2));
        assert_eq!(bench.seen(), ["bot pass", "r1", "bot pass"]);
    }
}

#[test]
fn a_refresh_token_that_was_not_sent_is_used_again() {
    let bench = bench(vec![token(100, Some("r1")), unreachable(false), token(100, None)]);
    bench.token().unwrap();
    bench.pass(100);
    assert_eq!(bench.token(), Ok(2));
    assert_eq!(bench.seen(), ["bot pass", "r1", "r1"]);
}

#[test]
fn without_the_refresh_grant_the_password_is_used_each_time() {
    let options = [BOT[0], BOT[1], ("refresh_grant", "false")];
    let bench = bench_with(Inline, &options, vec![token(100, Some("r1")), token(100, Some("r2"))]);
    bench.token().unwrap();
    bench.pass(100);
    bench.token().unwrap();
    assert_eq!(bench.seen(), ["bot pass", "bot pass"]);
}

#[test]
fn a_transient_failure_is_retried_and_a_final_answer_is_not() {
    let transient =
        || [unreachable(true), status(503, ""), status(200, "<html>"), status(403, "<html>"), token(0, None)];
    for (index, failure) in transient().into_iter().enumerate() {
        let again = transient().into_iter().nth(index).unwrap();
        let bench = bench(vec![failure, again, token(100, None)]);
        assert_eq!(bench.token(), Ok(1), "failure {index}");
    }
    for settled in [status(401, ""), status(400, "{}"), status(404, ""), status(307, ""), retry_after(503, "9")] {
        let bench = bench(vec![settled]);
        bench.token().unwrap_err();
        assert_eq!(bench.seen().len(), 1);
    }
    let bench = bench(vec![status(500, ""), status(502, ""), status(504, r#"{"message":"the last"}"#)]);
    let error = bench.auth.token(|_| ()).unwrap_err();
    assert_eq!((error.status(), error.http_status()), (Status::Gate, Some(504)));
    assert!(error.message().contains("the last"), "{error}");
}

#[test]
fn a_refresh_ends_within_its_limit_despite_its_retries() {
    fastrand::seed(1); // `Inline` runs on this thread, so its first jitter is the same each time, and not close to 0
    let options = [BOT[0], BOT[1], ("timeout", "1ms"), ("max_attempts", "10")];
    let bench = bench_with(Inline, &options, vec![status(500, ""), token(100, None)]);
    assert_eq!(bench.token(), Err(Status::Gate), "a pause of more than a millisecond does not fit");
    assert_eq!(bench.seen().len(), 1);
}

#[test]
fn during_retry_after_each_call_fails_without_a_request_and_without_a_wait() {
    let bench = bench(vec![retry_after(429, "30"), token(100, None)]);
    assert_eq!(bench.token(), Err(Status::RateLimited));
    bench.pass(10);
    for _ in 0..1000 {
        let error = bench.auth.token(|_| ()).unwrap_err();
        assert_eq!((error.status(), error.retry_after()), (Status::RateLimited, Some(Duration::from_secs(20))));
    }
    let info = bench.auth.info();
    assert_eq!((info.activity, info.retry_in), (Activity::Cooling, Duration::from_secs(20)));
    assert_eq!(bench.seen().len(), 1);
    bench.pass(20);
    assert_eq!(bench.token(), Ok(1));
}

#[test]
fn a_call_for_a_longer_validity_than_that_of_a_new_token_returns_too_short_immediately() {
    let bench = bench(vec![token(100, None), token(100, None)]);
    assert_eq!(
        bench.within(101, 9),
        Err(Status::TooShort),
        "after the first token, the handle knows how long a token is valid"
    );
    for _ in 0..10 {
        assert_eq!(bench.within(101, 9), Err(Status::TooShort));
    }
    assert_eq!(bench.seen().len(), 1);
    bench.pass(50);
    assert_eq!(bench.within(49, 9), Ok(1));
    assert_eq!(bench.within(50, 9), Ok(2), "a new token is valid for long enough");
}

#[test]
fn a_waiter_of_a_cancelled_refresh_gets_the_new_login_s_token() {
    let runner = Deferred::default();
    let bench = bench_with(runner.clone(), &BOT, vec![token(100, None), token(100, None)]);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| bench.within(0, 3600));
        while bench.auth.info().waiting < 1 {
            std::thread::yield_now();
        }
        bench.auth.set_credentials(Some("other"), "word").unwrap();
        while lock(&runner.0).len() < 2 {
            std::thread::yield_now();
        }
        let new = lock(&runner.0).pop().unwrap();
        new();
        assert_eq!(waiter.join().unwrap(), Ok(1));
    });
    assert_eq!(bench.seen(), ["other word"]);
    runner.run_all(); // runs the cancelled refresh, which has no effect
    assert_eq!((bench.token(), bench.auth.info().logins), (Ok(1), 1));
}

#[test]
fn new_credentials_drop_the_refresh_token_and_a_new_username_drops_the_token_too() {
    let bench = bench(vec![token(100, Some("r1")), token(100, Some("r2")), token(100, None)]);
    bench.token().unwrap();
    bench.auth.set_credentials(None, "new").unwrap();
    assert_eq!(bench.token(), Ok(1));
    bench.pass(100);
    assert_eq!(bench.token(), Ok(2));
    bench.auth.set_credentials(Some("other"), "word").unwrap();
    assert_eq!(bench.auth.info().state, None);
    assert_eq!(bench.token(), Ok(3));
    assert_eq!(bench.seen(), ["bot pass", "bot new", "other word"]);
    for (username, password) in [(Some(""), "x"), (None, ""), (Some("x"), "")] {
        let error = bench.auth.set_credentials(username, password).unwrap_err();
        assert_eq!(error.status(), Status::InvalidValue);
    }
}

#[test]
fn a_waiter_whose_token_is_rejected_before_it_wakes_waits_for_the_next() {
    /// Runs the refresh immediately, and rejects the first token before the caller sees it.
    #[derive(Clone, Default)]
    struct Rejecting(Arc<Mutex<Option<Upon>>>);
    type Upon = (Arc<Cache>, Arc<Fake>);
    impl Runner for Rejecting {
        fn run(&self, job: Job) -> Result<(), Job> {
            job();
            if let Some((cache, clock)) = lock(&self.0).take() {
                cache.lend().as_ref().unwrap().reject(Duration::ZERO);
                clock.sleep(Duration::from_secs(10)); // the minimum interval ends
            }
            Ok(())
        }
    }
    let runner = Rejecting::default();
    let bench = bench_with(runner.clone(), &BOT, vec![token(100, None), token(100, None)]);
    *lock(&runner.0) = Some((bench.auth.cache.clone(), bench.clock.clone()));
    assert_eq!(bench.token(), Ok(2));
}

#[test]
fn a_waiter_whose_token_expires_before_it_wakes_waits_for_the_next() {
    /// Runs the refresh immediately, and lets a second pass before the caller sees the token.
    struct Slow(Arc<Fake>);
    impl Runner for Slow {
        fn run(&self, job: Job) -> Result<(), Job> {
            job();
            self.0.sleep(Duration::from_secs(1));
            Ok(())
        }
    }
    let clock = Fake::at(NOW);
    let bench = bench_at(clock.clone(), Slow(clock), &BOT, vec![token(1, None), token(100, None)]);
    assert_eq!((bench.token(), bench.seen().len()), (Ok(2), 2));
}

#[test]
fn a_reader_that_found_the_token_due_before_it_was_replaced_starts_no_refresh() {
    let bench = bench(vec![token(100, None), token(100, None)]);
    bench.token().unwrap();
    bench.auth.inner().begin_in_background();
    assert_eq!(bench.seen().len(), 1);
    bench.pass(85);
    bench.auth.inner().begin_in_background();
    bench.auth.inner().begin_in_background();
    assert_eq!(bench.seen().len(), 2);
}

#[test]
fn only_the_current_token_can_be_rejected() {
    let bench = bench(vec![token(100, None), token(200, None)]);
    let first = bench.auth.token(|token| token.jwt().text().to_owned()).unwrap();
    bench.auth.invalidate("another");
    bench.pass(10); // the minimum interval ends
    assert_eq!(bench.token(), Ok(1));
    bench.auth.invalidate(&first);
    assert_eq!((bench.auth.info().state, bench.auth.generation()), (Some(State::Expired), 0));
    assert_eq!(bench.token(), Ok(2));
    bench.auth.invalidate(&first);
    assert_eq!((bench.token(), bench.seen().len()), (Ok(2), 2));
}

#[test]
fn a_configured_token_is_returned_until_it_expires_and_never_refreshed() {
    let api_key = jwt(json!({"exp": NOW + 1000}));
    let bench = bench_with(Inline, &[("token", &api_key)], vec![token(100, None)]);
    bench.pass(999);
    assert_eq!((bench.token(), bench.auth.generation()), (Ok(1), 1));
    assert_eq!(bench.within(2, 9), Err(Status::TooShort));
    bench.pass(1);
    assert_eq!(bench.token(), Err(Status::NoCredentials));
    assert_eq!(bench.auth.set_credentials(None, "x").unwrap_err().status(), Status::NoCredentials);
    bench.auth.set_credentials(Some("bot"), "pass").unwrap();
    assert_eq!(bench.token(), Ok(2));
}

#[test]
fn a_token_expires_by_the_gate_s_clock_even_if_this_machine_s_clock_is_wrong() {
    for skew in [0, 3600, -3600, 1_700_000_000, -1_700_000_000] {
        let answer: Answer = Box::new(move |now| {
            let gate = now + skew;
            let id_token = jwt(json!({"iat": gate, "exp": gate + 100}));
            let body = json!({"id_token": id_token}).to_string();
            Ok(Response { date_ms: Some(gate * 1000), ..response(200, body) })
        });
        let bench = bench_with(Inline, &[BOT[0], BOT[1], ("max_attempts", "1")], vec![answer, status(500, "")]);
        assert_eq!(bench.token(), Ok(1), "skew {skew}");
        let info = bench.auth.info();
        assert_eq!((info.clock_skew_ms, info.expires_in_ms), (skew * 1000 + 500, 99_001));
        assert!((74_250..=84_151).contains(&info.refresh_in_ms), "{}", info.refresh_in_ms);
        bench.pass(99);
        assert_eq!(bench.auth.info().state, Some(State::Due));
        bench.pass(1);
        assert_eq!(bench.token(), Err(Status::Gate));
    }
}

#[test]
fn a_panic_inside_a_refresh_fails_only_that_refresh() {
    let bug: Answer = Box::new(|_| panic!("a bug"));
    let bench = bench(vec![bug, token(100, None)]);
    assert_eq!(bench.token(), Err(Status::Internal));
    bench.pass(1);
    assert_eq!(bench.token(), Ok(1));
}

#[test]
fn a_closed_handle_starts_no_refresh() {
    let bench = bench(vec![]);
    bench.auth.close();
    assert_eq!(bench.token(), Err(Status::Closed));
    assert_eq!(bench.seen().len(), 0);
}

#[test]
fn waiters_return_when_a_refresh_hangs_past_its_limit_and_no_second_one_starts() {
    let runner = Deferred::default();
    let bench = bench_with(runner.clone(), &BOT, vec![token(100, None)]);
    assert_eq!(bench.within(0, 0), Err(Status::Pending));
    bench.pass(31); // `timeout` is 30 s
    assert_eq!(bench.within(0, 3600), Err(Status::Timeout));
    assert_eq!((runner.run_all(), bench.seen().len()), (1, 0), "it is too late to send the password");
    bench.pass(1);
    assert_eq!((bench.within(0, 0), runner.run_all()), (Err(Status::Pending), 1));
    assert_eq!(bench.token(), Ok(1));
}

#[test]
fn if_no_thread_can_be_created_the_caller_refreshes_unless_it_may_not_block() {
    struct NoThreads;
    impl Runner for NoThreads {
        fn run(&self, job: Job) -> Result<(), Job> {
            Err(job)
        }
    }
    let bench = bench_with(NoThreads, &BOT, vec![token(100, None), token(100, None)]);
    for _ in 0..3 {
        assert_eq!(bench.within(0, 0), Err(Status::Pending));
    }
    assert_eq!(bench.seen().len(), 0);
    assert_eq!(bench.within(0, 1), Ok(1));
    bench.pass(99);
    assert_eq!(bench.token(), Ok(1), "a valid token is lent immediately, and the call does not block");
    assert_eq!((bench.seen().len(), bench.auth.info().activity), (1, Activity::Idle));
    bench.pass(1);
    assert_eq!(bench.token(), Ok(2));
}

#[test]
fn many_threads_that_find_no_token_make_one_login() {
    let bench = bench_with(Threads, &BOT, vec![token(1000, None)]);
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..32).map(|_| scope.spawn(|| bench.within(0, 3600))).collect();
        assert!(calls.into_iter().all(|call| call.join().unwrap() == Ok(1)));
    });
    assert_eq!(bench.seen(), ["bot pass"]);
}

#[test]
fn no_secret_has_a_readable_debug_form() {
    let canaries = [("username", "canary-user"), ("password", "canary-pass")];
    let bench = bench_with(Inline, &canaries, vec![token(100, Some("canary-refresh"))]);
    let jwt = bench.auth.token(|token| token.jwt().text().to_owned()).unwrap();
    let info = bench.auth.info();
    let settings = settings(&canaries);
    for shown in [format!("{info:?}"), format!("{:?}", settings.origin), format!("{:?}", info.token)] {
        assert!(!shown.contains("canary") && !shown.contains(&jwt), "{shown}");
    }
}
