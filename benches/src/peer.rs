//! The names of the peers. A peer is another implementation that `dl_auth` is compared with.

/// A peer may be missing: the figures then have a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    Curl,
    Go,
    Dtlpy,
    Cpp,
    GoHost,
    Python,
    CSharp,
    Lua,
    /// Not a peer: the file that logins with the system's roots need.
    Roots,
    /// Not a peer: the server that has a shared token.
    Redis,
    /// Not a peer: our library without the feature `redis`.
    NoRedis,
}

impl Peer {
    pub const ALL: [Peer; 11] = [
        Peer::Curl,
        Peer::Go,
        Peer::Dtlpy,
        Peer::Cpp,
        Peer::GoHost,
        Peer::Python,
        Peer::CSharp,
        Peer::Lua,
        Peer::Roots,
        Peer::Redis,
        Peer::NoRedis,
    ];

    /// The name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Peer::Curl => "curl",
            Peer::Go => "go",
            Peer::Dtlpy => "dtlpy",
            Peer::Cpp => "cpp",
            Peer::GoHost => "cgo",
            Peer::Python => "python",
            Peer::CSharp => "csharp",
            Peer::Lua => "lua",
            Peer::Roots => "roots",
            Peer::Redis => "redis",
            Peer::NoRedis => "no-redis",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Peer::Curl => "libcurl + OpenSSL + cJSON",
            Peer::Go => "Go's oauth2 package",
            Peer::Dtlpy => "the vendor's SDK (dtlpy)",
            Peer::Cpp => "C++",
            Peer::GoHost => "Go with cgo",
            Peer::Python => "Python",
            Peer::CSharp => "Mono",
            Peer::Lua => "LuaJIT",
            Peer::Roots => "the system's root certificates",
            Peer::Redis => "a Redis server",
            Peer::NoRedis => "the library without Redis",
        }
    }
}
