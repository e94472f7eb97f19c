//! Real networks: squid as the proxy, and network namespaces with addresses that do not answer.
//!
//! The client is a C program with the library as it is released, because the environment and the resolver's files
//! belong to a process. Connection attempts are counted by their first packets, so no test measures time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

#[path = "network/client.rs"]
mod client;
#[path = "network/connect.rs"]
mod connect;
#[path = "network/namespaces.rs"]
mod namespaces;
#[path = "network/proxies.rs"]
mod proxies;
#[path = "network/squid.rs"]
mod squid;

use common::Scratch;

/// A directory for the files of a test. Each user can write to it, and its path is short enough for a Unix socket.
fn temporary(name: &str) -> Scratch {
    let path = std::env::temp_dir().join(format!("dl_auth-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a temporary directory");
    let anyone = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&path, anyone).expect("its permissions");
    Scratch(path)
}
