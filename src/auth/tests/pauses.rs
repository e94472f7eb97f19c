//! When no refresh starts although one is requested. Also what a child process keeps, as far as a test in one process
//! can check it.

use super::bench::*;
use super::*;
use crate::scheduler::Background;

const ONCE: [(&str, &str); 3] = [BOT[0], BOT[1], ("max_attempts", "1")];

#[test]
fn a_call_for_a_longer_validity_fails_during_the_minimum_interval_and_refreshes_after_it() {
    let bench = bench(vec![token(100, None), token(100, None)]);
    bench.token().unwrap();
    bench.pass(5);
    let error = bench.auth.read(Duration::from_secs(96), Duration::from_secs(9), |_| ()).unwrap_err();
    let wait = error.retry_after().unwrap();
    assert_eq!(error.status(), Status::TooShort);
    assert!((Duration::from_secs(4)..=Duration::from_secs(5)).contains(&wait), "a tenth of the life: {wait:?}");
    assert_eq!((bench.seen().len(), bench.auth.info().retry_in), (1, wait));
    bench.pass(5);
    assert_eq!((bench.within(96, 9), bench.seen().len()), (Ok(2), 2));
}

#[test]
fn a_token_that_is_rejected_within_the_minimum_interval_is_kept_until_its_end() {
    let bench = bench(vec![token(100, None), token(100, None)]);
    let text = bench.auth.token(|token| token.jwt().text().to_owned()).unwrap();
    for _ in 0..200 {
        bench.auth.invalidate(&text);
        assert_eq!((bench.token(), bench.auth.generation()), (Ok(1), 0));
    }
    assert_eq!((bench.seen().len(), bench.auth.info().state), (1, Some(State::Due)));
    bench.pass(10);
    assert_eq!(bench.auth.info().state, Some(State::Expired));
    assert_eq!((bench.token(), bench.seen().len()), (Ok(2), 2));
}

#[test]
fn a_new_user_logs_in_immediately_and_a_new_password_waits_for_the_minimum_interval() {
    let bench = bench(vec![token(100, None), token(100, None), token(100, None)]);
    bench.token().unwrap();
    bench.auth.set_credentials(None, "new").unwrap();
    assert_eq!(bench.within(100, 0), Err(Status::TooShort));
    bench.auth.set_credentials(Some("other"), "word").unwrap();
    assert_eq!(bench.token(), Ok(2));
    assert_eq!(bench.seen(), ["bot pass", "other word"]);
}

#[test]
fn a_refusal_affects_all_handles_and_new_credentials_end_it() {
    let refusals: &'static Refusals = Box::leak(Box::default());
    let clock = Fake::at(NOW);
    let with = |script| {
        let bench = bench_at(clock.clone(), Inline, &ONCE, script);
        let parts = Parts { refusals, ..parts(clock.clone(), Line(bench.gate.clone(), clock.clone()), Inline) };
        Bench { auth: Auth::with_parts(settings(&ONCE), parts), ..bench }
    };
    let (first, second) = (with(vec![status(401, "{}"), token(100, None)]), with(vec![token(100, None)]));
    assert_eq!(first.token(), Err(Status::Denied));
    let error = second.auth.token(|_| ()).unwrap_err();
    assert_eq!((error.status(), error.http_status()), (Status::Denied, Some(401)));
    assert_eq!((error.retry_after(), second.seen().len()), (Some(Duration::from_secs(30)), 0));
    let info = second.auth.info();
    assert_eq!((info.activity, info.retry_in), (Activity::Denied, Duration::from_secs(30)));
    first.auth.set_credentials(None, "pass").unwrap();
    assert_eq!(
        (second.token(), first.token()),
        (Ok(1), Ok(1)),
        "credentials that one handle sets again are used by all"
    );
}

#[test]
fn a_wrong_password_is_sent_three_times_in_the_first_hour_and_ten_times_in_four_days_with_a_call_each_minute() {
    let refused: Vec<Answer> = (0..100).map(|_| status(401, "{}")).collect();
    let bench = bench_with(Inline, &BOT, refused);
    let mut sent = Vec::new();
    for _ in 0..4 * 1440 {
        assert_eq!(bench.token(), Err(Status::Denied));
        sent.push(bench.seen().len());
        bench.pass(60);
    }
    assert_eq!((sent[59], sent.last()), (3, Some(&10)));
}

/// A separate password file, which is removed when this is dropped.
struct PasswordFile(std::path::PathBuf);

impl PasswordFile {
    fn new(name: &str, password: &str) -> PasswordFile {
        let file = PasswordFile(std::env::temp_dir().join(format!("dl_auth-{}-{name}", std::process::id())));
        file.write(password);
        file
    }

    fn write(&self, password: &str) {
        std::fs::write(&self.0, password).unwrap();
    }

    fn options(&self) -> [(&str, &str); 3] {
        [BOT[0], ("password_file", self.0.to_str().unwrap()), ("max_attempts", "1")]
    }
}

impl Drop for PasswordFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

