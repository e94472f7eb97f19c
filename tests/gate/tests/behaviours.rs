//! Each behaviour produces its bytes.

mod client;

use client::*;
use dl_auth_gate::Gate;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant, SystemTime};
use std::{io, panic, thread};

/// The answer to a login under `behaviour`.
fn meet(behaviour: Value) -> Answer {
    let gate = Gate::start();
    gate.plan(behaviour);
    login(&gate)
}

/// All bytes that a login under `behaviour` receives, and how they end.
fn raw(gate: &Gate, behaviour: Value) -> (Vec<u8>, io::Result<()>) {
    gate.plan(behaviour);
    let mut wire = connect(gate);
    wire.write_all(post(&login_body()).as_bytes()).unwrap();
    read_all(&mut wire)
}

#[test]
fn a_plan_is_executed_in_order_and_then_the_gate_behaves_well() {
    let gate = Gate::start();
    gate.plan(json!([{"do": "status", "status": 500, "times": 2}, {"do": "status", "status": 429}]));
    gate.plan(json!({"do": "empty"}));
    let statuses: Vec<_> = (0..6).map(|_| login(&gate)).map(|a| (a.status, a.body.is_empty())).collect();
    let expected = [(500, false), (500, false), (429, false), (200, true), (200, false), (200, false)];
    assert_eq!((statuses.as_slice(), gate.planned()), (expected.as_slice(), 0));
}

#[test]
fn a_behaviour_for_refreshes_waits_for_one() {
    let gate = Gate::start();
    gate.plan(
        json!([{"do": "status", "status": 403, "on": "refresh"}, {"do": "status", "status": 500, "on": "login"}]),
    );
    assert_eq!(login(&gate).status, 500);
    let refresh_token = login(&gate).text("refresh_token");
    assert_eq!(refresh(&gate, &refresh_token).status, 403);
    assert_eq!(refresh(&gate, &refresh_token).status, 200);
}

#[test]
fn an_ok_can_change_the_claims() {
    let claims = meet(json!({"do": "ok", "lifetime": 5})).claims();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 5);
    for exp in [json!("tomorrow"), json!(1.5e9), json!(null), json!([1]), json!(-1)] {
        assert_eq!(meet(json!({"do": "ok", "exp": exp})).claims().get("exp"), Some(&exp));
    }
    let claims = meet(json!({"do": "ok", "iat": "x", "omit": ["exp", "email"]})).claims();
    assert_eq!((claims.get("iat"), claims.get("exp"), claims.get("email")), (Some(&json!("x")), None, None));
    assert_eq!(meet(json!({"do": "ok", "pad_to": 4000})).text("id_token").len(), 4000);
}

#[test]
fn an_ok_can_change_the_response() {
    for id_token in [json!(null), json!(5), json!("not a jwt"), json!({"a": 1})] {
        let answer = meet(json!({"do": "ok", "id_token": id_token}));
        assert_eq!((answer.status, answer.json().get("id_token")), (200, Some(&id_token)));
    }
    let body = meet(json!({"do": "ok", "omit_id_token": true, "omit_refresh_token": true, "extra": {"n": 1}})).json();
    assert_eq!((body.get("id_token"), body.get("refresh_token"), body.get("n")), (None, None, Some(&json!(1))));
    let gate = Gate::start();
    gate.plan(json!([{"do": "ok", "refresh_token": "mine"}, {"do": "ok", "id_token": "x"}]));
    assert_eq!(login(&gate).text("refresh_token"), "mine");
    login(&gate);
    assert_eq!((gate.counts().issued, refresh(&gate, "mine").status), (1, 200));
}

#[test]
fn an_ok_still_checks_the_password() {
    let gate = Gate::start();
    gate.set(json!({"password": "changed"}));
    gate.plan(json!({"do": "ok", "lifetime": 5}));
    assert_eq!((login(&gate).status, gate.counts().refused), (401, 1));
}

#[test]
fn an_ok_can_be_compressed_or_chunked() {
    let answer = meet(json!({"do": "ok", "encoding": "gzip"}));
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut body = String::new();
    flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_string(&mut body).unwrap();
    assert!(serde_json::from_str::<Value>(&body).unwrap()["id_token"].is_string());
    let answer = meet(json!({"do": "ok", "encoding": "chunked"}));
    assert_eq!((answer.header("content-length"), answer.claims()["email"].as_str()), (None, Some(USERNAME)));
}

