//! Tunnels through squid, with and without a login, and the message if a login is missing.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use crate::client::{Program, gate};
use crate::squid::{Login, PROXY_PASSWORD, PROXY_USER, Squid};
use dl_auth_gate::Gate;

/// A gate, squid, and the client.
fn start(name: &str, login: Login, more: &str) -> (Gate, Squid, Program) {
    (gate(), Squid::start(name, login, more), Program::compile(name))
}

fn right_user() -> String {
    format!("{PROXY_USER}:{PROXY_PASSWORD}")
}

/// This number of header lines in each answer of squid's own. Squid does not add them to the answer that opens a
/// tunnel.
fn headers(count: usize) -> String {
    (0..count).map(|n| format!("reply_header_add X-Filler-{n} value all\n")).collect()
}

#[test]
fn squid_tunnels_without_a_login() {
    let (gate, squid, program) = start("open", Login::No, "");
    for user in ["", "canary-unknown:canary"] {
        let answer = program.ask(&gate, &[&format!("proxy={}", squid.url(user))], &[]);
        assert!(answer.has_token(), "{answer:?}");
    }
    assert_eq!(gate.counts().logins, 2);
}

#[test]
fn squid_accepts_the_right_user() {
    let (gate, squid, program) = start("user", Login::Basic, "");
    let answer = program.ask(&gate, &[&format!("proxy={}", squid.url(&right_user()))], &[]);
    assert!(answer.has_token(), "{answer:?}");
    assert_eq!((gate.counts().logins, squid.asked()), (1, 1));
}

#[test]
fn basic_is_used_even_if_squid_prefers_other_schemes() {
    let (gate, squid, program) = start("all", Login::All, "");
    let answer = program.ask(&gate, &[&format!("proxy={}", squid.url(&right_user()))], &[]);
    assert!(answer.has_token(), "{answer:?}");
    let answer = program.ask(&gate, &[&format!("proxy={}", squid.url("canary:canary"))], &[]);
    answer.is_refused("DL_AUTH_E_UNREACHABLE", 407, &["refused the user"]);
    assert_eq!(squid.asked(), 2, "it sends the right and the wrong password once each");
}

#[test]
fn a_refused_user_is_sent_once_and_the_message_reports_the_refusal() {
    // With and without many header lines: the status is always found.
    for (name, more) in [("wrong", String::new()), ("wrong-40", headers(40))] {
        let (gate, squid, program) = start(name, Login::Basic, &more);
        // Squid does not ask its login program about an empty password.
        let users = [("canary-user:canary", 1), ("canary-user", 1), ("canary-user:2024", 2), (":canary", 3)];
        for (user, asked) in users {
            let answer = program.ask(&gate, &[&format!("proxy={}", squid.url(user)), "max_attempts=3"], &[]);
            let place = format!("127.0.0.1:{}", squid.port);
            answer.is_refused("DL_AUTH_E_UNREACHABLE", 407, &["refused the user", &place]);
            assert_eq!(squid.asked(), asked, "a password must be sent only once");
        }
        assert_eq!(gate.counts().connections, 0);
    }
}

#[test]
fn if_a_proxy_requires_a_login_the_message_names_the_option() {
    for (name, more) in [("none", String::new()), ("none-40", headers(40))] {
        let (gate, squid, program) = start(name, Login::Basic, &more);
        let answer = program.ask(&gate, &[&format!("proxy={}", squid.url(""))], &[]);
        let place = format!("127.0.0.1:{}", squid.port);
        answer.is_refused(
            "DL_AUTH_E_UNREACHABLE",
            407,
            &["requires authentication", "set `proxy=http://user:password@host:port`", &place],
        );
        assert!(!answer.text.contains("refused the user"), "{answer:?}");
        assert_eq!((gate.counts().connections, squid.asked()), (0, 0));
    }
}

#[test]
fn if_a_proxy_does_not_offer_basic_the_message_names_its_schemes() {
    let (gate, squid, program) = start("ntlm", Login::Unsupported, "");
    for user in ["", &right_user()] {
        let answer = program.ask(&gate, &[&format!("proxy={}", squid.url(user))], &[]);
        answer.is_refused("DL_AUTH_E_UNREACHABLE", 407, &["Negotiate, NTLM", "supports only Basic"]);
    }
    assert_eq!(gate.counts().connections, 0);
}

#[test]
fn if_a_proxy_denies_the_gate_the_message_reports_the_status() {
    for (name, more) in [("deny", String::new()), ("deny-40", headers(40))] {
        let (gate, squid, program) = start(name, Login::No, &(more + "http_access deny all"));
        let answer = program.ask(&gate, &[&format!("proxy={}", squid.url("")), "max_attempts=1"], &[]);
        answer.is_refused("DL_AUTH_E_UNREACHABLE", 403, &[&format!("127.0.0.1:{}", squid.port), "403"]);
    }
}

