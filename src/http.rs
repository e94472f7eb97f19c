//! The way to the gate: the [`Transport`] trait, and ureq behind it.
//!
//! ureq does HTTP/1.1. What is below it is made here: connections, tunnels and TLS ([`route`]), so that each failure
//! keeps its stage and its reason, and all handles share one TLS set-up. Each request has a separate agent and
//! connection: one login in 18 hours gains nothing from a pool, and a child process inherits no connection.

use std::io::Read;
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http::Uri;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::gate::{BODY_MAX, Request, Response};
use crate::proxy::Proxy;
use crate::secret::Secrets;
use crate::settings::Settings;
use crate::sync::{Arc, Mutex, lock};
use crate::tls::{Setup, Trust};

mod buffers;
mod corked;
mod dial;
mod fault;
mod link;
mod route;
mod tunnel;
use fault::{Fault, Peers, Progress, Seen, Stage};
use route::{Route, Target, Unused};

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
    requests: Vec<(u64, Agent, Arc<Progress>)>,
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
        let Way { target, proxy, connect_timeout, user_agent, .. } = self.way.clone();
        let end = Instant::now() + limit;
        let route = Route { target, proxy, tls, user_agent, connect_timeout, end, progress: progress.clone() };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_idle_connections(0)
            .max_response_header_size(HEADERS_MAX)
            .input_buffer_size(INPUT_BUFFER)
            .output_buffer_size(OUTPUT_BUFFER)
            .user_agent(self.way.user_agent.as_str())
            .build();
        let agent = Agent::with_parts(config, route, Unused);
        let _listed = self.register(agent.clone(), progress.clone());
        if !wanted() {
            // Asked after the request is on the list, so that a `cancel` that comes later finds it there.
            progress.cancel();
            agent.clone().shutdown();
        }
        let answer = agent
            .post(&self.way.endpoint)
            .header("Content-Type", "application/json")
            .header("Accept", "application/json")
            .header("Accept-Encoding", "identity")
            .send(request.body.as_slice())
            .and_then(read);
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

    fn register(&self, agent: Agent, progress: Arc<Progress>) -> Listed<'_> {
        let mut in_flight = lock(&self.in_flight);
        in_flight.count += 1;
        let number = in_flight.count;
        in_flight.requests.push((number, agent, progress));
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
        for (_, agent, progress) in requests {
            progress.cancel();
            agent.shutdown();
        }
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

/// Reads the answer. Of a refusal, a body that cannot be read counts as empty: its headers are worth more.
fn read(answer: ureq::http::Response<ureq::Body>) -> Result<Response, ureq::Error> {
    let (parts, mut body) = answer.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let bytes = match read_body(&mut body) {
        Err(_) if !parts.status.is_success() => Zeroizing::default(),
        bytes => bytes?,
    };
    Ok(Response {
        date_ms: header("date").and_then(|date| httpdate::parse_http_date(&date).ok()).map(crate::clock::unix_ms),
        retry_after: header("retry-after"),
        encoding: header("content-encoding").filter(|encoding| !encoding.eq_ignore_ascii_case("identity")),
        ..Response::new(parts.status.as_u16(), bytes)
    })
}

/// Reads a body within the limit.
fn read_body(body: &mut ureq::Body) -> Result<Zeroizing<Vec<u8>>, ureq::Error> {
    if body.content_length().is_some_and(|length| length > BODY_MAX as u64) {
        return Err(ureq::Error::BodyExceedsLimit(BODY_MAX as u64));
    }
    // Sized beforehand, with a byte to spare for the read that finds the end: a buffer that grows leaves copies behind.
    let room = body.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(BODY_MAX) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    body.as_reader().take(BODY_MAX as u64 + 1).read_to_end(&mut bytes).map_err(ureq::Error::from)?;
    if bytes.len() > BODY_MAX {
        return Err(ureq::Error::BodyExceedsLimit(BODY_MAX as u64));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
