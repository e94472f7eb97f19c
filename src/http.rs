//! The way to the gate: the [`Transport`] trait, and ureq behind it.
//!
//! ureq keeps the time-outs, the proxy and HTTP/1.1; TLS is put under it here, on the set-up that the process shares,
//! so that a certificate's fault keeps its reason and no agent parses roots of its own. Each request has an agent and
//! a connection of its own: one login in 18 hours gains nothing from a pool, and a child process inherits none.
//! Names are resolved on the calling thread, for ureq's own resolver starts a thread, and panics when it cannot.

use std::io::{self, Read, Write};
use std::net::ToSocketAddrs;
use std::time::{Duration, Instant, SystemTime};

use rustls::{ClientConnection, StreamOwned};
use ureq::Agent;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, NextTimeout, TcpConnector, Transport as Wire,
    TransportAdapter, time,
};
use zeroize::Zeroizing;

use crate::config::{bare, host_and_port};
use crate::error::{Error, Status};
use crate::gate::{BODY_MAX, Request, Response};
use crate::settings::{Proxy, Settings};
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock};
use crate::tls::{Peer, Setup, Trust, Witness};

mod bounded;
mod buffers;
mod corked;
use bounded::Bounded;
use buffers::WipedBuffers;
use corked::Corked;

/// Whatever carries a request to the gate and its answer back. The real one is [`Http`]; tests bring their own.
pub trait Transport: Send + Sync {
    /// Sends one request and waits for the whole answer, at most this long. Any HTTP status is an answer.
    ///
    /// Nothing is sent where the request is not `wanted` any more. Whoever makes it so calls `cancel` afterwards.
    fn send(&self, request: &Request, limit: Duration, wanted: &dyn Fn() -> bool) -> Result<Response, Failure>;

    /// Makes the requests in flight fail soon, for nobody wants their answers any more.
    fn cancel(&self) {}

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

/// HTTP/1.1 over TLS to one endpoint.
pub struct Http {
    endpoint: String,
    /// What a message calls the other side.
    host: String,
    trust: Arc<Trust>,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
    user_agent: String,
    in_flight: Mutex<InFlight>,
}

/// The agents of the requests in flight: one, and those that were disowned and have not ended yet.
#[derive(Default)]
struct InFlight {
    agents: Vec<(u64, Agent)>,
    /// How many there have been: a number is never given twice, so that nobody removes another's agent.
    count: u64,
}

/// An agent's place on the list, until its request has ended, be it in a panic.
struct Listed<'a>(&'a Mutex<InFlight>, u64);

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        lock(self.0).agents.retain(|(number, _)| *number != self.1);
    }
}

/// Buffers for one small request and one answer; ureq's own are 128 KiB each.
const INPUT_BUFFER: usize = 16 << 10;
const OUTPUT_BUFFER: usize = 8 << 10;

/// The most headers that are read. Less than the buffer: where that is full, ureq sees a closed connection.
const HEADERS_MAX: usize = 12 << 10;

impl Http {
    /// The way that these settings describe. Touches neither network nor files.
    pub fn new(settings: &Settings) -> Http {
        let uri = settings.endpoint.parse::<Uri>().unwrap_or_default();
        let host = uri.authority().map(|authority| authority.to_string());
        let excepted = |proxy: &Proxy| proxy.proxy.is_no_proxy(&uri);
        Http {
            endpoint: settings.endpoint.clone(),
            host: host.unwrap_or_default(),
            trust: Trust::shared(settings.roots.clone()),
            proxy: settings.proxy.clone().filter(|proxy| !excepted(proxy)),
            connect_timeout: settings.connect_timeout,
            user_agent: settings.user_agent.clone(),
            in_flight: Mutex::default(),
        }
    }

