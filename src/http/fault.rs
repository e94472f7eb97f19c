//! Why a request has no answer: the stage that failed, the peer, and the sentence for it.

use std::fmt;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::time::SystemTime;

use super::dial::Unconnected;
use super::route::Target;
use super::tunnel::{self, Login, Refused};
use crate::address::Proxy;
use crate::attempt::Attempt;
use crate::error::{Error, Status};
use crate::secret::{Secrets, quote};
use crate::sync::{Arc, Mutex, Weak, lock};
use crate::trust::{Peer, Verifier};

/// The stages of a request, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The resolver resolves the name of the gate, or of the proxy.
    #[default]
    Resolving,
    /// TCP connections to the gate, or to the proxy, are attempted.
    Connecting,
    /// TLS with the proxy.
    ProxyTls,
    /// The proxy is asked for a tunnel.
    Tunnel,
    /// TLS with the gate.
    Tls,
    /// The request is sent. From this stage on, the gate may have received it.
    Sending,
    /// The answer is awaited and read.
    Waiting,
}

/// The stage of a request in flight, and its connection.
#[derive(Default)]
pub struct Progress {
    stream: Mutex<Weak<TcpStream>>,
    observed: Mutex<Observed>,
}

/// What is known of a request so far.
#[derive(Clone, Default)]
pub struct Observed {
    /// The stage that the request has reached.
    pub stage: Stage,
    /// Its last TLS handshake.
    pub verifier: Option<Arc<Verifier>>,
    /// The status of the answer, as soon as its first line has arrived.
    pub status: Option<u16>,
}

impl Observed {
    /// Whether the server of the last handshake asked for a client certificate.
    pub fn asked_for_certificate(&self) -> bool {
        self.verifier.as_ref().is_some_and(|verifier| verifier.asked_for_client_certificate())
    }
}

impl Progress {
    /// Records that the request has reached this stage.
    pub fn reach(&self, stage: Stage) {
        lock(&self.observed).stage = stage;
    }

    /// Records that a TLS handshake begins.
    pub fn handshake(&self, verifier: Arc<Verifier>) {
        lock(&self.observed).verifier = Some(verifier);
    }

    /// Records the status of an answer that begins with these bytes. Interim answers do not count.
    pub fn answered(&self, begin: &[u8]) {
        let mut observed = lock(&self.observed);
        if observed.status.is_none() {
            observed.status = tunnel::status(begin).filter(|status| *status >= 200);
        }
    }

    /// What is known of the request.
    pub fn observed(&self) -> Observed {
        lock(&self.observed).clone()
    }

    /// Records the connection, so that `end` can shut it down. If the attempt is cancelled already, the connection
    /// ends.
    pub fn connected(&self, stream: &Arc<TcpStream>, attempt: &Attempt) {
        *lock(&self.stream) = Arc::downgrade(stream);
        if attempt.is_cancelled() {
            self.end();
        }
    }

    /// Shuts the connection down, if there is one.
    pub fn end(&self) {
        if let Some(stream) = lock(&self.stream).upgrade() {
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

/// The options that set a proxy. Messages put backquotes around it.
const PROXY: &str = "proxy` or `HTTPS_PROXY";

/// What failed below HTTP.
pub enum Fault {
    /// The resolver gave no address.
    Resolve(io::Error),
    /// The resolver returned after the deadline.
    SlowResolver,
    /// No address answered.
    Connect(Unconnected),
    /// The host of a URL cannot be the name of a TLS server.
    Name,
    /// The proxy opened no tunnel.
    Tunnel(Refused),
    /// TLS failed.
    Tls(rustls::Error),
    /// The connection broke, or its deadline passed.
    Io(io::Error),
}

impl From<io::Error> for Fault {
    /// If a read or a write failed because of TLS, this returns the TLS error.
    fn from(error: io::Error) -> Fault {
        match error.downcast::<rustls::Error>() {
            Ok(tls) => Fault::Tls(tls),
            Err(error) => Fault::Io(error),
        }
    }
}

impl From<Fault> for ureq::Error {
    fn from(fault: Fault) -> ureq::Error {
        ureq::Error::Other(Box::new(fault))
    }
}

/// Not derived: nothing prints it, and it would link the debug output of every field.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request failed below HTTP")
    }
}

impl std::error::Error for Fault {}

/// The peers of a request.
pub struct Peers<'a> {
    /// The gate.
    pub gate: &'a Target,
    /// The proxy before it.
    pub proxy: Option<&'a Proxy>,
    /// Secrets that are removed from the peers' text.
    pub secrets: &'a Secrets,
}

