//! Failures at each stage: the message, and when the request ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use super::*;

/// Runs `serve` with the first connection to a port of this machine. Returns the port's address.
fn server<T: Send + 'static>(serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (address, thread::spawn(move || serve(listener.accept().unwrap().0)))
}

fn failure_of(options: &[(&str, &str)], limit: Duration) -> Failure {
    client_with_env(&[&[("tls_roots", "bundled")], options].concat(), &[]).send(&login(), &within(limit)).err().unwrap()
}

/// Reads until the other side has closed the connection.
fn drain(mut peer: TcpStream) {
    peer.read_to_end(&mut Vec::new()).ok();
}

#[test]
fn a_request_ends_at_connect_timeout_and_at_the_deadline_if_the_proxy_answers_byte_by_byte() {
    for (connect_timeout, limit) in [("2s", limit()), ("5m", SHORT)] {
        let (address, dripping) = server(|mut peer| {
            assert!(peer.read(&mut [0; 1024]).unwrap() > 0);
            peer.write_all(b"HTTP/1.1 200 OK\r\nX-Drip: ").unwrap();
            // Ends when the client closes the connection, at the latest after 20 minutes.
            std::iter::repeat_n(b'x', 60_000)
                .take_while(|byte| {
                    thread::sleep(Duration::from_millis(20));
                    peer.write_all(&[*byte]).is_ok()
                })
                .count()
        });
        let proxy = format!("http://{address}");
        let options = [("url", "https://127.0.0.1:1"), ("proxy", &proxy), ("connect_timeout", connect_timeout)];
        let failure = failure_of(&options, limit);
        assert_eq!((failure.error.status(), failure.sent), (Status::Timeout, false), "{}", failure.error);
        let words = format!("the proxy {address} did not open a tunnel in time");
        assert!(failure.error.message().contains(&words), "{}", failure.error);
        assert!(dripping.join().unwrap() < 60_000, "the request ended before the proxy had sent its whole answer");
    }
}

#[test]
fn the_message_of_each_stage_names_the_stage_the_peer_and_the_option() {
    let ((silent, _gate), (silent_proxy, _proxy)) = (server(drain), server(drain));
    let (gate, proxy) = (format!("https://{silent}"), format!("http://{silent_proxy}"));
    for (options, status, words) in [
        (
            vec![("url", "https://unknown.invalid")],
            Status::Unreachable,
            vec!["unknown.invalid cannot be reached: its name cannot be resolved: ", "check `url`"],
        ),
        (
            vec![("url", "https://gate.invalid"), ("proxy", "http://unknown.invalid:1")],
            Status::Unreachable,
            vec!["gate.invalid cannot be reached: the name of the proxy unknown.invalid:1 cannot be", "check `proxy`"],
        ),
        (
            vec![("url", "https://127.0.0.1:1")],
            Status::Unreachable,
            vec!["127.0.0.1:1 did not connect (1 address tried: Connection refused", "check `url`"],
        ),
        (
            vec![("url", "https://gate.invalid"), ("proxy", "http://127.0.0.1:1")],
            Status::Unreachable,
            vec!["gate.invalid cannot be reached: the proxy 127.0.0.1:1 did not connect (1 address", "check `proxy`"],
        ),
        (vec![("url", &gate)], Status::Timeout, vec!["did not finish the TLS handshake in time", "`connect_timeout`"]),
        (
            vec![("url", "https://gate.invalid"), ("proxy", &proxy)],
            Status::Timeout,
            vec!["the proxy", "did not open a tunnel in time", "`connect_timeout`"],
        ),
    ] {
        let failure = failure_of(&options, if status == Status::Timeout { SHORT } else { limit() });
        assert_eq!((failure.error.status(), failure.sent), (status, false), "{options:?}: {}", failure.error);
        for word in words {
            assert!(failure.error.message().contains(word), "{word}: {}", failure.error);
        }
    }
}

#[test]
fn each_refusal_of_a_proxy_has_its_own_message() {
    let ask = |user: &str, answer: &'static [u8]| {
        let (address, serving) = server(move |mut peer| {
            let mut request = vec![0; 4096];
            let length = peer.read(&mut request).unwrap();
            peer.write_all(answer).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let proxy = format!("http://{user}{address}");
        let failure = failure_of(&[("url", "https://gate.invalid"), ("proxy", &proxy)], limit());
        assert_eq!((failure.error.status(), failure.sent), (Status::Unreachable, false), "{}", failure.error);
        assert!(serving.join().unwrap().starts_with("CONNECT gate.invalid:443 HTTP/1.1\r\nHost: gate.invalid:443\r\n"));
        assert!(failure.error.message().contains(&address) && !failure.error.message().contains("canary"));
        failure.error
    };
    let user = "canary-u:canary-p@";
    for (user, answer, status, words) in [
        (
            "",
            &b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n"[..],
            Some(407),
            "requires authentication (HTTP 407): set `proxy=http://user:password@host:port`",
        ),
        (user, b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n", Some(407), "refused the user (HTTP 407)"),
        ("", b"HTTP/1.1 407 No\r\n\r\n", Some(407), "set `proxy=http://user:password@host:port`, or set `HTTPS_PROXY`"),
        (
            user,
            b"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate, NTLM\r\n\r\n",
            Some(407),
            "requires authentication by Negotiate, NTLM (HTTP 407), and dl_auth supports only Basic",
        ),
        (user, b"HTTP/1.1 503 No\r\n\r\n", Some(503), "could not open a tunnel (HTTP 503)"),
        (user, b"\x15\x03\x01\x00\x02\x02\x28", None, "does not answer in HTTP/1.1; check `proxy`"),
        (user, b"HTTP/1.1 2", None, "closed the connection and opened no tunnel"),
    ] {
        let error = ask(user, answer);
        assert_eq!(error.http_status(), status);
        assert!(error.message().contains(words), "{error}");
    }
}
