//! A gate may repeat a secret of a handle in any answer of a refresh. No message contains the secret.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const ONCE: (&str, &str) = ("max_attempts", "1");

/// A refusal with this text from the gate.
fn refusal(said: String) -> Answer {
    Box::new(move |_| Ok(response(401, json!({"message": said}).to_string())))
}

/// The gate's text in the error message of the next refresh.
fn said(bench: &Bench) -> String {
    let error = bench.auth.token(|_| ()).unwrap_err();
    let (_, said) = error.message().split_once(": ").unwrap();
    said.split_once("); check").unwrap().0.to_owned()
}

#[test]
fn a_refresh_token_that_was_tried_before_the_login_is_redacted() {
    let script =
        vec![token(100, Some("RT-0123456789")), status(401, "{}"), refusal("after RT-0123456789 was spent".to_owned())];
    let bench = bench_with(Inline, &[BOT[0], BOT[1], ONCE], script);
    bench.token().unwrap();
    bench.pass(100);
    assert_eq!(said(&bench), "after [redacted] was spent");
    assert_eq!(bench.seen(), ["bot pass", "RT-0123456789", "bot pass"]);
}

#[test]
fn a_refresh_token_of_an_earlier_attempt_is_redacted() {
    let script =
        vec![token(100, Some("RT-0123456789")), unreachable(true), refusal("after RT-0123456789 was spent".to_owned())];
    let bench = bench_with(Inline, &BOT, script);
    bench.token().unwrap();
    bench.pass(100);
    assert_eq!(said(&bench), "after [redacted] was spent");
}

#[test]
fn a_piece_of_the_current_id_token_is_redacted() {
    let bench = bench_with(Inline, &[BOT[0], BOT[1], ONCE], vec![token(100, None)]);
    bench.token().unwrap();
    let current = bench.auth.token(|token| token.jwt().text().to_owned()).unwrap();
    let payload = current.split('.').nth(1).unwrap()[6..].to_owned();
    bench.pass(100);
    bench.gate_will(refusal(format!("not after {payload}, nor {payload:.9}")));
    assert_eq!(said(&bench), "not after [redacted], nor [redacted]");
}

#[test]
fn the_tokens_of_an_answer_that_was_not_used_are_redacted() {
    let bench = bench_with(Inline, &BOT, vec![]);
    let id_token = jwt(json!({"iat": NOW - 200, "exp": NOW - 100}));
    let payload = id_token.split('.').nth(1).unwrap()[6..].to_owned();
    let ended = json!({"id_token": id_token, "refresh_token": "RT-0123456789"}).to_string();
    bench.gate_will(Box::new(move |_| Ok(response(200, ended))));
    bench.gate_will_then(refusal(format!("not {payload} nor RT-0123456789")));
    assert_eq!(said(&bench), "not [redacted] nor [redacted]");
}

#[test]
fn user_and_password_of_gate_and_proxy_are_redacted_in_base64() {
    for said_by_gate in [
        STANDARD.encode("robot@example.com:correct horse"),
        "robot@example.com, correct horse".to_owned(),
        STANDARD.encode("proxy user:battery staple"),
        "proxy%20user, battery%20staple".to_owned(),
        "proxy user, battery staple".to_owned(),
    ] {
        let options = [("username", "robot@example.com"), ("password", "correct horse"), ONCE];
        let proxy = ("proxy", "http://proxy%20user:battery%20staple@127.0.0.1:1");
        let bench =
            bench_with(Inline, &[&options[..], &[proxy]].concat(), vec![refusal(format!("no {said_by_gate} here"))]);
        let said = said(&bench);
        assert!(["no [redacted] here", "no [redacted], [redacted] here"].contains(&&*said), "{said}");
    }
}

#[test]
fn a_password_that_the_file_had_before_is_redacted() {
    let file = std::env::temp_dir().join(format!("dl_auth-before-{}", std::process::id()));
    std::fs::write(&file, "hunter-one").unwrap();
    let options = [BOT[0], ("password_file", file.to_str().unwrap()), ONCE];
    let bench = bench_with(Inline, &options, vec![refusal("not hunter-two after hunter-one".to_owned())]);
    std::fs::write(&file, "hunter-two").unwrap();
    assert_eq!(said(&bench), "not [redacted] after [redacted]");
    // After a refusal, a call returns the cached error, and starts a job that reads the file again and sends a new
    // password.
    std::fs::write(&file, "hunter-three").unwrap();
    bench.gate_will(refusal("not hunter-three after hunter-two".to_owned()));
    bench.pass(2);
    assert_eq!(said(&bench), "not [redacted] after [redacted]", "the cached error of the first answer");
    assert_eq!(bench.seen(), ["bot hunter-two", "bot hunter-three"]);
    assert_eq!(said(&bench), "not [redacted] after [redacted]");
    std::fs::remove_file(file).unwrap();
}

/// Each case has different secrets. The gate repeats them when it refuses the login, or the refresh token and the
/// login.
#[test]
fn no_message_of_a_refresh_contains_a_secret() {
    use crate::secret::property::{assert_none_found, for_each_seed, secret, text};
    for_each_seed(100, |rng, seed| {
        let [user, password, refresh_token] = [(); 3].map(|()| secret(rng));
        let user = user.replace(['\t', '\n', '\u{1}'], "~");
        let password = password.replace(['\t', '\n', '\u{1}'], "~");
        let bench = bench_with(Inline, &[("username", &user), ("password", &password), ONCE], vec![]);
        let leaked: &'static str = Box::leak(refresh_token.clone().into_boxed_str());
        bench.gate_will(token(100, Some(leaked)));
        bench.token().unwrap();
        bench.pass(100);
        let mut secrets = vec![user, password, refresh_token];
        secrets.push(bench.auth.info().token.unwrap().jwt().text().to_owned());
        let said = text(rng, &secrets);
        if rng.bool() {
            bench.gate_will(refusal("no".to_owned()));
            bench.gate_will_then(refusal(said.clone()));
        } else {
            bench.gate_will(unreachable(false));
            bench.gate_will(refusal(said.clone()));
            bench.gate_will_then(refusal(said.clone()));
        }
        let error = bench.auth.token(|_| ()).unwrap_err();
        assert_none_found(&error, &said, &secrets, seed);
    });
}
