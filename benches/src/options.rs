//! The command line options. `make bench` uses none of them.

use std::path::{Path, PathBuf};

use crate::peer::Peer;
use crate::run::Outcome;

const HELP: &str = "\
options for the tests and for work on the benchmarks:
  --quick          few and short rounds: a test run without useful numbers
  --without LIST   act as if these peers were missing: curl,go,dtlpy,roots,
                   redis,no-redis,
                   or these hosts: cpp,cgo,python,csharp,lua
  --out DIR        directory of benchmarks.md (docs)
  --library DIR    directory of libdl_auth.so (next to this program)
  --work DIR       directory of compiled programs (bench, next to release)
  --peers DIR      directory of the peers' sources (benches/peers)";

/// All directories, and the requested work.
pub struct Options {
    pub quick: bool,
    pub without: Vec<Peer>,
    pub out: PathBuf,
    pub built: PathBuf,
    pub work: PathBuf,
    pub peers: PathBuf,
}

impl Options {
    /// Makes paths absolute, because programs run in other directories too.
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let program = std::env::current_exe().map_err(|error| format!("this program's own path: {error}"))?;
        let built = program.parent().unwrap_or(Path::new("."));
        let mut options = Self {
            quick: false,
            without: Vec::new(),
            out: root().join("docs"),
            built: built.to_owned(),
            work: built.parent().unwrap_or(built).join("bench"),
            peers: root().join("benches/peers"),
        };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value\n{HELP}"));
            match name.as_str() {
                "--quick" => options.quick = true,
                "--without" => options.without = value()?.split(',').map(peer).collect::<Outcome<_>>()?,
                "--out" => options.out = path(value()?)?,
                "--library" => options.built = path(value()?)?,
                "--work" => options.work = path(value()?)?,
                "--peers" => options.peers = path(value()?)?,
                _ => return Err(format!("there is no option {name}\n{HELP}")),
            }
        }
        Ok(options)
    }
}

fn path(text: String) -> Outcome<PathBuf> {
    std::path::absolute(&text).map_err(|error| format!("{text}: {error}"))
}

fn peer(word: &str) -> Outcome<Peer> {
    Peer::ALL.into_iter().find(|peer| peer.word() == word).ok_or_else(|| format!("there is no peer {word}\n{HELP}"))
}

/// The root of the repository.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// A path for output: relative to the repository, if it is inside.
pub fn shown(path: &Path) -> std::path::Display<'_> {
    path.strip_prefix(root()).unwrap_or(path).display()
}
