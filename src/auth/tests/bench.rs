//! The parts for tests of a handle: a scripted gate, a fake clock, and refreshes that run when the test starts them.

use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::*;
use crate::attempt::Attempt;
use crate::clock::fake::Fake;
use crate::config::Config;
use crate::gate::Grant;
use crate::gate::{Request, Response};
use crate::http::Failure;
use crate::scheduler::Job;
use crate::sync::Mutex;

/// The time of the machine's and the gate's clock at the start of each test. It is after the build date of this
/// library.
pub(super) const NOW: i64 = crate::policy::BUILT_AT + 86_400;

pub(super) type Answer = Box<dyn FnOnce(i64) -> Result<Response, Failure> + Send>;

/// A gate that answers by a script and records its requests.
#[derive(Default)]
pub(super) struct Gate {
    script: Mutex<VecDeque<Answer>>,
    pub(super) seen: Mutex<Vec<String>>,
}

pub(super) struct Line(pub(super) Arc<Gate>, pub(super) Arc<Fake>);

impl Transport for Line {
    fn send(&self, request: &Request, _: &Attempt) -> Result<Response, Failure> {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        lock(&self.0.seen).push(match request.grant {
            Grant::Login => format!("{} {}", text("username"), text("password")),
            Grant::Refresh => text("refresh_token"),
        });
        let answer = lock(&self.0.script).pop_front().expect("an answer in the script");
        answer(self.1.wall_ms() / 1000)
    }

    fn for_child(&self) -> Box<dyn Transport> {
        Box::new(Line(self.0.clone(), self.1.clone()))
    }
}

pub(super) fn response(status: u16, body: String) -> Response {
    Response::new(status, body.into_bytes().into())
}

pub(super) fn jwt(claims: Value) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(&claims.to_string()))
}

/// A token that is valid for this many seconds from the moment of the answer, and perhaps a refresh token.
pub(super) fn token(life: i64, refresh_token: Option<&'static str>) -> Answer {
    Box::new(move |now| {
        let id_token = jwt(json!({"iat": now, "exp": now + life}));
        Ok(response(200, json!({"id_token": id_token, "refresh_token": refresh_token}).to_string()))
    })
}

pub(super) fn status(status: u16, body: &'static str) -> Answer {
    Box::new(move |_| Ok(response(status, body.to_owned())))
}

pub(super) fn retry_after(code: u16, seconds: &'static str) -> Answer {
    Box::new(move |_| Ok(Response { retry_after: Some(seconds.to_owned()), ..response(code, "{}".to_owned()) }))
}

pub(super) fn unreachable(sent: bool) -> Answer {
    Box::new(move |_| Err(Failure { error: Error::new(Status::Unreachable, "broken"), sent }))
}

/// Runs a refresh immediately, on the caller's thread.
pub(super) struct Inline;

impl Runner for Inline {
    fn run(&self, job: Job) -> Result<(), Job> {
        job();
        Ok(())
    }
}

/// Keeps the refreshes until the test runs them.
#[derive(Clone, Default)]
pub(super) struct Deferred(pub(super) Arc<Mutex<Vec<Job>>>);

impl Runner for Deferred {
    fn run(&self, job: Job) -> Result<(), Job> {
        lock(&self.0).push(job);
        Ok(())
    }
}

impl Deferred {
    pub(super) fn run_all(&self) -> usize {
        let jobs = std::mem::take(&mut *lock(&self.0));
        jobs.into_iter().map(|job| job()).count()
    }
}

pub(super) struct Bench {
    pub(super) auth: Auth,
    pub(super) gate: Arc<Gate>,
    pub(super) clock: Arc<Fake>,
}

pub(super) fn settings(options: &[(&str, &str)]) -> Settings {
    let mut config = Config::new();
    for (key, value) in [("tls_roots", "bundled"), ("proxy", "none")].iter().chain(options) {
        config.set(key, value).unwrap();
    }
    Settings::resolve(&config, |_| None, NOW).unwrap()
}

pub(super) fn bench_with(runner: impl Runner + 'static, options: &[(&str, &str)], script: Vec<Answer>) -> Bench {
    bench_at(Fake::at(NOW), runner, options, script)
}

pub(super) fn bench_at(
    clock: Arc<Fake>,
    runner: impl Runner + 'static,
    options: &[(&str, &str)],
    script: Vec<Answer>,
) -> Bench {
    let gate = Arc::new(Gate::default());
    lock(&gate.script).extend(script);
    let line = Line(gate.clone(), clock.clone());
    let auth = Auth::with_parts(settings(options), parts(clock.clone(), line, runner));
    Bench { auth, gate, clock }
}

/// The parts of a handle that shares no refusals with the handles of other tests.
pub(super) fn parts(
    clock: impl Clock + 'static,
    transport: impl Transport + 'static,
    runner: impl Runner + 'static,
) -> Parts {
    let (clock, transport, runner) = (Arc::new(clock), Box::new(transport), Arc::new(runner));
    Parts { clock, transport, runner, refusals: Box::leak(Box::default()), place: None, share: None }
}

pub(super) const BOT: [(&str, &str); 2] = [("username", "bot"), ("password", "pass")];

pub(super) fn bench(script: Vec<Answer>) -> Bench {
    bench_with(Inline, &BOT, script)
}

impl Bench {
    pub(super) fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds));
    }

    /// The generation of the token that a call gets.
    pub(super) fn token(&self) -> Result<u64, Status> {
        self.auth.token(Token::generation).map_err(|error| error.status())
    }

    pub(super) fn within(&self, need_s: u64, wait_s: u64) -> Result<u64, Status> {
        let seconds = Duration::from_secs;
        self.auth.read(seconds(need_s), seconds(wait_s), Token::generation).map_err(|error| error.status())
    }

    /// Sets the answer to the next request, and removes the rest of the script.
    pub(super) fn gate_will(&self, answer: Answer) {
        let mut script = lock(&self.gate.script);
        script.clear();
        script.push_back(answer);
    }

    /// Adds the answer to the request that follows those in the script.
    pub(super) fn gate_will_then(&self, answer: Answer) {
        lock(&self.gate.script).push_back(answer);
    }

    pub(super) fn seen(&self) -> Vec<String> {
        lock(&self.gate.seen).clone()
    }
}
