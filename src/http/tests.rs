//! Requests to a real gate on this machine, over real TLS.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::{Instant, SystemTime};

use dl_auth_gate::Gate;
use serde_json::{Value, json};

use super::*;
use crate::attempt::Cancellation;
use crate::clock::{Clock, System};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::error::Status;
use crate::gate::{self, BODY_MAX};
use crate::secret::Secret;

mod stages;

/// A limit that only detects a hang.
fn limit() -> Duration {
    dl_auth_gate::patience(600)
}

/// A limit that the test waits for. The steps before it take much less time, also on a busy machine.
const SHORT: Duration = Duration::from_secs(2);

fn client_with_env(options: &[(&str, &str)], env: &[(&str, &Path)]) -> Http {
    let mut config = Config::new();
    let usual = [("username", "u"), ("password", "p"), ("connect_timeout", "5m")];
    for (key, value) in usual.iter().chain(options) {
        config.set(key, value).unwrap();
    }
    let read = |name: &str| env.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_os_str().to_owned());
    Http::new(&Settings::resolve(&config, read, 0).unwrap())
}

/// A client of one of the gate's URLs, which trusts only its CA.
fn client(gate: &Gate, url: &str, options: &[(&str, &str)]) -> Http {
    let ca = gate.ca_file().to_str().unwrap();
    let usual = [("url", url), ("ca_file", ca), ("tls_roots", "ca_file_only"), ("allow_http", "true")];
    client_with_env(&[&usual, options].concat(), &[])
}

/// An attempt that ends after this time.
fn within(limit: Duration) -> Attempt {
    Attempt::new(System.boot() + limit, Arc::default())
}

/// An attempt and its cancellation.
fn cancellable() -> (Attempt, Arc<Cancellation>) {
    let cancellation = Arc::<Cancellation>::default();
    (Attempt::new(System.boot() + limit(), cancellation.clone()), cancellation)
}

fn login() -> Request {
    let secret = |text: &str| Secret::new(text.to_owned());
    gate::login(&Credentials::new(secret("bot@example.com"), secret("correct horse battery staple")))
}

/// The result of a login at a gate with this behaviour.
fn outcome(plan: Value) -> Result<Response, Failure> {
    let gate = Gate::start();
    gate.plan(plan);
    let outcome = client(&gate, gate.url(), &[]).send(&login(), &within(limit()));
    assert_eq!((gate.counts().requests, gate.counts().redirected_hits), (1, 0), "each request is sent once");
    outcome
}

fn failure(plan: Value) -> (Status, bool) {
    let failure = outcome(plan).err().expect("a failure");
    (failure.error.status(), failure.sent)
}

#[test]
fn the_request_is_on_the_wire_as_the_gate_documents_it() {
    let gate = Gate::start();
    let answer = client(&gate, gate.url(), &[("user_agent", "robot/1")]).send(&login(), &within(limit())).unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.date_ms.is_some_and(|date| (date - crate::clock::unix_ms(SystemTime::now())).abs() < 600_000));
    let seen = gate.last_request().unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/token?default"));
    for (name, value) in [
        ("content-type", "application/json"),
        ("accept-encoding", "identity"),
        ("user-agent", concat!("dl_auth/", env!("CARGO_PKG_VERSION"), " robot/1")),
    ] {
        assert_eq!(seen.header(name), Some(value));
    }
    assert_eq!((gate.counts().bad_requests, gate.counts().logins), (0, 1));
}

#[test]
fn a_redirect_is_an_answer_and_is_never_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = json!({"do": "status", "status": status, "headers": {"Location": "/elsewhere"}});
        assert_eq!(outcome(elsewhere).unwrap().status, status);
    }
}

#[test]
fn chunked_and_empty_bodies_are_bodies_and_an_encoding_is_reported() {
    assert!(outcome(json!({"do": "ok", "encoding": "chunked"})).unwrap().body.starts_with(b"{"));
    assert!(outcome(json!({"do": "empty"})).unwrap().body.is_empty());
    assert_eq!(outcome(json!({"do": "ok", "encoding": "gzip"})).unwrap().encoding.as_deref(), Some("gzip"));
}

