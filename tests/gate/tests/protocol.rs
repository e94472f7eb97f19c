//! The gate as a well-behaved gate: grants, tokens, the form of requests.

mod client;

use client::*;
use dl_auth_gate::{Gate, Settings};
use serde_json::json;
use std::collections::HashSet;
use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::SystemTime;

fn now() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64
}

#[test]
fn a_login_gets_three_tokens_and_the_documented_claims() {
    let gate = Gate::start();
    let answer = login(&gate);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["access_token", "id_token", "refresh_token"]);
    let claims = answer.claims();
    let names = "name nickname picture locale updated_at email email_verified iss sub aud iat exp jti";
    for name in names.split(' ') {
        assert!(claims.get(name).is_some(), "{name} in {claims}");
    }
    let iat = claims["iat"].as_i64().unwrap();
    assert!((now() - iat).abs() < 5 && claims["exp"] == iat + 86_400 && claims["email"] == USERNAME);
    let counts = gate.counts();
    assert_eq!((counts.connections, counts.handshakes, counts.requests, counts.logins), (1, 1, 1, 1));
    assert_eq!((counts.issued, counts.refreshes, counts.refused, counts.bad_requests), (1, 0, 0, 0));
    assert_eq!(gate.last_token(), Some(answer.text("id_token")));
}

#[test]
fn a_wrong_password_is_refused_and_counted() {
    let gate = Gate::start();
    for (username, password) in [(USERNAME, "wrong"), ("other", PASSWORD)] {
        let body = json!({"username": username, "password": password, "type": "user_credentials"});
        let answer = exchange(&mut connect(&gate), &post(&body)).unwrap();
        assert_eq!(
            (answer.status, answer.json()),
            (401, json!({"status": 401, "message": "Wrong email or password."}))
        );
    }
    gate.set(json!({"username": "other"}));
    assert_eq!(login(&gate).status, 401);
    assert_eq!((gate.counts().refused, gate.counts().logins, gate.counts().issued), (3, 3, 0));
}

#[test]
fn without_rotation_the_refresh_token_stays_valid_and_is_not_sent_again() {
    let gate = Gate::start();
    let first = login(&gate);
    for _ in 0..2 {
        let next = refresh(&gate, &first.text("refresh_token"));
        assert_eq!((next.status, next.json().get("refresh_token")), (200, None));
        assert_ne!(next.text("id_token"), first.text("id_token"));
    }
    assert_eq!((gate.counts().refreshes, gate.counts().issued, gate.counts().requests), (2, 3, 3));
}

#[test]
fn with_rotation_a_refresh_token_is_valid_once() {
    let gate = Gate::start_with(Settings { rotate: true, ..Settings::default() });
    let first = login(&gate).text("refresh_token");
    let second = refresh(&gate, &first).text("refresh_token");
    assert_eq!(refresh(&gate, &second).status, 200);
    let reused = refresh(&gate, &first);
    assert_eq!((reused.status, reused.text("error")), (401, "invalid_grant".into()));
    assert_eq!(refresh(&gate, "never issued").status, 401);
    assert_eq!((gate.counts().reused_refresh_tokens, gate.counts().refused_refreshes), (1, 2));
    assert_eq!(gate.counts().refused, 0, "`refused` counts only logins");
}

#[test]
fn a_malformed_request_is_refused_and_does_not_use_up_the_plan() {
    let gate = Gate::start();
    gate.plan(json!({"do": "status", "status": 503}));
    let good = post(&login_body());
    let mut extra = login_body();
    extra["more"] = 1.into();
    for (request, status) in [
        (good.replace("/token?default", "/token?default="), 400),
        (good.replace("/token?default", "/token"), 400),
        (good.replace("/token?default", "/login?default"), 404),
        (good.replace("POST /token?default", "GET /other"), 404),
        (good.replace("POST", "PUT"), 405),
        (good.replace("application/json", "application/x-www-form-urlencoded"), 400),
        (good.replace("application/json", "application/json; charset=utf-8"), 400),
        (good.replace("Host: localhost\r\n", ""), 400),
        (good.replace("user_credentials", "user_credential_"), 400),
        (good.replace("\"password\"", "\"passw0rd\""), 400),
        (good.replace("{\"", "[\""), 400),
        (post(&extra), 400),
        (post(&json!({"type": "refresh_token", "refresh_token": 5})), 400),
        ("nonsense\r\n\r\n".into(), 400),
    ] {
        let answer = exchange(&mut connect(&gate), &request).unwrap();
        assert_eq!(answer.status, status, "{request}");
        assert!(answer.json()["message"].is_string());
    }
    let counts = gate.counts();
    assert_eq!((counts.bad_requests, counts.requests, counts.logins, gate.planned()), (14, 10, 0, 1));
    assert_eq!(login(&gate).status, 503);
}

