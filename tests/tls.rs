//! TLS with real servers: one table of configurations of nginx and `openssl s_server`, and the result of a login at
//! each.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "tls/pki.rs"]
mod pki;
#[path = "tls/rows.rs"]
mod rows;
#[path = "tls/servers.rs"]
mod servers;

use dl_auth::{Auth, Config, Status};
use pki::Pki;
use rows::Row;
use servers::Servers;

/// The result of a login at the server of this row: the status, and the message of a failure.
fn login(row: &Row, pki: &Pki, port: u16, proxy: &str) -> (Option<Status>, String) {
    let direct = ["localhost", "127.0.0.1"].contains(&row.host);
    let (url, ca) = (format!("https://{}:{port}", row.host), pki.join(row.trusts));
    let mut config = Config::new();
    for (key, value) in [
        ("username", "bot@example.com"),
        ("password", "correct horse"),
        ("url", &url),
        ("ca_file", ca.to_str().unwrap()),
        ("tls_roots", "ca_file_only"),
        ("proxy", if direct { "none" } else { proxy }),
        ("max_attempts", "1"),
        ("timeout", "60s"),
        ("connect_timeout", "60s"),
        ("wait", "60s"),
    ] {
        config.set(key, value).unwrap();
    }
    match Auth::new(&config).and_then(|auth| auth.token(|token| token.jwt().text().to_owned())) {
        Ok(jwt) => (None, jwt),
        Err(error) => (Some(error.status()), error.message().to_owned()),
    }
}

#[test]
fn each_configuration_gives_a_token_or_a_message_with_the_reason() {
    let pki = Pki::new();
    rows::CERTS.iter().for_each(|cert| pki.make(cert));
    let servers = Servers::start(&pki, rows::ROWS);
    let mut wrong = Vec::new();
    for (row, port) in rows::ROWS.iter().zip(&servers.ports) {
        let (status, message) = login(row, &pki, *port, &servers.proxy);
        let shown = format!("{}:{port}", row.host);
        let mut fault = |what: &str| wrong.push(format!("{}: {what}: {status:?} {message}", row.name));
        if status != row.status {
            fault("the status");
        }
        if status != Some(Status::Tls) {
            continue;
        }
        if message.len() > 511 || !message.contains(&shown) {
            fault("the length, or the peer's name");
        }
        for word in row.says {
            if !message.contains(word) {
                fault(&format!("no \"{word}\""));
            }
        }
        let never = ["correct horse", "bot@example", "Some(", "Error", "{", "[", "::", "\n", "issuer is unknown"];
        for word in never.iter().chain(row.never) {
            if message.contains(word) {
                fault(&format!("has \"{word}\""));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows::ROWS.len(), wrong.join("\n"));
}