#[test]
fn a_body_never_moves_while_it_is_read() {
    let announced = outcome(json!({"do": "ok"})).unwrap().body;
    assert_eq!(announced.capacity(), announced.len() + 1);
    let unannounced = outcome(json!({"do": "ok", "encoding": "chunked"})).unwrap().body;
    assert_eq!(unannounced.capacity(), BODY_MAX + 1);
}

#[test]
fn a_body_of_64_kib_is_read_and_a_longer_one_is_refused() {
    let body = |bytes: usize| json!({"do": "status", "status": 200, "body": "x".repeat(bytes)});
    assert_eq!(outcome(body(BODY_MAX)).unwrap().body.len(), BODY_MAX);
    let unannounced = json!({"do": "ok", "encoding": "chunked", "extra": {"more": "x".repeat(BODY_MAX)}});
    for plan in [body(BODY_MAX + 1), unannounced, json!({"do": "overlong"}), json!({"do": "overlong_headers"})] {
        let failure = outcome(plan).err().unwrap();
        assert_eq!((failure.error.status(), failure.sent), (Status::BadResponse, true), "{}", failure.error);
    }
}

#[test]
fn if_a_connection_breaks_after_the_request_the_gate_may_have_received_it() {
    for plan in [
        json!({"do": "close"}),
        json!({"do": "reset"}),
        json!({"do": "reset", "after": 20}),
        json!({"do": "reset", "after": 400}),
        json!({"do": "truncated"}),
    ] {
        let (status, sent) = failure(plan.clone());
        assert!(sent && status == Status::Unreachable, "{plan}: {status:?}");
    }
    assert_eq!(failure(json!({"do": "garbage"})), (Status::BadResponse, true));
}

#[test]
fn an_answer_that_does_not_come_in_time_is_a_timeout() {
    let gate = Gate::start();
    for plan in [json!({"do": "hang"}), json!({"do": "slow", "bytes": 1, "delay_ms": 10_000})] {
        gate.plan(plan);
        let before = gate.counts().requests;
        let mut limit = Duration::from_millis(300);
        // On a busy machine, the request may not reach this stage within the limit.
        let failure = loop {
            let failure = client(&gate, gate.url(), &[]).send(&login(), &within(limit)).err().unwrap();
            if gate.counts().requests > before {
                break failure;
            }
            limit *= 2;
        };
        assert_eq!((failure.error.status(), failure.sent), (Status::Timeout, true), "{}", failure.error);
        assert!(failure.error.message().contains("did not answer in time"), "{}", failure.error);
    }
    let silent = client(&gate, gate.silent_url(), &[("connect_timeout", "100ms")]);
    let silent = silent.send(&login(), &within(limit())).err().unwrap();
    assert_eq!((silent.error.status(), silent.sent), (Status::Timeout, false), "{}", silent.error);
}

#[test]
fn if_no_connection_is_made_the_gate_cannot_have_received_the_request() {
    let gate = Gate::start();
    let nowhere = "https://nowhere.invalid";
    for (url, status, word) in [
        (gate.refused_url(), Status::Unreachable, "refused"),
        (nowhere, Status::Unreachable, "resolved"),
        (gate.wrong_host_url(), Status::Tls, "another host"),
        (gate.expired_url(), Status::Tls, "expired"),
        (gate.self_signed_url(), Status::Tls, "not trusted"),
        (&gate.http_url().replace("http:", "https:"), Status::Tls, "https port"),
    ] {
        let failure = client(&gate, url, &[]).send(&login(), &within(limit())).err().unwrap();
        assert_eq!((failure.error.status(), failure.sent), (status, false), "{url}: {}", failure.error);
        assert!(failure.error.message().contains(word), "{url}: {}", failure.error);
    }
    assert_eq!(gate.counts().requests, 0);
}

