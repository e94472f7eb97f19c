//! The other listeners, the control endpoint and the program.

mod client;

use client::*;
use dl_auth_gate::{Gate, patience};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn the_good_certificate_is_valid_for_both_names() {
    let gate = Gate::start();
    for name in ["localhost", "127.0.0.1"] {
        let mut wire = tls_over(tcp(gate.url()), gate.ca_file(), name).unwrap();
        assert_eq!(exchange(&mut wire, &post(&login_body())).unwrap().status, 200);
    }
}

#[test]
fn each_bad_certificate_has_exactly_one_fault() {
    let gate = Gate::start();
    for (url, fault) in [
        (gate.wrong_host_url(), "not valid for name"),
        (gate.expired_url(), "expired"),
        (gate.self_signed_url(), "UnknownIssuer"),
    ] {
        let message = tls(&gate, url).err().unwrap().to_string();
        assert!(message.contains(fault), "{url}: {message}");
    }
    let counts = gate.wait(|counts| counts.connections == 3);
    assert_eq!((counts.handshakes, counts.requests), (0, 0));
    let mut wire = tls_over(tcp(gate.wrong_host_url()), gate.ca_file(), "elsewhere.invalid").unwrap();
    assert_eq!(exchange(&mut wire, &post(&login_body())).unwrap().status, 200, "the name is the only fault");
}

#[test]
fn plain_http_speaks_the_same_protocol() {
    let gate = Gate::start();
    gate.plan(json!({"do": "status", "status": 418}));
    let mut wire = tcp(gate.http_url());
    assert_eq!(exchange(&mut wire, &post(&login_body())).unwrap().status, 418);
    assert_eq!(exchange(&mut wire, &post(&login_body())).unwrap().claims()["email"], USERNAME);
    assert_eq!((gate.counts().connections, gate.counts().handshakes, gate.counts().issued), (1, 0, 1));
}