    /// One request over a connection of its own.
    fn exchange(
        &self,
        request: &Request,
        limit: Duration,
        wanted: &dyn Fn() -> bool,
        tls: Arc<Setup>,
    ) -> Result<Response, Raw> {
        let connected = Arc::new(AtomicBool::new(false));
        let connector = ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default());
        let end = Instant::now() + limit;
        let witness = Arc::new(Mutex::default());
        let tls =
            Tls { setup: tls, witness: witness.clone(), gate: self.host.clone(), connected: connected.clone(), end };
        let connector = connector.chain(tls);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(self.proxy.as_ref().map(|proxy| proxy.proxy.clone()))
            .timeout_global(Some(limit))
            .timeout_connect(Some(self.connect_timeout))
            .max_idle_connections(0)
            .max_response_header_size(HEADERS_MAX)
            .input_buffer_size(INPUT_BUFFER)
            .output_buffer_size(OUTPUT_BUFFER)
            .user_agent(self.user_agent.as_str())
            .build();
        let agent = Agent::with_parts(config, connector, OnThisThread);
        let _listed = self.register(agent.clone());
        if !wanted() {
            // Asked after the agent is on the list, so that a `cancel` that comes later finds it there.
            agent.clone().shutdown();
        }
        let answer = agent
            .post(&self.endpoint)
            .header("Content-Type", "application/json")
            .header("Accept", "application/json")
            .header("Accept-Encoding", "identity")
            .send(request.body.as_slice())
            .and_then(read);
        let witness = lock(&witness).take();
        answer.map_err(|error| Raw { error, witness, sent: connected.load(Ordering::Relaxed) })
    }

    fn register(&self, agent: Agent) -> Listed<'_> {
        let mut in_flight = lock(&self.in_flight);
        in_flight.count += 1;
        let number = in_flight.count;
        in_flight.agents.push((number, agent));
        Listed(&self.in_flight, number)
    }

    fn explain(&self, Raw { error, witness, sent }: Raw) -> Error {
        let untrusted = |error: &rustls::Error, server: &str, option| {
            let peer = Peer { shown: server, option };
            let said = witness.as_ref().map(|witness| witness.explain(error, &peer, SystemTime::now()));
            Error::new(Status::Tls, said.unwrap_or_else(|| format!("TLS with {server} cannot be started")))
        };
        let host = &self.host;
        let through =
            self.proxy.as_ref().map(|proxy| format!(" through the proxy {}", proxy.shown)).unwrap_or_default();
        let unreachable = |why: String| {
            let what = if sent { "broke the connection off" } else { "cannot be reached" };
            Error::new(Status::Unreachable, format!("{host} {what}{through}: {why}"))
        };
        let late = |what: &str| {
            let message = format!("{host} did not {what} in time{through}; see `timeout` and `connect_timeout`");
            Error::new(Status::Timeout, message)
        };
        let bad = |what: &str| Error::new(Status::BadResponse, format!("{host} {what}"));
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => late("connect"),
            ureq::Error::Timeout(_) => late("answer"),
            ureq::Error::HostNotFound => unreachable("its name cannot be resolved".to_owned()),
            // "proxy server responded 407/407", or other words where it said nothing.
            ureq::Error::ConnectProxyFailed(why) => {
                match why.rsplit(['/', ' ']).next().and_then(|code| code.parse().ok()) {
                    Some(407) => {
                        unreachable("it wants to be logged in to (HTTP 407); put its user into `proxy`".to_owned())
                            .with_http_status(407)
                    }
                    Some(status) => unreachable(format!("it refuses (HTTP {status})")).with_http_status(status),
                    None => unreachable(why),
                }
            }
            ureq::Error::Other(error) if error.is::<Handshake>() => match error.downcast::<Handshake>() {
                Ok(failed) if failed.server == *host => untrusted(&failed.error, &format!("{host}{through}"), "url"),
                Ok(failed) => untrusted(&failed.error, &failed.server, "proxy"),
                Err(error) => unreachable(error.to_string()),
            },
            ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(tls) => untrusted(tls, &format!("{host}{through}"), "url"),
                None if error.kind() == io::ErrorKind::TimedOut => late("answer"),
                None => unreachable(error.to_string()),
            },
            ureq::Error::Protocol(_) | ureq::Error::Http(_) if !sent && self.proxy.is_some() => {
                unreachable("it does not answer in HTTP/1.1; check `proxy`".to_owned())
            }
            ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::BodyStalled => {
                bad("does not answer in HTTP/1.1; check `url`")
            }
            ureq::Error::LargeResponseHeader(..) => bad("answered with headers of more than 12 KiB"),
            ureq::Error::BodyExceedsLimit(_) => bad("answered with a body of more than 64 KiB"),
            other => unreachable(other.to_string()),
        }
    }
}

/// A failure in ureq's words.
struct Raw {
    error: ureq::Error,
    witness: Option<Arc<Witness>>,
    sent: bool,
}

impl Raw {
    /// Whether more roots could help: none has the issuer's name, or the one that has it has another key.
    fn is_untrusted(&self) -> bool {
        let ureq::Error::Other(error) = &self.error else { return false };
        let handshake = error.downcast_ref::<Handshake>();
        self.witness.as_ref().zip(handshake).is_some_and(|(witness, failed)| witness.wants_more_roots(&failed.error))
    }
}

impl Transport for Http {
    fn send(&self, request: &Request, limit: Duration, wanted: &dyn Fn() -> bool) -> Result<Response, Failure> {
        let started = Instant::now();
        let tls = self.trust.setup().map_err(|error| Failure { error, sent: false })?;
        let answer = self.exchange(request, limit, wanted, tls).or_else(|raw| {
            match raw.is_untrusted().then(|| self.trust.wider()).flatten() {
                Some(wider) => self.exchange(request, limit.saturating_sub(started.elapsed()), wanted, wider),
                None => Err(raw),
            }
        });
        answer.map_err(|raw| Failure { sent: raw.sent, error: self.explain(raw) })
    }

    fn cancel(&self) {
        let agents = std::mem::take(&mut lock(&self.in_flight).agents);
        agents.into_iter().for_each(|(_, agent)| agent.shutdown());
    }

