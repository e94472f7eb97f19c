//! Tests of the handle under a model checker. The checker runs the real code, with the threads in thousands of
//! different orders.
//!
//! Shuttle's locks and atomics replace std's (`sync.rs`). At each of their operations, shuttle may run another thread.
//! Shuttle also finds deadlocks: a thread that is never woken fails the test. After a failure, shuttle prints the
//! schedule, and `shuttle::replay` runs it again. Time passes only in [`Bench::pass`], so no deadline ends a wait.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread::{self, JoinHandle};

use super::*;
use crate::attempt::{Attempt, InFlight};
use crate::gate::{Request, Response};
use crate::http::Failure;
use crate::scheduler::Job;
use crate::sync::{Condvar, Mutex, Ordering, wait};

/// The wall clock at the start, in seconds.
const NOW: i64 = 1_700_000_000;

/// How long a token lives, in seconds.
const LIFE: i64 = 100;

/// Runs a model in this many random orders. Then runs it in the same number of orders with 3 chosen switches each.
fn check(orders: usize, model: fn()) {
    let model = move || {
        fastrand::seed(1); // so that an order that failed fails again
        model();
    };
    let config = || {
        let mut config = shuttle::Config::new();
        config.stack_size = 256 << 10;
        config
    };
    shuttle::Runner::new(RandomScheduler::new(orders), config()).run(model);
    shuttle::Runner::new(PctScheduler::new(3, orders), config()).run(model);
}

/// Time that passes only when a test calls [`Bench::pass`]. It uses no lock of the model, so that a read of the clock
/// does not switch to another thread.
#[derive(Clone, Default)]
struct Standing(Arc<std::sync::atomic::AtomicU64>);

impl Clock for Standing {
    fn boot(&self) -> crate::clock::Boot {
        Duration::from_secs(1000 + self.0.load(Ordering::Relaxed))
    }

    fn wall_ms(&self) -> i64 {
        (NOW + self.0.load(Ordering::Relaxed) as i64) * 1000
    }

    fn sleep(&self, _: Duration) {
        panic!("no thread of a model may sleep");
    }
}

/// The gate's answer to a user's login.
#[derive(Clone, Copy)]
enum Answer {
    /// A token. Its last part is the user and the number of the user's tokens, as in "bot1".
    Token,
    /// The gate refuses the password.
    Denied,
    /// The connection breaks.
    Broken,
    /// The gate never answers. The request ends when it is cancelled.
    Never,
}

/// A gate that gives each user one kind of answer, and records the users.
struct Gate {
    answer: fn(&str) -> Answer,
    clock: Standing,
    seen: Mutex<Seen>,
    cancelled: Condvar,
}

#[derive(Default)]
struct Seen {
    users: Vec<String>,
}

struct Line(Arc<Gate>);

impl Transport for Line {
    fn send(&self, request: &Request, attempt: &Attempt) -> Result<Response, Failure> {
        let gate = &self.0;
        let broken = |sent| Err(Failure { error: Error::new(Status::Unreachable, "broken"), sent });
        let _registered = attempt.register(gate.clone());
        if attempt.is_cancelled() {
            return broken(false);
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let user = body["username"].as_str().unwrap().to_owned();
        let mut seen = lock(&gate.seen);
        seen.users.push(user.clone());
        let nth = seen.users.iter().filter(|other| **other == user).count();
        let answer = |status, body: Value| {
            let body = body.to_string().into_bytes().into();
            Ok(Response::new(status, body))
        };
        match (gate.answer)(&user) {
            Answer::Token => answer(200, json!({"id_token": jwt(&gate.clock, &format!("{user}{nth}"))})),
            Answer::Denied => answer(401, json!({"message": "no"})),
            Answer::Broken => broken(true),
            Answer::Never => {
                while !attempt.is_cancelled() {
                    seen = wait(&gate.cancelled, seen, Duration::MAX);
                }
                broken(true)
            }
        }
    }

    fn for_child(&self) -> Box<dyn Transport> {
        Box::new(Line(self.0.clone()))
    }
}

impl InFlight for Gate {
    fn end(&self) {
        drop(lock(&self.seen)); // a request that has read the flag waits by now
        self.cancelled.notify_all();
    }

