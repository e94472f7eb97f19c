//! The common parts of all measurements: the plan, the gate, the other implementations, and the book.

use std::path::PathBuf;
use std::process::Command;

use dl_auth_gate::{Gate, Settings};

use crate::book::Book;
use crate::options::Options;
use crate::peer::Peer;
use crate::peers::Peers;
use crate::plan::{Plan, TOKEN_BYTES};
use crate::run::{Outcome, Process, clean};

/// The root certificates that a login trusts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trust {
    /// A bundle of the system's root certificates, with the gate's at its end.
    System,
    /// Only the gate's root certificate.
    Pinned,
}

/// The directory of the shared token. Each run begins without one.
const STORE: &str = "store";

pub struct Bench {
    pub plan: Plan,
    pub peers: Peers,
    pub book: Book,
    pub gate: Gate,
    pub work: PathBuf,
    pub sources: PathBuf,
    pub shared_library: PathBuf,
}

impl Bench {
    /// Compiles the measured programs, and starts the gate.
    pub fn prepare(options: &Options) -> Outcome<Self> {
        let shared_library = options.built.join("libdl_auth.so");
        if !shared_library.exists() {
            return Err(format!("there is no {}; `make lib` builds it", shared_library.display()));
        }
        std::fs::create_dir_all(&options.work).map_err(|error| format!("{}: {error}", options.work.display()))?;
        let peers = Peers::find(options)?;
        let gate = Gate::try_start(Settings { pad_to: Some(TOKEN_BYTES), ..Settings::default() })
            .map_err(|error| format!("cannot start the gate: {error}"))?;
        let plan = if options.quick { Plan::quick() } else { Plan::full() };
        let (work, sources) = (options.work.clone(), options.peers.clone());
        std::fs::remove_dir_all(work.join(STORE)).ok();
        let bench = Self { plan, peers, book: Book::default(), gate, work, sources, shared_library };
        bench.write_bundle()?;
        Ok(bench)
    }

    /// One of our programs, configured to log in at the gate.
    pub fn ours(&self, program: &str, trust: Trust) -> Command {
        let mut command = clean(self.peers.program(program));
        self.set_environment(&mut command, trust);
        command
    }

    /// Sets the variables `DL_AUTH_*` of a program so that it logs in at the gate.
    pub fn set_environment(&self, command: &mut Command, trust: Trust) {
        command.envs([("DL_AUTH_URL", self.gate.url()), ("DL_AUTH_PROXY", "none")]);
        let Settings { username, password, .. } = Settings::default();
        command.envs([("DL_AUTH_USERNAME", username), ("DL_AUTH_PASSWORD", password)]);
        match trust {
            Trust::System => command.env("SSL_CERT_FILE", self.bundle()),
            Trust::Pinned => {
                command.env("DL_AUTH_CA_FILE", self.gate.ca_file()).env("DL_AUTH_TLS_ROOTS", "ca_file_only")
            }
        };
    }

    /// The variables `DL_AUTH_*` with which a program of ours shares its token in a directory.
    pub fn sharing(&self) -> [(&'static str, String); 2] {
        let store = format!("file:{}", self.work.join(STORE).display());
        [("DL_AUTH_STORE", store), ("DL_AUTH_STORE_REQUIRED", "true".to_owned())]
    }

    /// The program of another implementation, configured for the same login.
    pub fn theirs(&self, peer: Peer, trust: Trust) -> Option<Command> {
        let mut command = clean(self.peers.get(peer)?);
        let Settings { username, password, .. } = Settings::default();
        command.envs([("BENCH_USERNAME", username), ("BENCH_PASSWORD", password)]);
        command.env("BENCH_URL", self.gate.url());
        command.env(
            "BENCH_CA_FILE",
            match trust {
                Trust::System => self.bundle(),
                Trust::Pinned => self.gate.ca_file().to_owned(),
            },
        );
        Some(command)
    }

    /// A token from the gate.
    pub fn token(&self) -> Outcome<String> {
        let mut login = Process::start(&mut self.ours("login", Trust::Pinned))?;
        let (_, token) = login.line()?;
        login.end()?;
        match token.len() {
            TOKEN_BYTES => Ok(token),
            other => Err(format!("the gate's token has {other} bytes, not {TOKEN_BYTES}")),
        }
    }

    /// The kinds of trust that can be measured here.
    pub fn trusts(&self) -> Vec<Trust> {
        let system = self.peers.get(Peer::Roots).map(|_| Trust::System);
        system.into_iter().chain([Trust::Pinned]).collect()
    }

    /// The bundle of the system's root certificates and the gate's.
    pub fn bundle(&self) -> PathBuf {
        self.work.join("bundle.pem")
    }

    fn write_bundle(&self) -> Outcome<()> {
        let Some(roots) = self.peers.get(Peer::Roots) else { return Ok(()) };
        let read = |path| std::fs::read(path).map_err(|error| format!("{}: {error}", std::path::Path::display(path)));
        let all = [read(roots)?, read(self.gate.ca_file())?].concat();
        std::fs::write(self.bundle(), all).map_err(|error| format!("{}: {error}", self.bundle().display()))
    }
}