    fn for_child(&self) -> Box<dyn Transport> {
        Box::new(Http {
            endpoint: self.endpoint.clone(),
            host: self.host.clone(),
            trust: Trust::shared(self.trust.roots().clone()),
            proxy: self.proxy.clone(),
            connect_timeout: self.connect_timeout,
            user_agent: self.user_agent.clone(),
            in_flight: Mutex::default(),
        })
    }
}

/// Reads the answer, body and all, within the limit.
fn read(answer: ureq::http::Response<ureq::Body>) -> Result<Response, ureq::Error> {
    let (parts, mut body) = answer.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
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
    Ok(Response {
        status: parts.status.as_u16(),
        date_ms: header("date").and_then(|date| httpdate::parse_http_date(&date).ok()).map(crate::clock::unix_ms),
        retry_after: header("retry-after"),
        encoding: header("content-encoding").filter(|encoding| !encoding.eq_ignore_ascii_case("identity")),
        body: bytes,
    })
}

/// Resolves a name by the system's resolver, on this thread. Where that hangs, the refresh's waiters leave without it.
#[derive(Debug)]
struct OnThisThread;

impl Resolver for OnThisThread {
    fn resolve(&self, uri: &Uri, _: &ureq::config::Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let default_port = if uri.scheme_str() == Some("http") { 80 } else { 443 };
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let mut addresses = self.empty();
        let found = (bare(host), uri.port_u16().unwrap_or(default_port)).to_socket_addrs();
        for address in found.map_err(|_| ureq::Error::HostNotFound)?.take(16) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}

/// Puts TLS over whatever connection there is, where the URL wants it.
struct Tls {
    setup: Arc<Setup>,
    /// Of the last session.
    witness: Arc<Mutex<Option<Arc<Witness>>>>,
    /// The gate's host and port. A connection to a proxy passes here as well.
    gate: String,
    /// Set once a request to the gate may be on its way.
    connected: Arc<AtomicBool>,
    /// When the request ends, proxy and all.
    end: Instant,
}

impl Tls {
    fn connected(&self, details: &ConnectionDetails) {
        if details.uri.authority().is_some_and(|authority| authority.as_str() == self.gate) {
            self.connected.store(true, Ordering::Relaxed);
        }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl<In: Wire> Connector<In> for Tls {
    type Out = Either<Bounded<In>, TlsWire>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(plain) = chained.map(|plain| Bounded::new(plain, self.end)) else { return Ok(None) };
        if !details.needs_tls() || plain.is_tls() {
            self.connected(details);
            return Ok(Some(Either::A(plain)));
        }
        let host = details.uri.host().unwrap_or_default();
        let name =
            rustls::pki_types::ServerName::try_from(bare(host).to_owned()).map_err(|_| ureq::Error::HostNotFound)?;
        let (mut session, witness) = self.setup.session(name).map_err(io::Error::other)?;
        *lock(&self.witness) = Some(witness);
        let mut socket = TransportAdapter::new(Box::new(plain) as Box<dyn Wire>, details.current_time.clone());
        socket.set_timeout(left_of(details));
        let mut socket = Corked::new(socket);
        session.complete_io(&mut socket).map_err(|error| {
            socket.release().ok(); // the alert that tells the other side why
            Handshake::failed(error, details.uri)
        })?;
        self.connected(details);
        let buffers = WipedBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(TlsWire { buffers, stream: StreamOwned::new(session, socket) })))
    }
}

/// A handshake that failed by what TLS is for, and with whom: the gate, or a proxy before it.
#[derive(Debug)]
struct Handshake {
    server: String,
    error: rustls::Error,
}

impl Handshake {
    fn failed(error: io::Error, uri: &Uri) -> ureq::Error {
        if !error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
            return error.into();
        }
        let server = uri.authority().map(host_and_port).unwrap_or_default().to_owned();
        match error.into_inner().map(|inner| inner.downcast::<rustls::Error>()) {
            Some(Ok(error)) => ureq::Error::Other(Box::new(Handshake { server, error: *error })),
            _ => ureq::Error::ConnectionFailed,
        }
    }
}

impl std::fmt::Display for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TLS with {} failed: {}", self.server, self.error)
    }
}

impl std::error::Error for Handshake {}

/// What TCP, and a proxy, have left of the time to connect.
fn left_of(details: &ConnectionDetails) -> NextTimeout {
    let mut left = details.timeout;
    let times = (left.after, (details.current_time)(), details.now);
    if let (time::Duration::Exact(all), time::Instant::Exact(now), time::Instant::Exact(started)) = times {
        left.after = time::Duration::Exact(all.saturating_sub(now.saturating_duration_since(started)));
    }
    left
}

/// A TLS connection as ureq drives it.
struct TlsWire {
    buffers: WipedBuffers,
    stream: StreamOwned<ClientConnection, Corked<TransportAdapter>>,
}

impl std::fmt::Debug for TlsWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsWire")
    }
}

impl Wire for TlsWire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    /// The time limit is for the read that follows, for that is when it leaves.
    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.socket().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.socket().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