#[test]
fn a_server_that_fails_the_handshake_is_sent_an_alert() {
    const ALERT: u8 = 21;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/token", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut header = [0; 5];
        connection.read_exact(&mut header).unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        connection.read_exact(&mut hello).unwrap();
        connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        answer
    });
    let client = client_with_env(&[("url", &url), ("tls_roots", "bundled")], &[]);
    assert_eq!(client.send(&login(), &within(limit())).err().unwrap().error.status(), Status::Tls);
    assert_eq!(server.join().unwrap().first(), Some(&ALERT));
}

#[test]
fn the_message_names_an_untrusted_ca_and_the_option_that_helps() {
    let gate = Gate::start();
    let failure = client_with_env(&[("url", gate.url()), ("tls_roots", "bundled")], &[])
        .send(&login(), &within(limit()))
        .err()
        .unwrap();
    assert_eq!(failure.error.status(), Status::Tls);
    assert!(failure.error.message().contains("ca_file"), "{}", failure.error);
}

#[test]
fn a_login_over_http_to_this_machine_succeeds() {
    let gate = Gate::start();
    assert_eq!(client(&gate, gate.http_url(), &[]).send(&login(), &within(limit())).unwrap().status, 200);
    assert_eq!((gate.counts().handshakes, gate.counts().logins), (0, 1));
}

