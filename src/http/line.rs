//! A connection to a server that does not use HTTP: the server of a shared store. It is made like a connection to the
//! gate, but without a proxy.

use std::io::{self, Read, Write};
use std::time::Duration;

use super::link::Link;
use super::route::{Route, Target};
use super::{Destination, Failed, Ongoing, Peers, Progress, Stage, with_roots};
use crate::attempt::Attempt;
use crate::error::Error;
use crate::secret::Secrets;
use crate::sync::Arc;
use crate::trust::{Anchors, Roots, Trust};

/// Makes connections to one server.
pub struct Line {
    destination: Arc<Destination>,
    trust: Arc<Trust>,
}

/// A connection.
pub struct Connection {
    link: Link,
    ongoing: Arc<Ongoing>,
}

impl Line {
    /// Connections to this server. The option that names the server appears in messages.
    pub fn new(target: Target, connect_timeout: Duration, roots: Roots) -> Line {
        let destination =
            Destination { endpoint: String::new(), target, proxy: None, connect_timeout, user_agent: String::new() };
        Line { destination: Arc::new(destination), trust: Trust::shared(roots) }
    }

    /// The same connections for a child process.
    pub fn for_child(&self) -> Line {
        Line { destination: self.destination.clone(), trust: Trust::shared(self.trust.roots().clone()) }
    }

    /// The server's host and port.
    pub fn shown(&self) -> &str {
        &self.destination.target.shown
    }

    /// Connects. Blocks until the deadline of the attempt.
    pub fn open(&self, attempt: &Attempt) -> Result<Connection, Error> {
        with_roots(&self.trust, |anchors| self.connect(attempt, anchors))?.map_err(|Failed { error, observed }| {
            Peers { secrets: Secrets::NONE, ..self.destination.peers() }.explain(error, &observed)
        })
    }

    fn connect(&self, attempt: &Attempt, anchors: Arc<Anchors>) -> Result<Connection, Failed> {
        let progress = Arc::new(Progress::default());
        let ongoing = Arc::new(Ongoing { destination: self.destination.clone(), progress: progress.clone() });
        let _registered = attempt.register(ongoing.clone());
        let route = Route { destination: &self.destination, anchors, attempt, progress: progress.clone() };
        match route.link() {
            Ok(link) => Ok(Connection { link, ongoing }),
            Err(fault) => Err(Failed { error: fault.into(), observed: progress.observed() }),
        }
    }
}

impl Connection {
    /// Sends bytes and reads the answer with `read`. Blocks until the deadline of the attempt.
    pub fn exchange<R>(
        &mut self,
        bytes: &[u8],
        attempt: &Attempt,
        read: impl FnOnce(&mut dyn Read) -> io::Result<R>,
    ) -> io::Result<R> {
        let _registered = attempt.register(self.ongoing.clone());
        if attempt.is_cancelled() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.link.until(attempt.deadline);
        self.ongoing.progress.reach(Stage::Sending);
        self.link.write_all(bytes)?;
        self.link.release()?;
        self.ongoing.progress.reach(Stage::Waiting);
        read(&mut self.link)
    }
}