#[test]
fn an_ok_can_close_the_connection_without_announcing_it() {
    let gate = Gate::start();
    gate.plan(json!({"do": "ok", "close_after": true}));
    let mut wire = connect(&gate);
    let answer = exchange(&mut wire, &post(&login_body())).unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, None));
    assert!(matches!(read_all(&mut wire), (rest, Ok(())) if rest.is_empty()));
}

#[test]
fn a_status_is_sent_literally() {
    let answer = meet(json!({"do": "status", "status": 429, "headers": {"Retry-After": 7, "X-A": "b"}, "body": "no",
        "content_type": "text/plain"}));
    assert_eq!((answer.status, answer.body.as_slice()), (429, b"no".as_slice()));
    assert_eq!((answer.header("retry-after"), answer.header("x-a")), (Some("7"), Some("b")));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    let answer = meet(json!({"do": "status", "status": 503, "retry_after_date_in": 120}));
    let date = |name| httpdate::parse_http_date(answer.header(name).unwrap()).unwrap();
    assert_eq!(date("retry-after").duration_since(date("date")).unwrap().as_secs(), 120);
    assert!(date("retry-after") > SystemTime::now());
    assert_eq!(meet(json!({"do": "status", "status": 204})).header("content-length"), None);
}

#[test]
fn a_followed_redirect_is_counted() {
    let gate = Gate::start();
    gate.plan(json!({"do": "status", "status": 307, "headers": {"Location": "/elsewhere"}}));
    let answer = login(&gate);
    assert_eq!((answer.status, answer.header("location")), (307, Some("/elsewhere")));
    assert_eq!(gate.counts().redirected_hits, 0);
    for target in ["POST /elsewhere", "POST /elsewhere?default"] {
        exchange(&mut connect(&gate), &post(&login_body()).replace("POST /token?default", target)).unwrap();
    }
    assert_eq!((gate.counts().redirected_hits, gate.counts().requests, gate.counts().bad_requests), (2, 1, 0));
}

#[test]
fn html_and_empty_and_bad_utf8_send_what_they_name() {
    let html = meet(json!({"do": "html"}));
    assert_eq!((html.status, html.header("content-type")), (200, Some("text/html")));
    assert!(html.body.starts_with(b"<!DOCTYPE html>"));
    let empty = meet(json!({"do": "empty"}));
    assert_eq!((empty.status, empty.header("content-length")), (200, Some("0")));
    let bad = meet(json!({"do": "bad_utf8"}));
    assert_eq!((bad.status, bad.header("content-type")), (200, Some("application/json")));
    assert!(std::str::from_utf8(&bad.body).is_err());
}

#[test]
fn truncated_sends_less_than_it_announced() {
    let gate = Gate::start();
    let (bytes, end) = raw(&gate, json!({"do": "truncated", "missing": 10}));
    end.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len() + 10)), "{head}");
    assert_eq!(gate.counts().issued, 0);
}

#[test]
fn overlong_is_valid_json_of_that_length() {
    let answer = meet(json!({"do": "overlong"}));
    assert_eq!((answer.body.len(), answer.claims()["email"].as_str()), (1 << 20, Some(USERNAME)));
    assert_eq!(meet(json!({"do": "overlong", "bytes": 5000})).body.len(), 5000);
    let answer = meet(json!({"do": "overlong_headers", "bytes": 100_000}));
    let size: usize = answer.headers.iter().map(|(n, v)| n.len() + v.len() + 4).sum();
    assert!((100_000..103_000).contains(&size) && answer.status == 200, "{size}");
}

#[test]
fn slow_is_slow_and_completes() {
    let start = Instant::now();
    let answer = meet(json!({"do": "slow", "bytes": 100, "delay_ms": 20}));
    assert_eq!((answer.status, answer.claims()["email"].as_str()), (200, Some(USERNAME)));
    assert!(start.elapsed() >= Duration::from_millis(10 * 20), "{:?}", start.elapsed());
}

#[test]
fn reset_sends_a_reset_after_the_given_bytes() {
    let gate = Gate::start();
    let (bytes, end) = raw(&gate, json!({"do": "reset"}));
    assert_eq!((bytes.len(), end.unwrap_err().kind()), (0, io::ErrorKind::ConnectionReset));
    let (bytes, end) = raw(&gate, json!({"do": "reset", "after": 20}));
    assert_eq!(
        (String::from_utf8(bytes).unwrap().as_str(), end.unwrap_err().kind()),
        ("HTTP/1.1 200 OK\r\nCon", io::ErrorKind::ConnectionReset)
    );
    assert_eq!((gate.counts().issued, gate.counts().requests), (0, 2));
}