#[test]
fn the_silent_listener_sends_nothing_and_the_refused_port_refuses() {
    let gate = Gate::start();
    let mut wire = tcp(gate.silent_url());
    wire.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    wire.write_all(b"anything").unwrap();
    assert_eq!(wire.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(gate.counts().connections, 1);
    let refused = TcpStream::connect(authority(gate.refused_url()).replace("localhost", "127.0.0.1"));
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

fn connect_request(to: &str) -> String {
    format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nProxy-Authorization: Basic YTpi\r\n\r\n")
}

#[test]
fn the_proxy_connects_only_to_this_machine() {
    let gate = Gate::start();
    let mut wire = tcp(gate.proxy_url());
    assert_eq!(exchange(&mut wire, &connect_request(authority(gate.url()))).unwrap().status, 200);
    let mut tls = tls_over(wire, gate.ca_file(), "localhost").unwrap();
    assert_eq!(exchange(&mut tls, &post(&login_body())).unwrap().status, 200);
    let seen = gate.last_connect().unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("CONNECT", authority(gate.url())));
    assert_eq!(seen.header("proxy-authorization"), Some("Basic YTpi"));
    for (request, status) in [
        (connect_request("example.invalid:443"), 403),
        (connect_request(authority(gate.refused_url())), 502),
        ("GET http://127.0.0.1/ HTTP/1.1\r\n\r\n".into(), 405),
    ] {
        assert_eq!(exchange(&mut tcp(gate.proxy_url()), &request).unwrap().status, status, "{request}");
    }
    assert_eq!((gate.counts().proxied, gate.counts().connections), (1, 1));
}

#[test]
fn the_proxy_follows_its_plan() {
    let gate = Gate::start();
    gate.set(json!({"proxy_plan": [{"do": "status", "status": 407, "headers": {"Proxy-Authenticate": "Basic"}},
        {"do": "close"}, {"do": "reset"}, {"do": "hang"}]}));
    let request = connect_request(authority(gate.url()));
    let ask = || exchange(&mut tcp(gate.proxy_url()), &request);
    assert_eq!(ask().unwrap().header("proxy-authenticate"), Some("Basic"));
    assert_eq!(ask().unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    assert_eq!(ask().unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    thread::scope(|scope| {
        let held = scope.spawn(ask);
        gate.wait(|counts| counts.hanging == 1);
        gate.release();
        assert_eq!(held.join().unwrap().unwrap().status, 200);
    });
    assert_eq!(gate.counts().proxied, 1);
    let (status, answer) = control(gate.control_url(), "POST", "/set", r#"{"proxy_plan": [{"do": "slow"}]}"#);
    assert!(status == 400 && answer["error"].as_str().unwrap().contains("proxy_plan"), "{answer}");
}

#[test]
fn the_control_endpoint_has_the_functions_of_the_library() {
    let gate = Gate::start();
    let ask = |method, path, body| control(gate.control_url(), method, path, body);
    assert_eq!(ask("POST", "/plan", r#"[{"do": "status", "status": 500, "times": 3}, {"do": "ok"}]"#).0, 200);
    assert_eq!(ask("GET", "/plan", ""), (200, json!({"left": 4})));
    assert_eq!((login(&gate).status, ask("DELETE", "/plan", "").0, login(&gate).status), (500, 200, 200));
    assert_eq!(ask("POST", "/set", r#"{"lifetime": 60, "rotate": true}"#).0, 200);
    let answer = login(&gate);
    assert_eq!(ask("GET", "/last_token", "").1, answer.text("id_token"));
    assert_eq!(ask("GET", "/last_request", "").1["headers"]["content-type"], "application/json");
    assert_eq!(ask("GET", "/last_connect", ""), (200, Value::Null));
    let counts = ask("GET", "/counts", "").1;
    assert_eq!((&counts["requests"], &counts["issued"], &counts["hanging"]), (&json!(3), &json!(2), &json!(0)));
    assert_eq!(ask("GET", "/wait?requests=3&issued=2", "").0, 200);
    assert_eq!(ask("GET", "/wait?requests=4&timeout_ms=50", "").0, 504);
    assert_eq!(ask("POST", "/reset", "").0, 200);
    assert_eq!((gate.counts().requests, ask("GET", "/last_request", "").1), (0, Value::Null));
    assert_eq!(
        refresh(&gate, &answer.text("refresh_token")).json().get("refresh_token"),
        None,
        "rotation is off again"
    );
    for (method, path, body) in [
        ("POST", "/set", r#"{"lifetme": 1}"#),
        ("POST", "/set", r#"{"rotate": 1}"#),
        ("POST", "/set", "{"),
        ("POST", "/set", r#"{"pad_to": 100}"#),
        ("GET", "/wait?request=1", ""),
        ("GET", "/wait?requests=x", ""),
    ] {
        let (status, answer) = ask(method, path, body);
        assert!(status == 400 && answer["error"].is_string(), "{path} {body}: {answer}");
    }
    assert_eq!(ask("GET", "/nothing", "").0, 404);
}

#[test]
fn a_wait_ends_when_the_count_is_reached() {
    let gate = Gate::start();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| control(gate.control_url(), "GET", "/wait?hanging=1", ""));
        gate.plan(json!({"do": "hang"}));
        let held = scope.spawn(|| login(&gate).status);
        assert_eq!(waiting.join().unwrap().1["hanging"], 1);
        assert_eq!(control(gate.control_url(), "POST", "/release", "").0, 200);
        assert_eq!(held.join().unwrap(), 200);
    });
}

fn program(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dl_auth_gate"));
    command.args(options).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn first_line(child: &mut Child) -> Value {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

fn gone(path: &Path) -> bool {
    let end = Instant::now() + patience(300);
    while path.exists() && Instant::now() < end {
        thread::sleep(Duration::from_millis(20));
    }
    !path.exists()
}

#[test]
fn the_program_prints_its_addresses_and_serves_until_it_is_stopped() {
    let options = ["--username", "me", "--password", "pw", "--lifetime", "7", "--rotate", "--max-seconds", "3600"];
    let mut child = program(&options).spawn().unwrap();
    let line = first_line(&mut child);
    let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("{name} in {line}")).to_owned();
    assert_eq!(
        (line["pid"].as_u64(), text("username"), text("password")),
        (Some(child.id().into()), "me".into(), "pw".into())
    );
    for name in ["wrong_host_url", "expired_url", "self_signed_url", "silent_url", "refused_url"] {
        assert!(text(name).starts_with("https://localhost:") && text(name).ends_with("/token?default"), "{line}");
    }
    assert!(text("http_url").starts_with("http://127.0.0.1:") && text("proxy_url").starts_with("http://127.0.0.1:"));
    let ca_file = text("ca_file");
    let mut wire = tls_over(tcp(&text("url")), Path::new(&ca_file), "localhost").unwrap();
    let body = json!({"username": "me", "password": "pw", "type": "user_credentials"});
    let claims = exchange(&mut wire, &post(&body)).unwrap().claims();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 7);
    assert_eq!(control(&text("control_url"), "POST", "/stop", ""), (200, json!({})));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!Path::new(&ca_file).parent().unwrap().exists());
}

#[test]
fn the_program_ends_when_its_time_is_up() {
    let mut child = program(&["--max-seconds", "1"]).spawn().unwrap();
    let line = first_line(&mut child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!Path::new(line["ca_file"].as_str().unwrap()).exists());
}

#[cfg(unix)]
#[test]
fn the_program_ends_when_its_parent_dies() {
    let script = format!("'{}' --max-seconds 3600 & read -r line", env!("CARGO_BIN_EXE_dl_auth_gate"));
    let mut shell =
        Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let line = first_line(&mut shell);
    let ca_file = Path::new(line["ca_file"].as_str().unwrap());
    thread::sleep(Duration::from_millis(500));
    assert!(ca_file.exists(), "the parent is still running");
    shell.kill().unwrap();
    shell.wait().unwrap();
    assert!(gone(ca_file));
}

#[test]
fn the_program_refuses_unknown_options() {
    for options in [&["--lifetme", "5"][..], &["--lifetime"], &["--lifetime", "x"], &["--max-seconds", "-1"]] {
        let output = program(options).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{options:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("--help"));
    }
    let help = program(&["--help"]).output().unwrap();
    assert!(help.status.success() && help.stdout.starts_with(b"dl_auth_gate: a test gate for dl_auth"));
}