#[test]
fn the_last_request_is_kept_as_it_was_sent() {
    let gate = Gate::start();
    assert_eq!(gate.last_request(), None);
    login(&gate);
    let seen = gate.last_request().unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/token?default"));
    assert_eq!((seen.header("host"), seen.header("content-type")), (Some("localhost"), Some("application/json")));
    assert_eq!(seen.body, login_body().to_string());
}

#[test]
fn a_connection_serves_many_requests_by_default() {
    let gate = Gate::start();
    let mut wire = connect(&gate);
    let request = post(&login_body());
    let tokens: HashSet<_> = (0..3).map(|_| exchange(&mut wire, &request).unwrap().text("id_token")).collect();
    assert_eq!((tokens.len(), gate.counts().connections, gate.counts().issued), (3, 1, 3));
    let closing = request.replace("Host:", "Connection: close\r\nHost:");
    assert_eq!(exchange(&mut wire, &closing).unwrap().header("connection"), Some("close"));
    assert!(matches!(read_all(&mut wire), (rest, Ok(())) if rest.is_empty()));
    gate.set(json!({"keep_alive": false}));
    assert_eq!(login(&gate).header("connection"), Some("close"));
}

#[test]
fn an_expect_header_is_answered() {
    let gate = Gate::start();
    let (head, body) =
        { post(&login_body()).split_once("\r\n\r\n").map(|(h, b)| (h.to_owned(), b.to_owned())).unwrap() };
    let mut wire = connect(&gate);
    assert_eq!(exchange(&mut wire, &format!("{head}\r\nExpect: 100-continue\r\n\r\n")).unwrap().status, 100);
    assert_eq!(exchange(&mut wire, &body).unwrap().status, 200);
}

#[test]
fn dates_and_lifetimes_follow_the_settings() {
    let gate = Gate::start();
    let date = |answer: &Answer| {
        let date = httpdate::parse_http_date(answer.header("date")?).unwrap();
        Some(date.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64 - now())
    };
    assert!(date(&login(&gate)).unwrap().abs() < 5);
    gate.set(json!({"date_offset": -7200, "iat_offset": 600, "lifetime": 60, "kid": "k1"}));
    let answer = login(&gate);
    assert!((date(&answer).unwrap() + 7200).abs() < 5);
    let claims = answer.claims();
    let iat = claims["iat"].as_i64().unwrap();
    assert!((iat - now() - 600).abs() < 5 && claims["exp"] == iat + 60, "{claims}");
    gate.set(json!({"send_date": false, "lifetime": -1}));
    assert_eq!(date(&login(&gate)), None);
    gate.reset();
    assert_eq!(login(&gate).claims()["exp"].as_i64().unwrap() / 1000, (now() + 86_400) / 1000);
}

#[test]
fn a_token_can_have_any_exact_length() {
    let gate = Gate::start();
    for length in (900..920).chain([8191, 8192, 8193]) {
        gate.set(json!({"pad_to": length}));
        let answer = login(&gate);
        assert_eq!(answer.text("id_token").len(), length);
        assert_eq!(answer.claims()["email"], USERNAME);
    }
    let too_short = panic::catch_unwind(AssertUnwindSafe(|| gate.set(json!({"pad_to": 500}))));
    assert!(too_short.unwrap_err().downcast_ref::<String>().unwrap().contains("too small"));
    gate.set(json!({"pad_to": null}));
    assert_ne!(login(&gate).text("id_token").len(), 8193);
}

#[test]
fn the_gate_serves_256_connections_at_the_same_time() {
    let gate = Gate::start();
    gate.plan(json!({"do": "hang", "times": 256}));
    let tokens: HashSet<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..256).map(|_| scope.spawn(|| login(&gate).text("id_token"))).collect();
        assert_eq!(gate.wait(|counts| counts.hanging == 256).issued, 0);
        gate.release();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!((tokens.len(), gate.counts().issued, gate.counts().hanging), (256, 256, 0));
}

#[test]
fn several_gates_run_in_parallel_and_start_and_stop_often() {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let (one, two) = (Gate::start(), Gate::start());
                    assert_ne!(login(&one).text("id_token"), login(&two).text("id_token"));
                    assert_eq!((one.counts().requests, two.counts().requests), (1, 1));
                    let folder = one.ca_file().parent().unwrap().to_owned();
                    drop(one);
                    assert!(!folder.exists());
                }
            });
        }
    });
}