#[test]
fn if_the_bundle_file_does_not_have_the_issuer_s_key_the_directory_is_searched() {
    let (gate, other) = (Gate::start(), Gate::start());
    let directory = std::env::temp_dir().join(format!("dl_auth-roots-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::copy(gate.ca_file(), directory.join("0a1b2c3d.0")).unwrap();
    let env = [("SSL_CERT_FILE", other.ca_file()), ("SSL_CERT_DIR", directory.as_path())];
    let client = client_with_env(&[("url", gate.url()), ("tls_roots", "system")], &env);
    assert_eq!(client.send(&login(), &within(limit())).unwrap().status, 200);
    assert_eq!(
        (gate.counts().connections, gate.counts().logins),
        (2, 1),
        "the first handshake failed, because the root was unknown"
    );
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_proxy_opens_a_tunnel_or_the_message_names_it() {
    let gate = Gate::start();
    let secret = "http://user:canary@";
    let proxy = gate.proxy_url().replace("http://", secret);
    let client = client(&gate, gate.url(), &[("proxy", &proxy)]);
    assert_eq!(client.send(&login(), &within(limit())).unwrap().status, 200);
    assert_eq!((gate.counts().proxied, gate.counts().logins), (1, 1));
    assert!(gate.last_connect().unwrap().header("proxy-authorization").is_some());

    let place = gate.proxy_url().trim_start_matches("http://");
    for (status, words) in [(407, "refused the user"), (403, "refused to open a tunnel (HTTP 403)")] {
        gate.set(json!({"proxy_plan": [{"do": "status", "status": status}]}));
        let failure = client.send(&login(), &within(limit())).err().unwrap();
        assert_eq!((failure.error.status(), failure.sent), (Status::Unreachable, false));
        assert_eq!(failure.error.http_status(), Some(status));
        let message = failure.error.message();
        assert!(message.contains(place) && message.contains(words) && !message.contains("canary"), "{message}");
    }
    for plan in [json!({"do": "close"}), json!({"do": "reset"}), json!({"do": "garbage"})] {
        gate.set(json!({"proxy_plan": [plan]}));
        let failure = client.send(&login(), &within(limit())).err().unwrap();
        assert_eq!((failure.error.status(), failure.sent), (Status::Unreachable, false), "{}", failure.error);
        assert!(failure.error.message().contains(place), "{}", failure.error);
    }
    gate.set(json!({"proxy_plan": [{"do": "html"}]}));
    let failure = client.send(&login(), &within(limit())).err().unwrap();
    assert_eq!((failure.error.status(), failure.sent), (Status::Tls, false));
    assert!(failure.error.message().contains(place), "{}", failure.error);
    assert_eq!(gate.counts().logins, 1);
}

#[test]
fn a_failure_of_the_proxy_s_certificate_names_the_proxy() {
    let gate = Gate::start();
    let proxy = gate.wrong_host_url().replace("/token?default", "");
    let failure = client(&gate, gate.url(), &[("proxy", &proxy)]).send(&login(), &within(limit())).err().unwrap();
    assert_eq!((failure.error.status(), failure.sent), (Status::Tls, false));
    let (place, message) = (proxy.trim_start_matches("https://"), failure.error.message());
    assert!(
        message.contains(&format!("certificate of the proxy {place}")) && message.contains("check `proxy`"),
        "{message}"
    );
}

#[test]
fn a_gate_in_no_proxy_is_reached_directly_and_its_failures_do_not_name_the_proxy() {
    let gate = Gate::start();
    let env = [("HTTPS_PROXY", Path::new(gate.proxy_url())), ("NO_PROXY", Path::new("localhost"))];
    let ca = gate.ca_file().to_str().unwrap();
    let client = |url| client_with_env(&[("url", url), ("ca_file", ca), ("tls_roots", "ca_file_only")], &env);
    assert_eq!(client(gate.url()).send(&login(), &within(limit())).unwrap().status, 200);
    let failure = client(gate.refused_url()).send(&login(), &within(limit())).err().unwrap();
    assert!(!failure.error.message().contains("proxy"), "{}", failure.error);
    assert_eq!((gate.counts().proxied, gate.counts().logins), (0, 1));
}

#[test]
fn a_cancelled_request_fails_and_the_next_one_is_sent() {
    let gate = Gate::start();
    gate.plan(json!({"do": "hang"}));
    let client = client(&gate, gate.url(), &[]);
    let (attempt, cancellation) = cancellable();
    std::thread::scope(|scope| {
        let request = scope.spawn(|| client.send(&login(), &attempt));
        gate.wait(|counts| counts.hanging == 1);
        cancellation.cancel();
        assert_eq!(request.join().unwrap().err().unwrap().error.status(), Status::Unreachable);
    });
    assert_eq!(client.send(&login(), &within(limit())).unwrap().status, 200);
    let requests = gate.counts().requests;
    assert!(client.send(&login(), &attempt).is_err());
    assert_eq!(gate.counts().requests, requests, "no request of a cancelled attempt is sent");
}

/// The server accepts the connection and sends nothing. A request that is not cancelled waits for minutes.
#[test]
fn a_request_that_is_cancelled_before_it_is_sent_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    let (url, proxy) = (format!("https://{place}"), format!("http://{place}"));
    for (stage, more) in [("in the TLS handshake", None), ("waiting for a tunnel", Some(("proxy", proxy.as_str())))] {
        let options: Vec<_> = [("url", url.as_str()), ("tls_roots", "bundled")].into_iter().chain(more).collect();
        let client = client_with_env(&options, &[]);
        let (attempt, cancellation) = cancellable();
        let failure = thread::scope(|scope| {
            let request = scope.spawn(|| client.send(&login(), &attempt));
            let end = Instant::now() + limit();
            while !cancellation.doing().is_some_and(|doing| doing.starts_with(stage)) && Instant::now() < end {
                thread::yield_now();
            }
            cancellation.cancel();
            request.join().unwrap().err().unwrap()
        });
        assert!(!failure.sent && failure.error.status() == Status::Unreachable, "{stage}: {}", failure.error);
    }
    // The connection is made after the request is cancelled.
    let stream = Arc::new(std::net::TcpStream::connect(place).unwrap());
    stream.set_read_timeout(Some(limit())).unwrap();
    let (attempt, cancellation) = cancellable();
    cancellation.cancel();
    Progress::default().connected(&stream, &attempt);
    assert_eq!(stream.as_ref().read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_body_without_a_length_is_complete_even_if_the_connection_ends_without_close_notify() {
    for head in ["HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
        let answer = outcome(json!({"do": "abrupt", "head": head})).unwrap();
        assert!(gate::read(&answer, Secrets::NONE, crate::clock::unix_ms(SystemTime::now())).is_ok(), "{head}");
    }
}

#[test]
fn a_refusal_is_reported_even_if_the_rest_of_the_answer_is_invalid() {
    let long = format!("HTTP/1.1 401 No\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("HTTP/1.1 401 No\r\n{}\r\n", "X: y\r\n".repeat(300));
    for (head, body) in [
        ("HTTP/1.0 401 No\r\n\r\n", "{}"),
        ("HTTP/1.1 401 No\r\nContent-Length: 500\r\n\r\n", "{"),
        ("HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\n{"),
        ("HTTP/1.1 401 No\r\nContent-Length: 99999999\r\n\r\n", ""),
        ("HTTP/1.1 401 No\r\nX: a\r\n b\r\n\r\n", ""),
        ("HTTP/1.1 401 No\r\nContent-Length: +2\r\n\r\n", "{}"),
        ("HTTP/1.1 401 No\r\nX", ""),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\nX", ""),
        (&long, ""),
        (&many, ""),
    ] {
        let answer = outcome(json!({"do": "abrupt", "head": head, "body": body})).unwrap();
        let start: String = head.chars().take(60).collect();
        assert_eq!(answer.status, 401, "{start}");
        assert_eq!(gate::read(&answer, Secrets::NONE, 0).unwrap_err().status(), Status::Denied, "{start}");
    }
    let head = "HTTP/1.1 429 No\r\nRetry-After: 60\r\nContent-Length: 99999999\r\n\r\n";
    let limited = outcome(json!({"do": "abrupt", "head": head, "body": ""})).unwrap();
    assert_eq!(gate::read(&limited, Secrets::NONE, 0).unwrap_err().retry_after(), Some(Duration::from_secs(60)));
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
    let failure = outcome(json!({"do": "abrupt", "head": head, "body": "{"})).err().unwrap();
    assert_eq!((failure.error.status(), failure.sent), (Status::Unreachable, true), "{}", failure.error);
    let message = failure.error.message();
    assert!(message.contains("ended before its answer was complete") && !message.contains("http"), "{message}");
}

#[test]
fn a_request_in_flight_says_what_it_does() {
    let gate = Gate::start();
    gate.plan(json!({"do": "hang"}));
    let client = client(&gate, gate.url(), &[]);
    let (attempt, cancellation) = cancellable();
    assert_eq!(cancellation.doing(), None);
    thread::scope(|scope| {
        let request = scope.spawn(|| client.send(&login(), &attempt));
        gate.wait(|counts| counts.hanging == 1);
        let place = gate.url().trim_start_matches("https://").split('/').next().unwrap().to_owned();
        // The gate may receive the request shortly before this side waits.
        let end = Instant::now() + limit();
        while cancellation.doing().is_some_and(|doing| doing.starts_with("sending")) && Instant::now() < end {
            thread::yield_now();
        }
        let doing = cancellation.doing();
        gate.release();
        assert_eq!(doing, Some(format!("waiting for the answer of {place}")));
        assert_eq!(request.join().unwrap().unwrap().peer, place);
    });
    assert_eq!(cancellation.doing(), None);
}

#[test]
fn a_name_in_a_certificate_that_is_a_secret_is_redacted() {
    let gate = Gate::start();
    let message = |secrets: &[&str]| {
        let mut request = login();
        secrets.iter().for_each(|secret| request.secrets.add(secret));
        client(&gate, gate.wrong_host_url(), &[])
            .send(&request, &within(limit()))
            .err()
            .unwrap()
            .error
            .message()
            .to_owned()
    };
    assert!(message(&[]).contains("it names \"elsewhere.invalid\""), "{}", message(&[]));
    for secret in ["elsewhere.invalid", "Elsewhere", "at-elsewhere.inv"] {
        let message = message(&[secret]);
        assert!(message.contains("it names \"[redacted]") && !message.contains("elsewhere"), "{message}");
    }
}
