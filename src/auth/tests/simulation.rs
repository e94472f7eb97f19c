//! Simulates years of a handle's life from a seed: programs that call, reject tokens and change credentials, a gate
//! with different states, and clocks that jump. Checks invariants at each step.
//!
//! The time is simulated (`world.rs`). A violation is recorded instead of a panic, because the handle would catch a
//! panic inside a refresh.

use fastrand::Rng;
use serde_json::{Value, json};

use super::bench::*;
use super::*;
use crate::attempt::{Attempt, InFlight};
use crate::clock::Boot;
use crate::gate::{Grant, Request, Response};
use crate::http::Failure;
use crate::sync::{Mutex, Weak};

mod world;
use world::{ME, Mood, Refusal, Scene, World, YEARS_MS};

const SEEDS: u64 = 2000;

/// The simulated connection from one handle to the gate. It logs the requests and the answers.
struct Way(Arc<Log>);

struct Log {
    world: Arc<World>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    handle: Weak<Auth>,
    /// The threads that have a request in flight. A cancelled request is not in this list.
    in_flight: Vec<u64>,
    requests: u64,
    /// The number of refreshes that had ended when the last request was sent.
    ended: u64,
    /// The number of these refreshes that had failed.
    failures: u64,
    /// The number of failed refreshes since the last successful one.
    failed_in_a_row: u32,
    /// The time of the last answer.
    answered: Boot,
    /// The `Retry-After` of the last answer.
    retry_after: Option<Duration>,
    /// Whether the last answer was a refusal.
    refused: bool,
    /// The minimum interval after the last token.
    min_interval: Duration,
    /// Whether the credentials have been replaced since the last refresh. If so, no pause applies.
    has_new_credentials: bool,
    /// The tokens that the gate has issued: the text, `exp` in milliseconds of the gate's clock, and the time until
    /// which the handle must return the token.
    issued: Vec<(String, i64, Boot)>,
}

impl Log {
    /// Checks that a new refresh starts only after the pause that follows the last one.
    fn check_pause(&self, seen: &mut Seen, now: Boot) {
        let Some(handle) = seen.handle.upgrade() else { return };
        let info = handle.info();
        let ended = info.logins + info.refreshes + info.failures;
        if ended == seen.ended {
            return;
        }
        let failed = info.failures > seen.failures;
        // A successful refresh may have ended, and after it another one without a request. Then the count starts again.
        let worked = ended - info.failures > seen.ended - seen.failures;
        seen.failed_in_a_row = if worked { 0 } else { seen.failed_in_a_row } + u32::from(failed);
        (seen.ended, seen.failures) = (ended, info.failures);
        let least = match seen.retry_after {
            // After a refusal, `check_refusals` checks the pause, because it applies to all handles.
            _ if seen.has_new_credentials || (failed && seen.refused) => Duration::ZERO,
            _ if !failed => seen.min_interval,
            retry_after => {
                let most = Duration::from_secs(if matches!(info.state, None | Some(State::Expired)) { 15 } else { 60 });
                let half = Duration::from_millis(500).saturating_mul(1 << (seen.failed_in_a_row - 1).min(10)).min(most);
                half.max(retry_after.unwrap_or_default())
            }
        };
        if seen.has_new_credentials {
            seen.failed_in_a_row = 0;
        }
        seen.has_new_credentials = false;
        if now < seen.answered + least {
            let pause = now - seen.answered;
            self.world.broken(format!(
                "a refresh started {pause:?} after the last one; the minimum is {least:?} (failed: {failed})"
            ));
        }
    }