impl Peers<'_> {
    /// The error for ureq's report of a failure at the stage that the request had reached.
    pub fn explain(&self, error: ureq::Error, observed: &Observed) -> Error {
        match error {
            ureq::Error::Other(other) => match other.downcast::<Fault>() {
                Ok(fault) => self.explain_fault(*fault, observed),
                Err(other) => self.unreachable(&self.quote(&other)),
            },
            ureq::Error::Io(error) => self.explain_fault(error.into(), observed),
            ureq::Error::Protocol(ureq_proto::Error::HttpParseTooManyHeaders) => {
                self.bad("answered with too many headers")
            }
            ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::BodyStalled => {
                self.bad("does not answer in valid HTTP/1.1; check `url`, and the proxies and firewalls before it")
            }
            ureq::Error::LargeResponseHeader(..) => self.bad("answered with headers of more than 12 KiB"),
            ureq::Error::BodyExceedsLimit(_) => self.bad("answered with a body of more than 64 KiB"),
            other => self.unreachable(&self.quote(&other)),
        }
    }

    fn explain_fault(&self, fault: Fault, observed: &Observed) -> Error {
        match fault {
            Fault::Resolve(error) => self.unresolved(&error),
            Fault::SlowResolver => {
                let (name, option) = self.resolved();
                let message = format!(
                    "{} cannot be reached: {name} was not resolved in time; check `{option}`, and DNS on this machine; \
                     `timeout` limits the time",
                    self.gate.shown
                );
                Error::new(Status::Timeout, message)
            }
            Fault::Connect(unconnected) => self.unconnected(&unconnected),
            Fault::Name => {
                let (hop, option) = if observed.stage == Stage::ProxyTls {
                    (self.hop(), PROXY)
                } else {
                    (self.gate.shown.clone(), self.gate.option)
                };
                let message = format!(
                    "TLS with {hop} cannot start: its host is not a valid name of a TLS server; check `{option}`"
                );
                Error::new(Status::Tls, message)
            }
            Fault::Tunnel(Refused::Io(error)) => self.explain_fault(error.into(), observed),
            Fault::Tunnel(Refused::Closed) => self.unreachable(&format!(
                "{} closed the connection and opened no tunnel; check `{PROXY}`, and the proxy's log",
                self.hop()
            )),
            Fault::Tunnel(Refused::NotHttp) => {
                self.unreachable(&format!("{} does not answer in HTTP/1.1; check `{PROXY}`", self.hop()))
            }
            Fault::Tunnel(Refused::Status(status, login)) => self.refused_tunnel(status, &login),
            Fault::Tls(error) => Error::new(Status::Tls, self.explain_tls(&error, observed)),
            Fault::Io(error) => self.broken(&error, observed),
        }
    }

    fn explain_tls(&self, error: &rustls::Error, observed: &Observed) -> String {
        let (hop, gate) = (self.hop(), self.gate_through());
        let peer = match self.proxy {
            Some(_) if observed.stage <= Stage::Tunnel => Peer { shown: &hop, option: PROXY, secrets: self.secrets },
            _ => Peer { shown: &gate, option: self.gate.option, secrets: self.secrets },
        };
        match &observed.verifier {
            Some(verifier) => verifier.explain(error, &peer, SystemTime::now()),
            None => format!("TLS with {} cannot start", peer.shown),
        }
    }

    /// The peer whose name is resolved, and the option that has this name.
    fn resolved(&self) -> (String, &'static str) {
        match self.proxy {
            Some(proxy) => (format!("the name of the proxy {}", proxy.shown), PROXY),
            None => ("its name".to_owned(), self.gate.option),
        }
    }

    fn unresolved(&self, error: &io::Error) -> Error {
        let text = error.to_string();
        // What Rust's standard library puts before the resolver's reason.
        let reason = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
        let (name, option) = self.resolved();
        let advice = if is_no_descriptor(error) {
            String::new()
        } else {
            format!("; check `{option}`, and DNS on this machine")
        };
        self.unreachable(&format!("{name} cannot be resolved: {reason}{advice}"))
    }

    fn unconnected(&self, unconnected: &Unconnected) -> Error {
        let gate = &self.gate.shown;
        let (subject, option) = match self.proxy {
            Some(proxy) => (format!("{gate} cannot be reached: the proxy {}", proxy.shown), PROXY),
            None => (gate.clone(), self.gate.option),
        };
        if unconnected.late {
            let limits = "`connect_timeout` and `timeout` limit the time";
            let message = format!(
                "{subject} did not connect in time ({unconnected}); check the network and the firewall; {limits}"
            );
            return Error::new(Status::Timeout, message);
        }
        let advice = if unconnected.failures.iter().any(is_no_descriptor) {
            String::new()
        } else {
            format!("; check `{option}` and the network")
        };
        Error::new(Status::Unreachable, format!("{subject} did not connect ({unconnected}){advice}"))
    }

    fn refused_tunnel(&self, status: u16, login: &Login) -> Error {
        let hop = self.hop();
        let has_user = self.proxy.is_some_and(|proxy| proxy.authorization.is_some());
        let why = match status {
            407 if !login.basic => {
                let schemes =
                    if login.others.is_empty() { "another scheme".to_owned() } else { login.others.join(", ") };
                format!(
                    "{hop} requires authentication by {schemes} (HTTP 407), and dl_auth supports only Basic; let the proxy \
                     offer Basic, or let this machine through without authentication"
                )
            }
            407 if has_user => {
                format!("{hop} refused the user (HTTP 407); check the user and the password in `{PROXY}`")
            }
            407 => format!(
                "{hop} requires authentication (HTTP 407): set `proxy=http://user:password@host:port`, or set \
                 `HTTPS_PROXY` to such a URL"
            ),
            500..=599 => {
                format!("{hop} could not open a tunnel (HTTP {status}); check `url`, and the proxy's network and DNS")
            }
            _ => format!("{hop} refused to open a tunnel (HTTP {status}); check its rules and its log"),
        };
        self.unreachable(&why).with_http_status(status)
    }

    /// The error for a connection that broke, or whose deadline passed.
    fn broken(&self, error: &io::Error, observed: &Observed) -> Error {
        let hop = self.hop();
        let (peer, does_not, before) = match observed.stage {
            Stage::Resolving | Stage::Connecting => (&hop, "connect", "it was ready"),
            Stage::ProxyTls => (&hop, "finish the TLS handshake", "the TLS handshake ended"),
            Stage::Tunnel => (&hop, "open a tunnel", "it opened a tunnel"),
            Stage::Tls => (&self.gate.shown, "finish the TLS handshake", "the TLS handshake ended"),
            Stage::Sending => (&self.gate.shown, "take the request", "it had the request"),
            Stage::Waiting => (&self.gate.shown, "answer", "its answer was complete"),
        };
        let through = if observed.stage >= Stage::Tls { self.through() } else { String::new() };
        // The kernel reports an error of the same kind if the peer does not acknowledge. That error has a number.
        if error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none() {
            let option = if observed.stage >= Stage::Sending {
                "`timeout` limits"
            } else {
                "`connect_timeout` and `timeout` limit"
            };
            let advice = match observed.stage {
                Stage::Resolving | Stage::Connecting => "check the network",
                Stage::ProxyTls => "check the network, and whether the proxy's URL must begin with http://",
                Stage::Tunnel => "check the proxy",
                Stage::Tls if self.gate.option == "store" => {
                    "check the network; without TLS, `store` begins with `redis://`"
                }
                Stage::Tls => "check the network, and that `url` names an https port",
                Stage::Sending | Stage::Waiting => "check the network and the gate's state",
            };
            let message = format!("{peer} did not {does_not} in time{through}; {advice}; {option} the time");
            return Error::new(Status::Timeout, message);
        }
        if observed.asked_for_certificate() {
            let message = format!(
                "{peer} closed the connection after it asked for a client certificate{through}, which dl_auth does not \
                 support; configure the server to accept requests without one, or check `url`"
            );
            return Error::new(Status::Tls, message);
        }
        // For an early end, the texts of rustls and ureq do not help an operator.
        let reason = if error.kind() == io::ErrorKind::UnexpectedEof {
            String::new()
        } else {
            format!(" ({})", self.quote(error))
        };
        let message = format!(
            "the connection to {peer}{through} ended before {before}{reason}; check its log, and the proxies and \
             firewalls before it"
        );
        Error::new(Status::Unreachable, message)
    }

    /// What a request does at this stage.
    pub fn doing(&self, stage: Stage) -> String {
        let (hop, gate) = (self.hop(), self.gate_through());
        match stage {
            Stage::Resolving => format!("resolving the name of {hop} by the system's name resolver"),
            Stage::Connecting => format!("connecting to {hop}"),
            Stage::ProxyTls => format!("in the TLS handshake with {hop}"),
            Stage::Tunnel => format!("waiting for a tunnel through {hop}"),
            Stage::Tls => format!("in the TLS handshake with {gate}"),
            Stage::Sending => format!("sending the request to {gate}"),
            Stage::Waiting => format!("waiting for the answer of {gate}"),
        }
    }

    /// The gate, and the proxy before it.
    pub fn gate_through(&self) -> String {
        format!("{}{}", self.gate.shown, self.through())
    }

    /// The first peer on the way.
    fn hop(&self) -> String {
        match self.proxy {
            Some(proxy) => format!("the proxy {}", proxy.shown),
            None => self.gate.shown.clone(),
        }
    }

    fn through(&self) -> String {
        self.proxy.map(|proxy| format!(" through the proxy {}", proxy.shown)).unwrap_or_default()
    }

    /// The text of an error, parts of which may come from a peer.
    fn quote(&self, error: &dyn fmt::Display) -> String {
        quote(&error.to_string(), &[self.secrets])
    }

    fn unreachable(&self, why: &str) -> Error {
        Error::new(Status::Unreachable, format!("{} cannot be reached: {why}", self.gate.shown))
    }

    fn bad(&self, what: &str) -> Error {
        Error::new(Status::BadResponse, format!("{} {what}", self.gate.shown))
    }
}

/// Whether the process or the system has no file descriptor left. If so, no other advice helps.
pub fn is_no_descriptor(error: &io::Error) -> bool {
    #[cfg(unix)]
    return matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
    #[cfg(not(unix))]
    return false;
}
