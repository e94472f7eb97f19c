//! The way to the gate: the [`Transport`] trait, and ureq behind it.
//!
//! ureq does HTTP/1.1 ([`call`]). What is below it is made here: connections, tunnels and TLS ([`route`]), so that each
//! failure keeps its stage and its reason, and all handles share one TLS set-up. Each request has a separate connection:
//! one login in 18 hours gains nothing from a pool, and a child process inherits no connection.

use std::time::{Duration, Instant};

use ureq::http::{self, Uri};
use zeroize::Zeroizing;

use crate::address::Proxy;
use crate::error::Error;
use crate::gate::{Request, Response};
use crate::secret::Secrets;
use crate::settings::Settings;
use crate::sync::{Arc, Mutex, lock};
use crate::trust::{Setup, Trust};

mod buffers;
mod call;
mod corked;
mod dial;
mod fault;
mod link;
mod route;
mod tunnel;
use fault::{Fault, Peers, Progress, Seen, Stage};
use route::{Route, Target};

/// Whatever carries a request to the gate and its answer back. The real one is [`Http`]; tests bring their own.
pub trait Transport: Send + Sync {
    /// Sends one request and waits for the whole answer, at most this long. Any HTTP status is an answer.
    ///
    /// Nothing is sent where the request is not `wanted` any more. Whoever makes it so calls `cancel` afterwards.
    fn send(&self, request: &Request, limit: Duration, wanted: &dyn Fn() -> bool) -> Result<Response, Failure>;

    /// Makes the requests in flight fail soon, for nobody wants their answers any more.
    fn cancel(&self) {}

    /// What the request in flight does, as a message says it.
    fn doing(&self) -> Option<String> {
        None
    }

    /// The same way for a child process, which shares neither a lock nor a connection with this one.
    fn for_child(&self) -> Box<dyn Transport>;
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The reason.
    pub error: Error,
    /// Whether the gate may have got the request all the same.
    pub sent: bool,
}

/// Where requests go, and how.
#[derive(Clone)]
struct Way {
    endpoint: String,
    target: Target,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
    user_agent: String,
}

/// HTTP/1.1 over TLS to one endpoint.
pub struct Http {
    way: Way,
    trust: Arc<Trust>,
    in_flight: Mutex<InFlight>,
}

/// The requests in flight: one, and those that were cancelled and have not ended yet.
#[derive(Default)]
struct InFlight {
    requests: Vec<(u64, Arc<Progress>)>,
    /// How many there have been: each has a different number.
    count: u64,
}

/// A request's place on the list. It is removed when the request ends, also by a panic.
struct Listed<'a>(&'a Mutex<InFlight>, u64);

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        lock(self.0).requests.retain(|(number, ..)| *number != self.1);
    }
}

/// Buffers for one small request and one answer; ureq's are 128 KiB each.
const INPUT_BUFFER: usize = 16 << 10;
const OUTPUT_BUFFER: usize = 8 << 10;

/// The most headers that are read. Less than the buffer: if that is full, ureq sees a closed connection.
const HEADERS_MAX: usize = 12 << 10;

impl Http {
    /// The way that these settings describe. Touches neither network nor files.
    pub fn new(settings: &Settings) -> Http {
        let uri = settings.endpoint.parse::<Uri>().unwrap_or_default();
        let way = Way {
            endpoint: settings.endpoint.clone(),
            target: Target::new(&uri),
            proxy: settings.proxy.clone(),
            connect_timeout: settings.connect_timeout,
            user_agent: settings.user_agent.clone(),
        };
        Http { way, trust: Trust::shared(settings.roots.clone()), in_flight: Mutex::default() }
    }

