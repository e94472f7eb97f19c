//! The peers by name.

/// What the figures can do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    Curl,
    Go,
    Dtlpy,
    /// No peer, but what the logins with the system's roots need.
    Roots,
}

impl Peer {
    pub const ALL: [Peer; 4] = [Peer::Curl, Peer::Go, Peer::Dtlpy, Peer::Roots];

    /// Its name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Peer::Curl => "curl",
            Peer::Go => "go",
            Peer::Dtlpy => "dtlpy",
            Peer::Roots => "roots",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Peer::Curl => "libcurl + OpenSSL + cJSON",
            Peer::Go => "Go's oauth2 package",
            Peer::Dtlpy => "the vendor's SDK (dtlpy)",
            Peer::Roots => "the system's root certificates",
        }
    }
}