    fn answer(
        &self,
        request: &Request,
        limit: Duration,
        password: Option<&str>,
    ) -> (Duration, Result<Response, Failure>) {
        self.world.look(|state| {
            let mood = state.mood;
            let rng = &mut state.rng;
            let mut took = Duration::from_millis(rng.u64(1..400)).min(limit);
            let fail = |status, sent| Err(Failure { error: Error::new(status, "simulated"), sent });
            let good = password.is_none_or(|password| password == state.good_password);
            let code = rng.choice([401, 401, 400, 403]).unwrap_or(401);
            let refused = || Ok(response(code, r#"{"message":"no"}"#.to_owned()));
            let result = match (mood, rng.u8(..4)) {
                (Mood::Dead, roll) => fail(Status::Unreachable, roll == 0),
                (Mood::Silent, _) => {
                    took = limit;
                    fail(Status::Timeout, true)
                }
                (Mood::Busy, roll) => {
                    let code = if roll == 0 { 503 } else { 429 };
                    let seconds = rng.choice([1, 30, 3600, 99_999]).unwrap_or(1).to_string();
                    Ok(Response { retry_after: Some(seconds), ..response(code, "{}".to_owned()) })
                }
                (Mood::Portal, _) => Ok(response(200, "<html>".to_owned())),
                (Mood::Flaky, 0) => Ok(response(500, "{}".to_owned())),
                (Mood::Flaky, 1) => fail(Status::Unreachable, true),
                (Mood::Flaky, 2) if request.grant == Grant::Refresh => refused(),
                _ if !good => refused(),
                _ => Ok(self.token(state, took)),
            };
            (took, result)
        })
    }

    /// Records what the answer says about the password. The handle receives the answer at this moment.
    fn record_answer(&self, body: &Value, sent: Boot, result: &Result<Response, Failure>) {
        let (Some(password), Ok(answer)) = (body["password"].as_str(), result) else { return };
        let credentials = credentials(&body["username"], password);
        self.world.look(|state| match answer.status {
            400 | 401 | 403 => {
                // A request that was sent before the last refusal was received does not count as another attempt.
                let so_far = state.refused.iter().filter(|refusal| refusal.credentials == credentials).zip(1..).last();
                let (received, pause) = so_far.map_or_else(Default::default, |(last, nth)| {
                    (last.received, crate::policy::refusal_pause(nth, Some(last.http)))
                });
                // A handle forgets a refusal one day after the end of its pause.
                if sent > received + pause + Duration::from_secs(86_400) {
                    state.refused.retain(|refusal| refusal.credentials != credentials);
                }
                if received <= sent {
                    state.refused.push(Refusal { credentials, sent, received: state.boot, http: answer.status });
                }
            }
            200 if !answer.body.starts_with(b"<") => {
                state.refused.retain(|refusal| refusal.credentials != credentials);
            }
            _ => {}
        });
    }

    /// An answer with a token. The gate reads its clock at a random moment during the request.
    fn token(&self, state: &mut Scene, took: Duration) -> Response {
        let then_ms = state.gate_ms() + state.rng.i64(0..=took.as_millis() as i64);
        let then_s = then_ms.div_euclid(1000);
        // A proxy may replace `Date`, or remove it.
        let date_ms = match state.rng.u8(..6) {
            0 => None,
            1 => Some(state.rng.choice([0, 1000 * YEARS_MS]).unwrap_or(0)), // outside the life of every token
            _ => Some(then_s * 1000),
        };
        let is_dated = date_ms == Some(then_s * 1000);
        // Some gates return a token that they issued earlier. Without `Date`, a handle can detect this only if the wall
        // clock is not behind.
        let may_be_old = is_dated || state.wrong_ms >= 0;
        let life = state.life;
        let old = if may_be_old && state.rng.u8(..4) == 0 { life.unwrap_or(0).clamp(0, 1 << 40) / 3 } else { 0 };
        let has_issue = !is_dated || state.rng.bool();
        let mut claims = json!({"n": state.rng.u64(..)});
        let expiry = life.map(|life| (then_s - old).saturating_add(life));
        if let Some(expiry) = expiry {
            claims["exp"] = if expiry == i64::MAX { json!(9_223_372_036_854_775_808_u64) } else { json!(expiry) };
        }
        if has_issue {
            claims["iat"] = json!(then_s - old);
        }
        let id_token = jwt(claims);
        // Without `Date`, a wall clock that is ahead makes the token expire too early.
        let lost_ms = if is_dated { 0 } else { state.wrong_ms.max(0) };
        let left_ms = expiry.unwrap_or(0).saturating_mul(1000).saturating_sub(then_ms).saturating_sub(lost_ms);
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
        let mut seen = lock(&self.seen);
        let sure = state.boot.saturating_add(left).saturating_sub(Duration::from_millis(1000));
        seen.issued.push((id_token.clone(), expiry.unwrap_or(0).saturating_mul(1000), sure));
        seen.min_interval =
            (left.saturating_sub(Duration::from_secs(1)) / 10).clamp(Duration::from_secs(1), Duration::from_secs(60));
        let refresh_token: Value =
            if state.rng.bool() { json!(format!("r{}", state.rng.u32(..))) } else { Value::Null };
        Response { date_ms, ..response(200, json!({"id_token": id_token, "refresh_token": refresh_token}).to_string()) }
    }
}

impl Transport for Way {
    fn send(&self, request: &Request, attempt: &Attempt) -> Result<Response, Failure> {
        let cut = || Err(Failure { error: Error::new(Status::Unreachable, "cut"), sent: true });
        let log = &self.0;
        let (me, now) = (ME.get(), log.world.boot());
        let _registered = attempt.register(Arc::new(Asleep(log.clone(), me)));
        if attempt.is_cancelled() {
            return cut();
        }
        let limit = attempt.deadline.saturating_sub(now);
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let mut seen = lock(&log.seen);
        log.check_pause(&mut seen, now);
        seen.requests += 1;
        if !seen.in_flight.is_empty() {
            log.world.broken(format!("a second request in flight, beside that of thread {:?}", seen.in_flight));
        }
        seen.in_flight.push(me);
        drop(seen);
        let (took, result) = log.answer(request, limit, body["password"].as_str());
        log.world.sleep(took);
        let mut seen = lock(&log.seen);
        if !seen.in_flight.contains(&me) {
            return cut();
        }
        seen.in_flight.retain(|thread| *thread != me);
        log.record_answer(&body, now, &result);
        seen.answered = log.world.boot();
        seen.refused = result.as_ref().is_ok_and(|answer| matches!(answer.status, 400 | 401 | 403));
        seen.retry_after = result.as_ref().ok().and_then(|answer| {
            let seconds = answer.retry_after.as_ref()?.parse().ok()?;
            Some(Duration::from_secs(seconds).min(Duration::from_secs(3600)))
        });
        result
    }

    fn for_child(&self) -> Box<dyn Transport> {
        Box::new(Way(self.0.clone()))
    }
}

/// A request in flight. The number is that of the thread that sleeps until the answer arrives.
struct Asleep(Arc<Log>, u64);

impl InFlight for Asleep {
    fn end(&self) {
        let mut seen = lock(&self.0.seen);
        let before = seen.in_flight.len();
        seen.in_flight.retain(|thread| *thread != self.1);
        let ended = seen.in_flight.len() < before;
        drop(seen);
        if ended {
            self.0.world.wake(self.1);
        }
    }

    fn doing(&self) -> String {
        "waiting for the gate of the simulation".to_owned()
    }
}

/// A handle, and what the program that uses it expects.
struct Host {
    auth: Arc<Auth>,
    log: Arc<Log>,
    password: String,
    /// The last token that the program got, and the time until which each call must return a token.
    held: Option<(String, Boot)>,
}

impl Host {
    fn new(world: &Arc<World>, refusals: &'static Refusals, rng: &mut Rng) -> Host {
        let log = Arc::new(Log { world: world.clone(), seen: Mutex::default() });
        let refresh = if rng.bool() { "background" } else { "on_demand" };
        let attempts = rng.u32(1..=4).to_string();
        let options = [("username", "bot"), ("password", "p0"), ("refresh", refresh), ("max_attempts", &attempts)];
        let parts = Parts {
            clock: Arc::new(world.clone()),
            transport: Box::new(Way(log.clone())),
            runner: Arc::new(world.clone()),
            refusals,
            place: None,
            share: None,
        };
        let auth = Arc::new(Auth::with_parts(settings(&options), parts));
        lock(&log.seen).handle = Arc::downgrade(&auth);
        Host { auth, log, password: "p0".to_owned(), held: None }
    }

    /// Requests a token, and checks the result.
    fn ask(&mut self, need: Duration, at_most: Duration) {
        let world = self.log.world.clone();
        let before = world.boot();
        let sure = self.held.as_ref().is_some_and(|(_, until)| before + need < *until);
        let result = self.auth.read(need, at_most, |token| token.jwt().text().to_owned());
        let took = world.boot() - before;
        let threads = world.look(|state| state.can_make_threads);
        if took > at_most && threads {
            world.broken(format!(
                "a call blocked for {took:?}; the maximum is {at_most:?}: {:?}",
                result.as_ref().err()
            ));
        }
        if sure && (took > Duration::ZERO || result.is_err()) {
            world.broken(format!("a valid token was lost: {result:?} after {took:?}"));
        }
        match result {
            Ok(text) => {
                let gate_ms = world.gate_ms();
                let seen = lock(&self.log.seen);
                let given = seen.issued.iter().rev().find(|(given, ..)| *given == text);
                match given {
                    None => world.broken("a token was returned that the gate never issued".to_owned()),
                    Some((_, expiry_ms, _)) if *expiry_ms <= gate_ms => {
                        world.broken(format!("a token was returned {} ms after it expired", gate_ms - expiry_ms));
                    }
                    Some((text, _, sure)) => self.held = Some((text.clone(), *sure)),
                }
            }
            Err(error) => {
                let message = error.message();
                if message.is_empty() || message.contains(&self.password) {
                    world.broken(format!("a bad message: {message}"));
                }
                if error.status() == Status::Internal {
                    world.broken(format!("a bug: {message}"));
                }
            }
        }
    }

    fn invalidate(&mut self) {
        if let Some((text, _)) = self.held.take() {
            self.auth.invalidate(&text);
            self.doubt(Some(&text));
        }
    }

    /// From now on, the handle may stop using this token (`None`: all tokens) before it expires. The same applies to
    /// the token of a request in flight.
    fn doubt(&mut self, which: Option<&str>) {
        self.held = None;
        let mut seen = lock(&self.log.seen);
        let doubted = seen.issued.iter_mut().filter(|(text, ..)| which.is_none_or(|which| which == text));
        doubted.for_each(|(_, _, sure)| *sure = Boot::ZERO);
        if !seen.in_flight.is_empty() {
            // The life of the token of the request in flight is unknown, so only the smallest interval can be checked.
            seen.min_interval = Duration::from_secs(1);
        }
    }

    fn set_credentials(&mut self, password: String, other_user: bool) {
        let world = &self.log.world;
        lock(&self.log.seen).has_new_credentials = true;
        let user = if other_user { "bot2" } else { "bot" };
        let forgiven = credentials(&json!(user), &password);
        world.look(|state| state.refused.retain(|refusal| refusal.credentials != forgiven));
        if self.auth.set_credentials(Some(user), &password).is_err() {
            world.broken("new credentials were not accepted".to_owned());
        }
        self.password = password;
        self.held = None; // the handle keeps its token for the same user, but this test does not track users
    }
}

/// The credentials as one string, to compare them.
fn credentials(username: &Value, password: &str) -> String {
    format!("{username} {password}")
}

/// Runs the world of this seed. Returns the simulated time and the number of requests.
fn live(seed: u64) -> (Duration, u64) {
    fastrand::seed(seed);
    let world = World::new(seed);
    let mut rng = Rng::with_seed(seed ^ 0x5eed);
    let refusals: &'static Refusals = Box::leak(Box::default());
    let mut hosts: Vec<Host> = (0..rng.usize(1..=3)).map(|_| Host::new(&world, refusals, &mut rng)).collect();
    // Time passes in minutes if no token is usable, and in years if tokens live for years.
    let usable = world.look(|state| state.life).filter(|life| (1..1 << 40).contains(life));
    let life = usable.unwrap_or(60) as f64;
    for step in 0..60 {
        let host = rng.usize(..hosts.len());
        let host = &mut hosts[host];
        match rng.u8(..32) {
            0..=9 => host.ask(Duration::ZERO, Duration::from_secs(rng.choice([0, 1, 30, 60]).unwrap_or(0))),
            10 => host.ask(Duration::from_secs_f64(life * rng.f64() * 1.2), Duration::from_secs(rng.u64(..30))),
            // From a moment up to three times a token's life.
            11..=15 => {
                let most = if world.look(|state| state.mood) == Mood::Well { life * 3.0 } else { 3600.0 };
                world.pass(Duration::from_secs_f64((life * 3.0 * 10f64.powf(-5.0 * rng.f64())).min(most)));
            }
            16..=18 => world.pass(Duration::from_secs_f64(100.0 * 10f64.powf(-5.0 * rng.f64()))),
            // The machine is suspended for a night: no thread runs.
            19 => world.look(|state| state.boot += Duration::from_secs(8 * 3600)),
            20 => host.invalidate(),
            21 if rng.u8(..3) == 0 => {
                let password = world.look(|state| state.good_password.clone());
                host.set_credentials(password, rng.bool());
            }
            21 => host.set_credentials("wrong".to_owned(), false),
            // The password is changed at the gate, and perhaps changed back.
            22 => world.look(|state| state.good_password = rng.choice(["p0", "p1"]).unwrap_or("p0").to_owned()),
            23 | 24 => {
                let jump = rng.choice([6000, -6000, 3_600_000, -3_600_000, 10 * YEARS_MS, -10 * YEARS_MS]).unwrap_or(0);
                world.look(|state| state.wrong_ms += jump);
                // By the wall clock, a token may now be expired although it is valid by the suspend-aware clock.
                hosts.iter_mut().for_each(|host| host.doubt(None));
            }
            25 => world.look(|state| state.can_make_threads = rng.u8(..4) > 0),
            26..=28 => {
                let moods = [Mood::Well, Mood::Well, Mood::Flaky, Mood::Dead, Mood::Silent, Mood::Busy, Mood::Portal];
                world.look(|state| state.mood = rng.choice(moods).unwrap_or_default());
            }
            _ => drop((host.auth.generation(), host.auth.info())),
        }
        let broken =
            world.look(|state| state.check_refusals().into_iter().chain(state.broken.drain(..)).collect::<Vec<_>>());
        assert!(broken.is_empty(), "at step {step}: {broken:?}");
        assert!(hosts.iter().all(|host| host.auth.info().waiting == 0), "no call waits, but a waiter is counted");
    }
    let lived = world.boot();
    let requests = hosts.iter().map(|host| lock(&host.log.seen).requests).sum();
    drop(hosts);
    world.pass(Duration::from_secs(600));
    assert_eq!(world.look(|state| state.alive.len()), 0, "a thread still runs 600 s after the last handle was freed");
    (lived, requests)
}

/// Prints the seed if the test fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}; to run it again: SEED={} cargo test --lib simulation", self.0, self.0);
        }
    }
}