    /// One request over a separate connection.
    fn exchange(
        &self,
        request: &Request,
        limit: Duration,
        wanted: &dyn Fn() -> bool,
        tls: Arc<Setup>,
    ) -> Result<Response, Raw> {
        let progress = Arc::new(Progress::default());
        let route = Route { way: &self.way, tls, end: Instant::now() + limit, progress: progress.clone() };
        let _listed = self.register(progress.clone());
        if !wanted() {
            // Asked after the request is on the list, so that a `cancel` that comes later finds it there.
            progress.cancel();
        }
        let answer = route.open().and_then(|mut wire| {
            let post = http::Request::post(&self.way.endpoint)
                .header("Content-Type", "application/json")
                .header("Content-Length", request.body.len())
                .header("Accept", "application/json")
                .header("Accept-Encoding", "identity")
                .header("User-Agent", &self.way.user_agent)
                .body(())?;
            let (head, rest) = call::send(&mut wire, post, &request.body)?;
            read(&head, rest.read(&mut wire))
        });
        let seen = progress.seen();
        let response = match (answer, seen.status) {
            (Ok(response), _) => response,
            // What the gate refused stays refused, whatever is wrong with the rest of its answer.
            (Err(_), Some(status)) if status >= 300 => Response::new(status, Zeroizing::default()),
            (Err(error), _) => return Err(Raw { error, seen }),
        };
        let wanted_certificate = seen.wanted_certificate();
        Ok(Response { peer: self.peers().gate_through(), wanted_certificate, ..response })
    }

    fn peers(&self) -> Peers<'_> {
        Peers { gate: &self.way.target, proxy: self.way.proxy.as_ref(), secrets: Secrets::NONE }
    }

    fn register(&self, progress: Arc<Progress>) -> Listed<'_> {
        let mut in_flight = lock(&self.in_flight);
        in_flight.count += 1;
        let number = in_flight.count;
        in_flight.requests.push((number, progress));
        Listed(&self.in_flight, number)
    }
}

/// A failure in ureq's words, and what the request had seen.
struct Raw {
    error: ureq::Error,
    seen: Seen,
}

impl Raw {
    /// Whether a wider trust could help.
    fn wants_more_roots(&self) -> bool {
        let ureq::Error::Other(other) = &self.error else { return false };
        match (other.downcast_ref::<Fault>(), &self.seen.witness) {
            (Some(Fault::Tls(error)), Some(witness)) => witness.wants_more_roots(error),
            _ => false,
        }
    }
}

impl Transport for Http {
    fn send(&self, request: &Request, limit: Duration, wanted: &dyn Fn() -> bool) -> Result<Response, Failure> {
        let started = Instant::now();
        let tls = self.trust.setup().map_err(|error| Failure { error, sent: false })?;
        let answer = self.exchange(request, limit, wanted, tls).or_else(|raw| {
            match raw.wants_more_roots().then(|| self.trust.wider()).flatten() {
                Some(wider) => self.exchange(request, limit.saturating_sub(started.elapsed()), wanted, wider),
                None => Err(raw),
            }
        });
        answer.map_err(|Raw { error, seen }| Failure {
            sent: seen.stage >= Stage::Sending,
            error: Peers { secrets: &request.secrets, ..self.peers() }.explain(error, &seen),
        })
    }

    fn cancel(&self) {
        let requests = std::mem::take(&mut lock(&self.in_flight).requests);
        requests.iter().for_each(|(_, progress)| progress.cancel());
    }

    fn doing(&self) -> Option<String> {
        let stage = lock(&self.in_flight).requests.last().map(|(.., progress)| progress.seen().stage)?;
        Some(self.peers().doing(stage))
    }

    fn for_child(&self) -> Box<dyn Transport> {
        let trust = Trust::shared(self.trust.roots().clone());
        Box::new(Http { way: self.way.clone(), trust, in_flight: Mutex::default() })
    }
}

/// The answer as it came. Of a refusal, a body that cannot be read counts as empty: its headers are worth more.
fn read(head: &http::Response<()>, body: Result<Zeroizing<Vec<u8>>, ureq::Error>) -> Result<Response, ureq::Error> {
    let header = |name: &str| head.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = match body {
        Err(_) if !head.status().is_success() => Zeroizing::default(),
        body => body?,
    };
    Ok(Response {
        date_ms: header("date").and_then(|date| httpdate::parse_http_date(&date).ok()).map(crate::clock::unix_ms),
        retry_after: header("retry-after"),
        encoding: header("content-encoding").filter(|encoding| !encoding.eq_ignore_ascii_case("identity")),
        ..Response::new(head.status().as_u16(), body)
    })
}

#[cfg(test)]
mod tests;
