//! Sends requests to the gate: the [`Transport`] trait, and its implementation with ureq.
//!
//! ureq does HTTP/1.1 ([`call`]). This module makes the layers below it: connections, tunnels and TLS ([`route`]). So
//! each failure keeps its stage and its reason, and all handles share the parsed root certificates. Each request has a
//! separate connection: one login in 18 hours gains nothing from a pool, and a child process inherits no connection.

use std::time::Duration;

use ureq::http::{self, Uri};
use zeroize::Zeroizing;

use crate::address::Proxy;
use crate::attempt::{Attempt, InFlight};
use crate::error::Error;
use crate::gate::{Request, Response};
use crate::secret::Secrets;
use crate::settings::Settings;
use crate::sync::Arc;
use crate::trust::{Anchors, Trust};

mod buffers;
mod call;
mod corked;
mod dial;
mod fault;
#[cfg(feature = "redis")]
mod line;
mod link;
mod route;
mod tls;
mod tunnel;
use fault::{Fault, Observed, Peers, Progress, Stage};
#[cfg(feature = "redis")]
pub use line::{Connection, Line};
use route::Route;
pub use route::Target;

/// Sends a request to the gate and returns its answer. [`Http`] uses the network. Tests have other implementations.
pub trait Transport: Send + Sync {
    /// Sends one request and blocks until the whole answer is read, the deadline of the attempt passes, or the attempt
    /// is cancelled. Any HTTP status is an answer. Nothing is sent if the attempt is cancelled already.
    fn send(&self, request: &Request, attempt: &Attempt) -> Result<Response, Failure>;

    /// A transport for a child process, with the same settings. It shares neither a lock nor a connection with this
    /// one.
    fn for_child(&self) -> Box<dyn Transport>;
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The reason.
    pub error: Error,
    /// Whether the gate may have received the request.
    pub sent: bool,
}

/// Where requests go, and by which proxy.
struct Destination {
    endpoint: String,
    target: Target,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
    user_agent: String,
}

/// HTTP/1.1 over TLS to one endpoint.
pub struct Http {
    destination: Arc<Destination>,
    trust: Arc<Trust>,
}

/// A request in flight. The attempt keeps it registered for as long as the request lasts.
struct Ongoing {
    destination: Arc<Destination>,
    progress: Arc<Progress>,
}

impl InFlight for Ongoing {
    fn end(&self) {
        self.progress.end();
    }

    fn doing(&self) -> String {
        self.destination.peers().doing(self.progress.observed().stage)
    }
}

/// Buffers for one small request and one answer; ureq's are 128 KiB each.
const INPUT_BUFFER: usize = 16 << 10;
const OUTPUT_BUFFER: usize = 8 << 10;

/// The maximum size of the headers. It is less than the buffer: if the buffer is full, ureq sees a closed connection.
const HEADERS_MAX: usize = 12 << 10;

impl Http {
    /// A transport with these settings. Uses neither the network nor files.
    pub fn new(settings: &Settings) -> Http {
        let uri = settings.endpoint.parse::<Uri>().unwrap_or_default();
        let destination = Destination {
            endpoint: settings.endpoint.clone(),
            target: Target::new(&uri),
            proxy: settings.proxy.clone(),
            connect_timeout: settings.connect_timeout,
            user_agent: settings.user_agent.clone(),
        };
        Http { destination: Arc::new(destination), trust: Trust::shared(settings.roots.clone()) }
    }

    /// One request over a separate connection.
    fn exchange(&self, request: &Request, attempt: &Attempt, anchors: Arc<Anchors>) -> Result<Response, Failed> {
        let destination = &*self.destination;
        let progress = Arc::new(Progress::default());
        let ongoing = Ongoing { destination: self.destination.clone(), progress: progress.clone() };
        let _registered = attempt.register(Arc::new(ongoing));
        let route = Route { destination, anchors, attempt, progress: progress.clone() };
        let answer = route.open().and_then(|mut wire| {
            let post = http::Request::post(&destination.endpoint)
                .header("Content-Type", "application/json")
                .header("Content-Length", request.body.len())
                .header("Accept", "application/json")
                .header("Accept-Encoding", "identity")
                .header("User-Agent", &destination.user_agent)
                .body(())?;
            let (head, rest) = call::send(&mut wire, post, &request.body)?;
            read(&head, rest.read(&mut wire))
        });
        let observed = progress.observed();
        let response = match (answer, observed.status) {
            (Ok(response), _) => response,
            // A refusal stays a refusal, even if the rest of the answer cannot be read.
            (Err(_), Some(status)) if status >= 300 => Response::new(status, Zeroizing::default()),
            (Err(error), _) => return Err(Failed { error, observed }),
        };
        let asked_for_certificate = observed.asked_for_certificate();
        Ok(Response { peer: destination.peers().gate_through(), asked_for_certificate, ..response })
    }
}

impl Destination {
    fn peers(&self) -> Peers<'_> {
        Peers { gate: &self.target, proxy: self.proxy.as_ref(), secrets: Secrets::NONE }
    }
}

/// A failure as ureq reports it, and what was known of the request.
struct Failed {
    error: ureq::Error,
    observed: Observed,
}

impl Failed {
    /// Whether more root certificates could help.
    fn needs_more_roots(&self) -> bool {
        let ureq::Error::Other(other) = &self.error else { return false };
        match (other.downcast_ref::<Fault>(), &self.observed.verifier) {
            (Some(Fault::Tls(error)), Some(verifier)) => verifier.needs_more_roots(error),
            _ => false,
        }
    }
}

/// Connects with the root certificates, and once more with all of them if that could help. The outer error: there are
/// no root certificates.
fn with_roots<T>(
    trust: &Trust,
    connect: impl Fn(Arc<Anchors>) -> Result<T, Failed>,
) -> Result<Result<T, Failed>, Error> {
    Ok(connect(trust.anchors()?).or_else(|raw| match raw.needs_more_roots().then(|| trust.wider()).flatten() {
        Some(wider) => connect(wider),
        None => Err(raw),
    }))
}

impl Transport for Http {
    fn send(&self, request: &Request, attempt: &Attempt) -> Result<Response, Failure> {
        let answer = with_roots(&self.trust, |anchors| self.exchange(request, attempt, anchors));
        answer.map_err(|error| Failure { error, sent: false })?.map_err(|Failed { error, observed }| Failure {
            sent: observed.stage >= Stage::Sending,
            error: Peers { secrets: &request.secrets, ..self.destination.peers() }.explain(error, &observed),
        })
    }

    fn for_child(&self) -> Box<dyn Transport> {
        let trust = Trust::shared(self.trust.roots().clone());
        Box::new(Http { destination: self.destination.clone(), trust })
    }
}

/// The answer as it was received. If the body of a refusal cannot be read, it counts as empty, because the headers of a
/// refusal matter more.
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