#[test]
fn the_invariants_hold_in_years_of_simulated_time() {
    let one = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = one.map_or(0..crate::secret::property::cases(SEEDS), |seed: u64| seed..seed + 1);
    let next = crate::sync::AtomicU64::new(seeds.start);
    let (next, seeds) = (&next, &seeds);
    let lives: Vec<(Duration, u64)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    let mine = std::iter::repeat_with(|| next.fetch_add(1, crate::sync::Ordering::Relaxed));
                    let live = |seed| {
                        let _seed = Seed(seed);
                        live(seed)
                    };
                    mine.take_while(|seed| seeds.contains(seed)).map(live).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let years = lives.iter().map(|(lived, _)| lived.as_secs_f64()).sum::<f64>() / (365.25 * 86_400.0);
    let requests: u64 = lives.iter().map(|(_, requests)| requests).sum();
    println!("{} worlds, {years:.0} years, {requests} requests", lives.len());
    let part = lives.len() as f64 / SEEDS as f64;
    let enough = years > 1000.0 * part && requests as f64 > 20_000.0 * part;
    assert!(one.is_some() || enough, "{years} years and {requests} requests are too few for a test");
}

#[test]
fn the_same_seed_gives_the_same_world() {
    for seed in [1, 7, 40] {
        assert_eq!(live(seed), live(seed), "seed {seed}");
    }
}