    fn doing(&self) -> String {
        "waiting for the gate of the model".to_owned()
    }
}

fn jwt(clock: &Standing, signature: &str) -> String {
    let now = clock.wall_ms() / 1000;
    let part = |document: Value| URL_SAFE_NO_PAD.encode(document.to_string());
    format!("{}.{}.{signature}", part(json!({"alg": "RS256"})), part(json!({"iat": now, "exp": now + LIFE})))
}

/// Runs each refresh on a separate thread of the model. The model ends when all threads have ended.
#[derive(Clone, Default)]
struct Spawned(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Runner for Spawned {
    fn run(&self, job: Job) -> Result<(), Job> {
        let refresh = thread::spawn(job);
        lock(&self.0).push(refresh);
        Ok(())
    }
}

/// A process that cannot create threads. A caller that may block runs the refresh.
struct Refused;

impl Runner for Refused {
    fn run(&self, job: Job) -> Result<(), Job> {
        Err(job)
    }
}

#[derive(Clone)]
struct Bench {
    auth: Arc<Auth>,
    gate: Arc<Gate>,
}

impl Bench {
    fn new(answer: fn(&str) -> Answer) -> Bench {
        Bench::with(answer, Spawned::default())
    }

    fn with(answer: fn(&str) -> Answer, runner: impl Runner + 'static) -> Bench {
        let mut config = Config::new();
        for (key, value) in [
            ("username", "bot"),
            ("password", "pass"),
            ("tls_roots", "bundled"),
            ("proxy", "none"),
            ("max_attempts", "1"),
            ("timeout", "10m"),
            ("wait", "10m"),
        ] {
            config.set(key, value).unwrap();
        }
        let settings = Settings::resolve(&config, |_| None, NOW).unwrap();
        let clock = Standing::default();
        let gate = Gate { answer, clock: clock.clone(), seen: Mutex::default(), cancelled: Condvar::new() };
        let gate = Arc::new(gate);
        let transport = Box::new(Line(gate.clone()));
        let refusals = Box::leak(Box::default());
        let parts =
            Parts { clock: Arc::new(clock), transport, runner: Arc::new(runner), refusals, place: None, share: None };
        Bench { auth: Arc::new(Auth::with_parts(settings, parts)), gate }
    }

    fn pass(&self, seconds: u64) {
        self.gate.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The token that a call gets: its generation and its last part. Another thread may run between the two reads.
    fn token(&self) -> Result<(u64, String), Error> {
        self.auth.token(|token| {
            let generation = token.generation();
            thread::yield_now();
            (generation, token.jwt().text().rsplit('.').next().unwrap().to_owned())
        })
    }

    /// A thread of the model that works with this bench.
    fn spawn<R: Send + 'static>(&self, f: impl FnOnce(&Bench) -> R + Send + 'static) -> JoinHandle<R> {
        let bench = self.clone();
        thread::spawn(move || f(&bench))
    }

    /// Three threads that call at the same time, and their results.
    fn three_calls(&self) -> Vec<Result<(u64, String), Error>> {
        let callers: Vec<_> = (0..3).map(|_| self.spawn(Bench::token)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    }

    /// The users in the gate's requests.
    fn users(&self) -> Vec<String> {
        lock(&self.gate.seen).users.clone()
    }
}

#[test]
fn simultaneous_callers_make_one_login_and_get_its_token() {
    check(2000, || {
        let bench = Bench::new(|_| Answer::Token);
        for token in bench.three_calls() {
            assert_eq!(token.unwrap(), (1, "bot1".to_owned()));
        }
        assert_eq!(bench.users(), ["bot"]);
        let info = bench.auth.info();
        assert_eq!((info.logins, info.waiting, info.generation), (1, 0, 1));
    });
}

#[test]
fn a_reader_gets_a_whole_token_and_never_an_older_one_than_before() {
    check(1500, || {
        let bench = Bench::new(|_| Answer::Token);
        assert_eq!(bench.token().unwrap().0, 1);
        bench.pass(90);
        let read = |bench: &Bench, passing: u64| {
            let mut last = 1;
            for passing in [0, passing, passing] {
                bench.pass(passing);
                let (generation, text) = bench.token().unwrap();
                assert_eq!(text, format!("bot{generation}"));
                assert!(generation >= last, "{generation} after {last}");
                last = generation;
            }
            last
        };
        // The first token is due for all readers. One reader lets time pass, so that it expires and the next may be
        // due.
        let readers = [0, 0, 45].map(|passing| bench.spawn(move |bench| read(bench, passing)));
        let last = readers.map(|reader| reader.join().unwrap()).into_iter().max().unwrap();
        assert!((2..=3).contains(&bench.users().len()), "{:?}", bench.users());
        assert!(last >= 2);
    });
}

fn fails(answer: fn(&str) -> Answer, status: Status) {
    let bench = Bench::new(answer);
    let failures: Vec<_> = bench.three_calls().into_iter().map(Result::unwrap_err).collect();
    assert_eq!(failures[0].status(), status);
    assert!(failures[0].retry_after().is_some());
    assert!(failures.iter().all(|failure| *failure == failures[0]), "{failures:?}");
    assert_eq!(bench.users(), ["bot"]);
    let info = bench.auth.info();
    assert_eq!((info.failures, info.waiting), (1, 0));
}

#[test]
fn all_waiters_share_a_failure_and_no_second_request_is_sent() {
    check(1000, || fails(|_| Answer::Broken, Status::Unreachable));
    check(1000, || fails(|_| Answer::Denied, Status::Denied));
}

#[test]
fn close_wakes_all_waiters_and_ends_the_request() {
    check(2000, || {
        let bench = Bench::new(|_| Answer::Never);
        let closer = bench.spawn(|bench| bench.auth.close());
        for token in bench.three_calls() {
            assert_eq!(token.unwrap_err().status(), Status::Closed);
        }
        closer.join().unwrap();
        assert!(bench.users().len() <= 1);
        assert_eq!(bench.auth.info().waiting, 0);
    });
}

#[test]
fn new_credentials_wake_the_waiters_and_end_the_request() {
    check(1000, || {
        let refreshes = Spawned::default();
        let bench = Bench::with(|user| if user == "bot" { Answer::Never } else { Answer::Token }, refreshes.clone());
        let caller = bench.spawn(Bench::token);
        bench.auth.set_credentials(Some("new"), "pass").unwrap();
        assert_eq!(caller.join().unwrap().unwrap().1, "new1");
        // Joins the refreshes here, because otherwise the end of the handle would cancel them.
        let refreshes = std::mem::take(&mut *lock(&refreshes.0));
        refreshes.into_iter().for_each(|refresh| refresh.join().unwrap());
    });
}

#[test]
fn the_next_refresh_can_start_as_soon_as_a_caller_gets_the_token_of_the_last_one() {
    check(1500, || {
        let bench = Bench::new(|_| Answer::Token);
        let other = bench.spawn(Bench::token);
        assert_eq!(bench.token().unwrap().0, 1);
        bench.pass(110);
        assert_eq!(bench.token().unwrap().0, 2);
        other.join().unwrap().ok(); // it may have got the first token, which has expired by now
    });
}

/// Two callers, and a third thread that sets another user at the same time.
fn another_user(answer: fn(&str) -> Answer) {
    let bench = Bench::new(answer);
    let callers = [(); 2].map(|()| bench.spawn(Bench::token));
    let other = bench.spawn(|bench| {
        bench.auth.set_credentials(Some("new"), "pass").unwrap();
        bench.token().unwrap().1
    });
    assert_eq!(other.join().unwrap(), "new1", "the token of the old login is never published after this");
    for caller in callers {
        let (generation, text) = caller.join().unwrap().unwrap();
        assert!(["bot1", "new1"].contains(&text.as_str()), "{text}");
        assert!((1..=2).contains(&generation));
    }
    assert_eq!(bench.token().unwrap().1, "new1");
    let of = |name: &str| bench.users().iter().filter(|user| *user == name).count();
    assert!(of("bot") <= 1);
    assert_eq!(of("new"), 1);
    assert_eq!(bench.auth.info().waiting, 0);
}

#[test]
fn a_refresh_that_new_credentials_cancel_is_never_published() {
    check(1000, || another_user(|_| Answer::Token));
    check(1000, || another_user(|user| if user == "bot" { Answer::Never } else { Answer::Token }));
}

#[test]
fn without_a_thread_a_refresh_is_abandoned_and_the_next_caller_runs_one() {
    check(1000, || {
        let bench = Bench::with(|_| Answer::Token, Refused);
        assert_eq!(bench.token().unwrap().0, 1);
        bench.pass(110);
        let non_blocking = bench.spawn(|bench| bench.auth.read(Duration::ZERO, Duration::ZERO, Token::generation));
        for token in bench.three_calls() {
            assert_eq!(token.unwrap(), (2, "bot2".to_owned()));
        }
        match non_blocking.join().unwrap() {
            Ok(generation) => assert_eq!(generation, 2),
            Err(error) => assert_eq!(error.status(), Status::Pending, "{error}"),
        }
        assert_eq!(bench.users(), ["bot", "bot"]);
        assert_eq!(bench.auth.info().waiting, 0);
    });
}
