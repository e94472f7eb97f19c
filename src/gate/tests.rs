//! The exact text of each request, and the result of each answer.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::time::Duration;

const NOW_MS: i64 = 784_111_777_000; // Sun, 06 Nov 1994 08:49:37 GMT

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn secrets(texts: &[&str]) -> Secrets {
    let mut secrets = Secrets::default();
    texts.iter().for_each(|text| secrets.add(text));
    secrets
}

fn answer(status: u16, body: &str) -> Response {
    answer_of_bytes(status, body.as_bytes())
}

fn answer_of_bytes(status: u16, body: &[u8]) -> Response {
    Response::new(status, body.to_vec().into())
}

fn read_one(response: &Response) -> Result<Tokens, Error> {
    read(response, Secrets::NONE, NOW_MS)
}

fn jwt(payload: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2ln", part("{}"), part(payload))
}

#[test]
fn the_requests_have_the_form_that_the_gate_documents() {
    let credentials = Credentials::new(secret("b\"ot@x"), secret("p\\ä\u{1}"));
    let login = login(&credentials);
    assert_eq!(login.grant, Grant::Login);
    let body: Value = serde_json::from_slice(&login.body).unwrap();
    assert_eq!(body, json!({"username": "b\"ot@x", "password": "p\\ä\u{1}", "type": "user_credentials"}));
    let refresh = refresh(&secret("r1"));
    assert_eq!(
        (refresh.grant, refresh.body.as_slice()),
        (Grant::Refresh, &br#"{"refresh_token":"r1","type":"refresh_token"}"#[..])
    );
}

#[test]
fn a_body_is_never_moved_while_it_is_written() {
    let nasty = "\u{1}".repeat(3000);
    let request = login(&Credentials::new(secret(&nasty), secret(&nasty)));
    assert!(
        request.body.len() > 36_000 && request.body.capacity() < 37_000,
        "{} {}",
        request.body.len(),
        request.body.capacity()
    );
}

#[test]
fn a_good_answer_has_a_token_and_perhaps_a_refresh_token() {
    let id_token = jwt(r#"{"iat":1,"exp":1000.5}"#);
    for (more, refresh_token) in [
        (json!({}), None),
        (json!({"refresh_token": "r"}), Some("r")),
        (json!({"refresh_token": ""}), None),
        (json!({"refresh_token": null}), None),
        (json!({"refresh_token": 7, "extra": [1, {}]}), None),
    ] {
        let mut body = more;
        body["id_token"] = json!(id_token);
        body["access_token"] = json!("unused");
        let tokens = read_one(&answer(200, &body.to_string())).unwrap();
        assert_eq!((tokens.jwt.text(), tokens.expiry), (id_token.as_str(), 1000));
        assert_eq!(tokens.refresh_token.as_ref().map(Secret::expose), refresh_token);
    }
}

#[test]
fn an_unneeded_field_may_hold_anything() {
    let id_token = jwt(r#"{"exp":1000}"#);
    for (more, refresh_token) in [
        (&br#""name":"\ud800""#[..], Some("r")),
        (br#""\ud800":{"\udfff":["\ud83d"]}"#, Some("r")),
        (br#""n":1e99999,"m":[-1e99999]"#, Some("r")),
        (b"\"name\":\"\xff\",\"\xfe\":\"\xc3\"", Some("r")),
        (br#""id_token":"\ud800""#, Some("r")),
        (br#""access_token":"\ud800","message":"\udc00""#, Some("r")),
        (br#""refresh_token":"\ud800""#, None),
        (b"\"refresh_token\":\"\xff\"", None),
        (br#""refresh_token":1e99999"#, None),
        (br#""refresh_token":{"id_token":"\ud800"}"#, None),
    ] {
        // If a name occurs twice, the last one counts. `more` is before the token and after the refresh token.
        let (before, after) = (&br#"{"refresh_token":"r","#[..], format!(r#","id_token":"{id_token}"}}"#));
        let body = [before, more, after.as_bytes()].concat();
        let tokens = read_one(&answer_of_bytes(200, &body)).unwrap();
        assert_eq!(tokens.jwt.text(), id_token, "{}", more.escape_ascii());
        assert_eq!(tokens.refresh_token.as_ref().map(Secret::expose), refresh_token, "{}", more.escape_ascii());
    }
}

#[test]
fn a_token_is_read_with_escapes_and_after_a_byte_order_mark_and_the_last_one_counts() {
    let (first, id_token) = (jwt(r#"{"exp":1}"#), jwt(r#"{"exp":1000}"#));
    for body in [
        format!(r#"{{"id_token":"{}"}}"#, id_token.replace('.', "\\u002e")),
        format!(r#"{{"id\u005ftoken":"{id_token}"}}"#),
        format!(r#"{{"id_token":"{first}","id_token":"{id_token}"}}"#),
        format!(r#"{{"id_token":7,"id_token":"{id_token}"}}"#),
        format!("\u{feff}{{\"id_token\":\"{id_token}\"}}"),
        format!("\r\n  {{\"id_token\":\"{id_token}\"}}\n\n"),
    ] {
        assert_eq!(read_one(&answer(200, &body)).unwrap().jwt.text(), id_token, "{body}");
    }
    let error = read_one(&answer(403, "\u{feff}{\"message\":\"go away\"}")).unwrap_err();
    assert!(error.status() == Status::Denied && error.message().contains("go away"), "{error}");
}

#[test]
fn a_plain_body_is_read_even_if_the_answer_names_an_encoding() {
    let body = json!({"id_token": jwt(r#"{"exp":1000}"#)}).to_string();
    for encoding in ["", "utf-8", "none", "gzip"] {
        let named = Response { encoding: Some(encoding.to_owned()), ..answer(200, &body) };
        assert_eq!(read_one(&named).unwrap().expiry, 1000, "{encoding}");
    }
}

#[test]
fn a_refusal_is_an_object_even_if_its_text_cannot_be_read() {
    for (body, said) in [
        (&br#"{"message":"\ud800"}"#[..], "HTTP 403)"),
        (b"{\"message\":\"\xff\",\"\xff\":1e99999}", "HTTP 403)"),
        (br#"{"message":"\ud800","error":"locked"}"#, "HTTP 403: locked)"),
        (br#"{"message":1e99999,"error_description":[],"error":"locked"}"#, "HTTP 403: locked)"),
    ] {
        let error = read_one(&answer_of_bytes(403, body)).unwrap_err();
        assert_eq!(error.status(), Status::Denied, "{error}");
        assert!(error.message().contains(said), "{error}");
    }
}

#[test]
fn a_200_without_a_token_is_a_bad_response_and_the_message_says_why() {
    let long = jwt(&format!(r#"{{"exp":1000,"pad":"{}"}}"#, "x".repeat(8000)));
    for (body, word) in [
        ("".to_owned(), "empty"),
        ("<html>canary</html>".to_owned(), "not JSON"),
        ("{\"id_token\":\"canary".to_owned(), "not JSON"),
        ("[]".to_owned(), "no `id_token`"),
        ("\"canary\"".to_owned(), "no `id_token`"),
        ("{}".to_owned(), "no `id_token`"),
        (json!({"id_token": null}).to_string(), "no `id_token`"),
        (json!({"id_token": 7}).to_string(), "not a string"),
        (json!({"id_token": ["canary"]}).to_string(), "not a string"),
        (r#"{"id_token":"\ud800"}"#.to_owned(), "not JSON"),
        ("\"\\ud800\"".to_owned(), "no `id_token`"),
        (json!({"id_token": ""}).to_string(), "three parts"),
        (json!({"id_token": "canary"}).to_string(), "three parts"),
        (json!({"id_token": "a.b.c\r\nX-Canary: 1"}).to_string(), "signature"),
        (json!({"id_token": jwt("{}")}).to_string(), "`exp`"),
        (json!({"id_token": jwt(r#"{"exp":"1000"}"#)}).to_string(), "`exp`"),
        (json!({"id_token": jwt(r#"{"exp":-1}"#)}).to_string(), "`exp`"),
        (json!({"id_token": jwt(r#"{"exp":1e300}"#)}).to_string(), "`exp`"),
        (json!({"id_token": long}).to_string(), "8191"),
        ("[".repeat(10_000), "not JSON"),
    ] {
        let error = read_one(&answer(200, &body)).unwrap_err();
        assert_eq!((error.status(), error.http_status()), (Status::BadResponse, Some(200)));
        assert!(error.message().contains(word), "{error}");
        assert!(!error.message().to_lowercase().contains("canary"), "{error}");
    }
    let echo = Response { encoding: Some("hunter2".to_owned()), ..answer(200, "\u{1f}") };
    let error = read(&echo, &secrets(&["hunter2"]), NOW_MS).unwrap_err();
    assert!(error.message().contains("[redacted]") && !error.message().contains("hunter2"), "{error}");
    let gzip = Response { encoding: Some("gzip".to_owned()), ..answer(200, "\u{1f}") };
    assert!(read_one(&gzip).unwrap_err().message().contains("\"gzip\""));
}

#[test]
fn each_http_status_becomes_the_right_status() {
    let object = r#"{"message":"no","status":1}"#;
    for (status, body, wanted) in [
        (401, "", Status::Denied),
        (401, "<html>", Status::Denied),
        (401, object, Status::Denied),
        (400, object, Status::Denied),
        (403, object, Status::Denied),
        (400, "<html>", Status::Gate),
        (403, "", Status::Gate),
        (403, "[]", Status::Gate),
        (407, "", Status::Unreachable),
        (408, "", Status::Gate),
        (425, "", Status::Gate),
        (429, "", Status::RateLimited),
        (500, object, Status::Gate),
        (503, "", Status::Gate),
        (599, "", Status::Gate),
        (301, "", Status::BadResponse),
        (307, "", Status::BadResponse),
        (404, object, Status::BadResponse),
        (418, object, Status::BadResponse),
        (100, "", Status::BadResponse),
        (999, "", Status::BadResponse),
    ] {
        let error = read_one(&answer(status, body)).unwrap_err();
        assert_eq!((error.status(), error.http_status()), (wanted, Some(status)), "{status} {body}");
        assert!(error.message().contains(&format!("HTTP {status}")), "{error}");
    }
}

#[test]
fn the_message_repeats_the_text_of_the_gate_without_the_secrets() {
    let secrets = secrets(&["hunter2", "bot@x"]);
    for (body, said) in [
        (r#"{"message":"Wrong password hunter2 for bot@x"}"#, ": Wrong password [redacted] for [redacted])"),
        (r#"{"error":"invalid_grant","error_description":"Wrong email"}"#, ": Wrong email)"),
        (r#"{"error":"invalid_grant"}"#, ": invalid_grant)"),
        (r#"{"error":{"message":"hunter2"}}"#, "HTTP 401)"),
        (r#"{"message":"a\r\nb"}"#, ": a  b)"),
        ("hunter2", "HTTP 401)"),
    ] {
        let error = read(&answer(401, body), &secrets, NOW_MS).unwrap_err();
        assert!(error.message().contains(said) && !error.message().contains("hunter2"), "{error}");
    }
}

#[test]
fn only_the_retry_after_of_429_and_503_is_used() {
    for (status, honoured) in [(429, true), (503, true), (500, false), (401, false), (404, false)] {
        let response = Response { retry_after: Some("7".to_owned()), ..answer(status, "{}") };
        assert_eq!(read_one(&response).unwrap_err().retry_after(), honoured.then_some(Duration::from_secs(7)));
    }
    let date = "Sun, 06 Nov 1994 08:49:47 GMT".to_owned();
    let by_our_clock = Response { retry_after: Some(date), ..answer(429, "") };
    assert_eq!(read_one(&by_our_clock).unwrap_err().retry_after(), Some(Duration::from_secs(10)));
    let by_its_own = Response { date_ms: Some(NOW_MS + 4000), ..by_our_clock };
    assert_eq!(read_one(&by_its_own).unwrap_err().retry_after(), Some(Duration::from_secs(6)));
}

#[test]
fn a_required_client_certificate_is_a_tls_error_unless_the_gate_refuses_in_its_own_form() {
    for (status, body, kind) in [
        (400, "<html>No required SSL certificate was sent</html>", Status::Tls),
        (403, "", Status::Tls),
        (495, "", Status::Tls),
        (496, "", Status::Tls),
        (400, r#"{"message":"no"}"#, Status::Denied),
        (401, "", Status::Denied),
        (500, "", Status::Gate),
    ] {
        let asked = Response { asked_for_certificate: true, peer: "gate.test:443".to_owned(), ..answer(status, body) };
        let error = read_one(&asked).unwrap_err();
        assert_eq!((error.status(), error.http_status()), (kind, Some(status)), "{status} {body}");
        assert_eq!(
            error.message().contains("gate.test:443 asked for a client certificate"),
            kind == Status::Tls,
            "{error}"
        );
        assert!(!read_one(&answer(status, body)).unwrap_err().message().contains("client certificate"));
    }
}

#[test]
fn the_tokens_of_a_refusal_are_redacted_in_its_text() {
    let body = json!({
        "message": "no new-token-1, NEW-TOKEN-2 or new%2Dtoken%2D3",
        "id_token": "new-token-1",
        "access_token": "new-token-2",
        "refresh_token": "new-token-3",
    });
    let error = read_one(&answer(401, &body.to_string())).unwrap_err();
    assert!(error.message().contains(": no [redacted], [redacted] or [redacted])"), "{error}");
}