#[test]
fn an_answer_with_many_headers_opens_a_tunnel() {
    let (gate, program) = (gate(), Program::compile("headers"));
    for lines in [20, 21, 40, 100] {
        let port = proxy_with_headers(lines);
        let answer = program.ask(&gate, &[&format!("proxy=http://127.0.0.1:{port}")], &[]);
        assert!(answer.has_token(), "{lines} header lines: {answer:?}");
    }
}

#[test]
fn a_tunnel_works_through_an_https_proxy() {
    let (gate, squid, program) = start("tls", Login::Basic, "");
    let both = fs::read_to_string(gate.ca_file()).unwrap() + &squid.ca();
    let ca_file = format!("ca_file={}", squid.file("both.pem", &both).display());
    let url = |user: &str| format!("proxy=https://{user}@localhost:{}", squid.tls_port);
    let answer = program.ask(&gate, &[&ca_file, &url(&right_user())], &[]);
    assert!(answer.has_token(), "{answer:?}");
    let answer = program.ask(&gate, &[&ca_file, &url("canary:canary")], &[]);
    answer.is_refused("DL_AUTH_E_UNREACHABLE", 407, &["refused the user"]);
    assert_eq!((gate.counts().logins, squid.asked()), (1, 2));
    // Without the proxy's CA, no login is sent to the proxy.
    let answer = program.ask(&gate, &[&url("canary:canary")], &[]);
    answer.is_refused("DL_AUTH_E_TLS", 0, &[&format!("localhost:{}", squid.tls_port)]);
    assert_eq!(squid.asked(), 2);
}

#[test]
fn the_environment_sets_the_proxy_and_the_hosts_that_bypass_it() {
    let (gate, squid, program) = start("environment", Login::Basic, "");
    let by_address = format!("url={}", gate.url().replace("localhost", "127.0.0.1"));
    let good = squid.url(&right_user());
    let without_scheme = good.trim_start_matches("http://");
    for proxy in [("HTTPS_PROXY", good.as_str()), ("https_proxy", without_scheme)] {
        for no_proxy in ["", "gate.invalid", "localhost:1", "10.0.0.0/8"] {
            let answer = program.ask(&gate, &[&by_address], &[proxy, ("NO_PROXY", no_proxy)]);
            assert!(answer.has_token(), "{no_proxy}: {answer:?}");
        }
    }
    assert_eq!(squid.asked(), 1, "the tunnel must be used");

    let dead = "http://canary:canary@127.0.0.1:1"; // a request to this proxy fails
    let encode = "percent-encode";
    for (proxy, words) in [
        (dead, ("DL_AUTH_E_UNREACHABLE", "127.0.0.1:1")),
        ("socks5h://canary:canary@127.0.0.1:1080", ("DL_AUTH_E_INVALID_VALUE", "`socks5h`")),
        ("http://canary:2024/canary@127.0.0.1:3128", ("DL_AUTH_E_INVALID_VALUE", encode)),
        ("http://canary:2024#canary@127.0.0.1:3128", ("DL_AUTH_E_INVALID_VALUE", encode)),
        ("http://canary:2024?canary@127.0.0.1:3128", ("DL_AUTH_E_INVALID_VALUE", encode)),
    ] {
        let proxy = ("HTTPS_PROXY", proxy);
        let answer = program.ask(&gate, &[&by_address, "max_attempts=1"], &[proxy]);
        answer.is_refused(words.0, 0, &[words.1]);
        assert!(!answer.text.contains("2024"), "{answer:?}");
        for no_proxy in ["*", "127.0.0.0/8", "gate.invalid,127.0.0.1"] {
            let answer = program.ask(&gate, &[&by_address], &[proxy, ("NO_PROXY", no_proxy)]);
            assert!(answer.has_token(), "{no_proxy}: {answer:?}");
        }
        let answer = program.ask(&gate, &["proxy=none"], &[proxy]);
        assert!(answer.has_token(), "{answer:?}");
    }
    let answer = program.ask(&gate, &[&format!("proxy={dead}"), "max_attempts=1"], &[("NO_PROXY", "*")]);
    answer.is_refused("DL_AUTH_E_UNREACHABLE", 0, &["127.0.0.1:1"]);
}

/// A proxy that opens each tunnel with an answer of this number of header lines. Its threads end with the process.
fn proxy_with_headers(lines: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            std::thread::spawn(move || tunnel(near, lines));
        }
    });
    port
}

fn tunnel(mut near: TcpStream, lines: usize) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        near.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let place = request.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).expect("a CONNECT");
    let far = TcpStream::connect(place)?;
    let headers: String = (0..lines).map(|n| format!("X-Filler-{n}: value\r\n")).collect();
    near.write_all(format!("HTTP/1.1 200 Connection established\r\n{headers}\r\n").as_bytes())?;
    let (mut near_reader, mut far_writer) = (near.try_clone()?, far.try_clone()?);
    std::thread::spawn(move || {
        io::copy(&mut near_reader, &mut far_writer).ok();
        far_writer.shutdown(Shutdown::Write).ok();
    });
    io::copy(&mut &far, &mut near)?;
    near.shutdown(Shutdown::Write)
}