#[test]
fn while_denied_the_password_file_is_read_again_once_a_second_and_no_call_waits_for_it() {
    let file = PasswordFile::new("denied", "old\n");
    let runner = Deferred::default();
    let bench = bench_with(runner.clone(), &file.options(), vec![status(401, "{}"), token(100, None)]);
    assert_eq!(bench.within(0, 0), Err(Status::Pending));
    assert_eq!(runner.run_all(), 1);
    for _ in 0..10 {
        assert_eq!(bench.within(0, 9), Err(Status::Denied), "the call itself does not read the file");
    }
    assert_eq!(runner.run_all(), 1);
    assert_eq!(
        (bench.within(0, 9), runner.run_all()),
        (Err(Status::Denied), 0),
        "the file is read at most once a second"
    );
    file.write("new\n");
    bench.pass(1);
    assert_eq!((bench.within(0, 9), runner.run_all()), (Err(Status::Denied), 1));
    assert_eq!(bench.token(), Ok(1));
    assert_eq!((bench.seen(), bench.auth.info().failures), (vec!["bot old".to_owned(), "bot new".to_owned()], 1));
}

#[test]
fn a_password_is_read_from_its_file_before_it_is_sent_and_kept_if_there_is_no_file() {
    let file = PasswordFile::new("sent", "first");
    let bench = bench_with(
        Inline,
        &file.options(),
        vec![token(100, None), status(401, "{}"), token(100, None), token(100, None)],
    );
    assert_eq!(bench.token(), Ok(1));
    file.write("second");
    bench.pass(100);
    assert_eq!(bench.token(), Err(Status::Denied));
    file.write("third");
    bench.pass(30); // the pause after a refusal is over; no call came during the pause
    assert_eq!(bench.token(), Ok(2));
    drop(file);
    bench.pass(100);
    assert_eq!(bench.token(), Ok(3));
    assert_eq!(bench.seen(), ["bot first", "bot second", "bot third", "bot third"]);
}

#[test]
fn a_background_handle_returns_the_time_of_its_next_check() {
    let options = [ONCE[0], ONCE[1], ONCE[2], ("refresh", "background")];
    let bench = bench_with(Inline, &options, vec![token(100, None), status(500, ""), token(100, None)]);
    let tick = || bench.auth.inner().tick().map(|next| next.saturating_sub(bench.clock.boot()).as_secs_f64());
    let within = |next: Option<f64>, least: f64, most: f64| {
        assert!(next.is_some_and(|next| (least..=most).contains(&next)), "{next:?} is not from {least} to {most}");
    };
    assert_eq!((tick(), bench.seen().len()), (Some(0.0), 1));
    within(tick(), 74.0, 85.0);
    bench.pass(86);
    assert_eq!((tick(), bench.seen().len()), (Some(0.0), 2));
    within(tick(), 0.5, 1.0);
    bench.pass(1);
    assert_eq!((tick(), bench.seen().len()), (Some(0.0), 3));
    bench.auth.close();
    assert_eq!(tick(), None);
}

#[test]
fn a_background_handle_in_cooldown_is_checked_when_its_token_expires() {
    let options = [ONCE[0], ONCE[1], ONCE[2], ("refresh", "background")];
    let bench = bench_with(Inline, &options, vec![token(100, None), retry_after(503, "600")]);
    let tick = || bench.auth.inner().tick().map(|next| next.saturating_sub(bench.clock.boot()).as_secs());
    tick();
    bench.pass(90);
    tick();
    assert_eq!((tick(), bench.seen().len()), (Some(9), 2), "the token is counted as up to a second older");
}

#[test]
fn a_child_s_copy_keeps_the_token_and_the_facts_but_no_refresh_token_and_no_flight() {
    let runner = Deferred::default();
    let bench = bench_with(runner.clone(), &BOT, vec![token(100, Some("r1")), token(100, None)]);
    assert_eq!((bench.within(0, 0), runner.run_all()), (Err(Status::Pending), 1));
    bench.pass(90);
    assert_eq!(bench.token(), Ok(1), "a refresh has started and has not ended");
    let parent = bench.auth.inner();
    let child = parent.child_copy();
    child.adopt_token();
    let (facts, before) = (child.facts(), parent.facts());
    assert_eq!((facts.generation, facts.logins, facts.clock_skew_ms), (1, 1, before.clock_skew_ms));
    assert!(lock(&child.state).in_flight.is_none() && lock(&parent.state).in_flight.is_some());
    lock(&runner.0).clear();
    bench.pass(10);
    let gotten = std::thread::scope(|scope| {
        let call = scope.spawn(|| child.wait_for_token(Duration::ZERO, Duration::from_secs(60)));
        while lock(&runner.0).is_empty() {
            std::thread::yield_now();
        }
        runner.run_all();
        call.join().unwrap()
    });
    assert_eq!(gotten.unwrap().generation(), 2);
    assert_eq!(bench.seen(), ["bot pass", "bot pass"], "the parent keeps the refresh token");
}

#[test]
fn a_jump_of_the_wall_clock_makes_a_token_due_and_a_jump_past_its_expiry_replaces_it() {
    let bench = bench(vec![token(1000, None), token(1000, None), token(1000, None)]);
    bench.token().unwrap();
    bench.pass(100);
    bench.clock.set_wall(-3600);
    assert_eq!((bench.auth.generation(), bench.token(), bench.token()), (0, Ok(1), Ok(2)));
    bench.pass(100);
    bench.clock.set_wall(3600);
    assert_eq!(
        (bench.token(), bench.seen().len()),
        (Ok(3), 3),
        "the machine was restored from a snapshot, and its token has expired"
    );
}