#[test]
fn close_sends_nothing_and_garbage_is_not_http() {
    let gate = Gate::start();
    assert!(matches!(raw(&gate, json!({"do": "close"})), (bytes, Ok(())) if bytes.is_empty()));
    let (bytes, end) = raw(&gate, json!({"do": "garbage"}));
    assert!(end.is_ok() && !bytes.is_empty() && !bytes.starts_with(b"HTTP"));
}

#[test]
fn hang_holds_the_request_until_the_release() {
    let gate = Gate::start();
    gate.plan(json!([{"do": "hang"}, {"do": "hang", "then": {"do": "status", "status": 503}}]));
    thread::scope(|scope| {
        let answers = [scope.spawn(|| login(&gate)), scope.spawn(|| login(&gate))];
        let counts = gate.wait(|counts| counts.hanging == 2);
        assert_eq!((counts.requests, counts.issued), (2, 0));
        gate.release();
        let mut statuses = answers.map(|answer| answer.join().unwrap().status);
        statuses.sort();
        assert_eq!((statuses, gate.counts().hanging, gate.counts().issued), ([200, 503], 0, 1));
    });
}

#[test]
fn hang_ends_when_the_client_disconnects() {
    let gate = Gate::start();
    for url in [gate.url(), gate.http_url()] {
        gate.plan(json!({"do": "hang"}));
        let request = post(&login_body());
        if url.starts_with("https") {
            let mut wire = connect(&gate);
            wire.write_all(request.as_bytes()).unwrap();
            gate.wait(|counts| counts.hanging == 1);
            drop(wire);
        } else {
            let mut wire = tcp(url);
            wire.write_all(request.as_bytes()).unwrap();
            gate.wait(|counts| counts.hanging == 1);
            drop(wire);
        }
        assert_eq!(gate.wait(|counts| counts.hanging == 0).issued, 0);
    }
}

#[test]
fn a_stopping_gate_ends_all_waits() {
    let gate = Gate::start();
    gate.plan(json!([{"do": "hang"}, {"do": "slow", "bytes": 1, "delay_ms": 60000}]));
    let mut wires: Vec<_> = (0..3).map(|_| connect(&gate)).collect();
    for wire in &mut wires[..2] {
        wire.write_all(post(&login_body()).as_bytes()).unwrap();
    }
    gate.wait(|counts| counts.requests == 2);
    drop(gate); // the slow answer would take hours
    for wire in &mut wires {
        let end = read_all(wire).1.unwrap_err().kind();
        assert!([io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof].contains(&end), "{end:?}");
    }
}

#[test]
fn a_misspelt_plan_is_refused_with_the_fault() {
    let gate = Gate::start();
    for (plan, fault) in [
        (json!({"do": "okay"}), "no behaviour `okay`"),
        (json!({"status": 500}), "needs `do`"),
        (json!("ok"), "must be a JSON object"),
        (json!({"do": "ok", "lifetme": 5}), "no field `lifetme`"),
        (json!({"do": "ok", "lifetime": "5"}), "`lifetime` must be a whole number"),
        (json!({"do": "ok", "omit": ["expiry"]}), "`omit` must be a list"),
        (json!({"do": "ok", "pad_to": 10}), "too small"),
        (json!({"do": "ok", "times": 0}), "`times` must be"),
        (json!({"do": "ok", "on": "logout"}), "`on` must be"),
        (json!({"do": "ok", "encoding": "br"}), "`encoding` must be"),
        (json!({"do": "status"}), "needs a `status`"),
        (json!({"do": "status", "status": 99}), "`status` must be"),
        (json!({"do": "status", "status": 500, "headers": {"A": "b\r\nC: d"}}), "line break"),
        (json!({"do": "html", "body": "x"}), "no field `body`"),
        (json!({"do": "hang", "then": {"do": "ok", "x": 1}}), "no field `x`"),
        (json!([{"do": "ok"}, {"do": "no"}]), "no behaviour `no`"),
    ] {
        let text = plan.to_string();
        let (status, answer) = control(gate.control_url(), "POST", "/plan", &text);
        assert!(status == 400 && answer["error"].as_str().unwrap().contains(fault), "{text}: {answer}");
        let panicked = panic::catch_unwind(panic::AssertUnwindSafe(|| gate.plan(plan))).unwrap_err();
        assert!(panicked.downcast_ref::<String>().unwrap().contains(fault));
    }
    assert_eq!(gate.planned(), 0, "all or nothing");
}
