//! The way to the gate: resolve, connect, the tunnel of a proxy, TLS.
//!
//! `connect_timeout` bounds all of it but the resolver, which blocks as long as the system lets it. Names are resolved on
//! the calling thread, because a refresh has a thread already.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Instant;

use rustls::StreamOwned;
use rustls::pki_types::ServerName;
use ureq::http::Uri;

use super::corked::Corked;
use super::dial::dial;
use super::fault::is_no_descriptor;
use super::link::{Link, Socket, Wire};
use super::{Fault, INPUT_BUFFER, OUTPUT_BUFFER, Progress, Stage, Way, tunnel};
use crate::address::bare;
use crate::process::{above_stdio, occupying_stdio};
use crate::sync::Arc;
use crate::trust::Setup;

/// The way to the gate, for one request.
pub struct Route<'a> {
    /// Where the request goes, and how.
    pub way: &'a Way,
    /// What the proxy and the gate are trusted by.
    pub tls: Arc<Setup>,
    /// When the request ends.
    pub end: Instant,
    /// How far the request has come.
    pub progress: Arc<Progress>,
}

/// The gate as a place on the network.
#[derive(Clone)]
pub struct Target {
    /// Its host, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the way to it is TLS.
    pub tls: bool,
    /// The URL's host and port, which a message may show.
    pub shown: String,
}

impl Target {
    /// The target of a URL.
    pub fn new(uri: &Uri) -> Target {
        let tls = uri.scheme_str() != Some("http");
        Target {
            host: bare(uri.host().unwrap_or_default()).to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            tls,
            shown: uri.authority().map(|authority| authority.to_string()).unwrap_or_default(),
        }
    }

    /// Host and port for a CONNECT request.
    fn authority(&self) -> String {
        let Target { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl Route<'_> {
    /// Makes the connection.
    pub fn open(&self) -> Result<Wire, ureq::Error> {
        let link = self.link()?;
        Ok(Wire::new(link, self.progress.clone(), INPUT_BUFFER, OUTPUT_BUFFER))
    }

    fn link(&self) -> Result<Link, Fault> {
        let Way { target, proxy, .. } = self.way;
        let (host, port) = match proxy {
            Some(proxy) => (&proxy.host, proxy.port),
            None => (&target.host, target.port),
        };
        self.progress.reach(Stage::Resolving);
        let addresses = resolve(host, port).map_err(Fault::Resolve)?;
        if Instant::now() >= self.end {
            return Err(Fault::SlowResolver);
        }

        self.progress.reach(Stage::Connecting);
        let end = self.end.min(Instant::now() + self.way.connect_timeout);
        let stream = dial(&addresses, end, &|| !self.progress.is_cancelled()).map_err(Fault::Connect)?;
        let stream = Arc::new(stream);
        // From here on, another thread can end the connection.
        self.progress.connected(&stream);
        let mut link = Link::Tcp(Socket::new(stream, end), Vec::new());

        if let Some(proxy) = proxy {
            if proxy.tls {
                self.progress.reach(Stage::ProxyTls);
                link = self.secure(link, &proxy.host)?;
            }
            self.progress.reach(Stage::Tunnel);
            let opened =
                tunnel::open(&mut link, &target.authority(), &self.way.user_agent, proxy.authorization.as_ref());
            link.put_back(opened.map_err(Fault::Tunnel)?);
        }
        if target.tls {
            self.progress.reach(Stage::Tls);
            link = self.secure(link, &target.host)?;
        }
        link.until(self.end);
        Ok(link)
    }

    /// A TLS session over this connection.
    fn secure(&self, link: Link, host: &str) -> Result<Link, Fault> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Fault::Name)?;
        let (mut session, witness) = self.tls.session(name).map_err(Fault::Tls)?;
        self.progress.watch(witness);
        let mut socket = Corked::new(link);
        session.complete_io(&mut socket).map_err(|error| {
            // The alert that tells the other side why.
            socket.release().and_then(|()| socket.socket().release()).ok();
            Fault::from(error)
        })?;
        Ok(Link::Tls(Box::new(StreamOwned::new(session, socket)), Vec::new()))
    }
}

/// The addresses of a name, by the system's resolver.
fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match occupying_stdio(|| (host, port).to_socket_addrs()) {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(no_descriptor().unwrap_or(error)),
    }
}

/// The error of a process or a system that has no descriptor left: the resolver does not tell it apart from an unknown
/// name.
fn no_descriptor() -> Option<io::Error> {
    above_stdio(|| std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0))).err().filter(is_no_descriptor)
}
