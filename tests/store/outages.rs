//! What is particular to a Redis server: outages, passwords and TLS.

use std::time::Duration;

use dl_auth_gate::Settings;
use serde_json::json;

use crate::fleet::{Member, Program, gate, tokens_at_once};
use crate::redis::Redis;
use crate::{new_gate, relay};

#[test]
fn a_server_that_is_stopped_or_starts_again_empty_costs_no_token() {
    let (program, gate) = (Program::compile("stopped"), gate(Settings { lifetime: 2, ..Settings::default() }));
    let mut server = Redis::start("stopped", &[]);
    let mut members = program.fleet(5, &gate, &server.url(), &[]);
    assert_eq!((tokens_at_once(&mut members).len(), gate.counts().issued), (1, 1));
    server.stop();
    std::thread::sleep(Duration::from_secs(2));
    for member in &mut members {
        member.token();
        assert!(member.counts()[3] >= 1, "{:?}", member.counts());
    }
    let message = members[0].store_message();
    assert!(message.contains("did not connect") && message.contains(&server.port.to_string()), "{message}");
    server.start_again();
    std::thread::sleep(Duration::from_secs(2));
    let before = gate.counts().issued;
    members.iter_mut().for_each(|member| drop(member.token()));
    assert!(gate.counts().issued <= before + 2, "it is shared again: {:?}", gate.counts());
}

#[test]
fn a_server_that_pauses_or_is_full_costs_no_token() {
    let (program, gate) = (Program::compile("paused"), new_gate());
    let server = Redis::start("paused", &[]);
    assert!(server.command("CLIENT PAUSE 10000 ALL").starts_with("+OK"));
    let mut member = program.member(&gate, &server.url(), &[]);
    member.token();
    let message = member.store_message();
    assert!(member.counts()[3] == 1 && message.contains("did not answer in time"), "{message}");

    let full = Redis::start("full", &["--maxmemory", "1", "--maxmemory-policy", "noeviction"]);
    let mut member = program.member(&gate, &full.url(), &[]);
    member.token();
    let message = member.store_message();
    assert!(member.counts()[3] == 1 && message.contains("OOM"), "{message}");
}

/// A command that arrives after its sender has given up must not take the lock.
#[test]
fn a_lock_is_not_taken_for_a_process_that_has_given_up() {
    let (program, gate) = (Program::compile("late"), new_gate());
    let server = Redis::start("late", &[]);
    let mut first = program.member(&gate, &server.url(), &[]);
    first.token();
    assert!(server.command("FLUSHALL").starts_with("+OK"));
    assert!(server.command("CLIENT PAUSE 8000 WRITE").starts_with("+OK"));
    let mut member = program.member(&gate, &server.url(), &[]);
    member.token(); // the read succeeds, and the lock is not answered in time
    assert_eq!(member.counts()[3], 1);
    std::thread::sleep(Duration::from_secs(9));
    assert!(server.command("KEYS *").starts_with("*0"), "{}", server.command("KEYS *"));
}

#[test]
fn a_wrong_password_is_explained_and_not_shown() {
    let (program, gate) = (Program::compile("password"), new_gate());
    let server = Redis::start("password", &["--requirepass", "canary-right"]);
    for (login, works) in
        [(":canary-right@", true), ("default:canary-right@", true), (":canary-wrong@", false), ("", false)]
    {
        let store = format!("redis://{login}127.0.0.1:{}/3", server.port);
        let mut member = program.member(&gate, &store, &[]);
        member.token();
        let message = member.store_message();
        assert_eq!(member.counts()[3], u64::from(!works), "{login}: {message}");
        let explained = message.contains("WRONGPASS") || message.contains("NOAUTH");
        assert!((works || explained) && !message.contains("canary"), "{message}");
    }
}

#[test]
fn tls_uses_the_roots_of_the_library() {
    let (program, gate) = (Program::compile("tls"), new_gate());
    let files = &program.scratch.0;
    let file = |name: &str| files.join(name).display().to_string();
    let script = format!(
        "cd '{}'; openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca 2>/dev/null
        openssl req -newkey rsa:2048 -nodes -keyout key.pem -out csr.pem -subj /CN=localhost 2>/dev/null
        printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' >ext
        openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem 2>/dev/null
        cat ca.pem '{}' >both.pem",
        files.display(),
        gate.ca_file().display()
    );
    crate::common::run(std::process::Command::new("bash").args(["-ec", &script]));
    let (key, cert, ca) = (file("key.pem"), file("cert.pem"), file("ca.pem"));
    let more = ["--port", "0", "--tls-port", "PORT", "--tls-cert-file", &cert, "--tls-key-file", &key];
    let more = [&more[..], &["--tls-ca-cert-file", &ca, "--tls-auth-clients", "no"]].concat();
    let server = Redis::start("tls", &more);
    let store = format!("rediss://localhost:{}", server.port);
    let both = file("both.pem");
    let mut members = program.fleet(2, &gate, &store, &[("DL_AUTH_CA_FILE", &both)]);
    assert_eq!((tokens_at_once(&mut members).len(), gate.counts().logins), (1, 1));
    assert_eq!(members[1].counts()[3], 0, "{}", members[1].store_message());
    // The roots without the private CA.
    let mut member = program.member(&gate, &store, &[]);
    member.token();
    let message = member.store_message();
    assert!(member.counts()[3] == 1 && message.contains("certificate"), "{message}");
    // A server without TLS.
    let plain = Redis::start("plain", &[]);
    let mut member = program.member(&gate, &format!("rediss://localhost:{}", plain.port), &[]);
    member.token();
    assert_eq!(member.counts()[3], 1);
}

#[test]
fn a_fail_over_behind_one_address_costs_at_most_one_login() {
    let (program, gate) = (Program::compile("fail-over"), gate(Settings { lifetime: 60, ..Settings::default() }));
    let mut server = Redis::start("fail-over", &[]);
    let mut members = program.fleet(5, &gate, &server.url(), &[]);
    assert_eq!(tokens_at_once(&mut members).len(), 1);
    server.stop();
    server.start_again(); // the new primary is empty
    std::thread::sleep(Duration::from_millis(6500)); // the minimum interval, a tenth of the token's life
    members.iter_mut().for_each(|member| member.tell("invalidate"));
    assert_eq!(tokens_at_once(&mut members).len(), 1);
    assert_eq!(gate.counts().issued, 2);
}

/// A slow network: each answer takes 300 ms.
#[test]
fn a_slow_server_shares_as_a_fast_one_does() {
    let gate = gate(Settings { lifetime: 10, rotate: true, ..Settings::default() });
    let (program, server) = (Program::compile("slow"), Redis::start("slow", &[]));
    let store = format!("redis://127.0.0.1:{}", relay::delay(server.port, Duration::from_millis(150)));
    let mut members = program.fleet(5, &gate, &store, &[("DL_AUTH_REFRESH_AT", "0.2")]);
    assert_eq!((tokens_at_once(&mut members).len(), gate.counts().issued), (1, 1));
    members.iter_mut().for_each(|member| member.tell("rounds 4"));
    members.iter_mut().for_each(|member| assert_eq!(member.line(), "OK"));
    let counts = gate.counts();
    assert_eq!((counts.logins, counts.refused_refreshes), (1, 0), "{counts:?}");
    let each: Vec<[u64; 4]> = members.iter_mut().map(Member::counts).collect();
    let sum = |at: usize| each.iter().map(|counts| counts[at]).sum::<u64>();
    assert_eq!(([sum(0), sum(1)], sum(3)), ([1, counts.refreshes], 0), "{}", members[0].store_message());
    assert!(sum(2) >= 4, "{each:?}");
}

#[test]
fn a_server_that_pauses_during_a_refresh_costs_no_token() {
    let (program, gate) = (Program::compile("held"), new_gate());
    let server = Redis::start("held", &[]);
    let mut members = program.fleet(5, &gate, &server.url(), &[]);
    gate.plan(json!({"do": "hang"}));
    members[0].tell("token");
    gate.wait(|counts| counts.hanging == 1);
    members[1..].iter_mut().for_each(|member| member.tell("token"));
    std::thread::sleep(Duration::from_secs(1)); // they wait for the lock
    assert!(server.command("CLIENT PAUSE 10000 ALL").starts_with("+OK"));
    gate.release();
    let answers: Vec<String> = members.iter_mut().map(Member::line).collect();
    assert!(answers.iter().all(|answer| answer.starts_with("DL_AUTH_OK 0 eyJ")), "{answers:?}");
    let each: Vec<[u64; 4]> = members.iter_mut().map(Member::counts).collect();
    assert_eq!(each, vec![[1, 0, 0, 1]; 5], "each process logs in once");
    // The server answers again. The process with the lock could not release it.
    let mut late = program.fleet(2, &gate, &server.url(), &[("DL_AUTH_TIMEOUT", "30s")]);
    let answers = tokens_at_once(&mut late);
    assert!(answers.len() == 1 && answers.first().unwrap().starts_with("DL_AUTH_OK 0 eyJ"), "{answers:?}");
    assert!(gate.counts().logins <= 6, "{:?}", gate.counts());
}

#[test]
fn a_server_that_is_full_when_a_process_publishes_costs_no_token() {
    let (program, gate) = (Program::compile("fills"), new_gate());
    let server = Redis::start("fills", &["--maxmemory-policy", "noeviction"]);
    let mut members = program.fleet(5, &gate, &server.url(), &[]);
    gate.plan(json!({"do": "hang"}));
    members[0].tell("token");
    gate.wait(|counts| counts.hanging == 1);
    assert!(server.command("CONFIG SET maxmemory 1").starts_with("+OK"));
    members[1..].iter_mut().for_each(|member| member.tell("token"));
    // The others cannot take the lock, and log in.
    let mut answers: Vec<String> = members[1..].iter_mut().map(Member::line).collect();
    gate.release();
    answers.push(members[0].line());
    assert!(answers.iter().all(|answer| answer.starts_with("DL_AUTH_OK 0 eyJ")), "{answers:?}");
    for member in &mut members {
        assert_eq!(member.counts(), [1, 0, 0, 1]);
        assert!(member.store_message().contains("OOM"), "{}", member.store_message());
    }
    assert!(server.command("KEYS *").starts_with("*0"), "the lock is released: {}", server.command("KEYS *"));
    assert!(server.command("CONFIG SET maxmemory 0").starts_with("+OK"));
    let mut late = program.fleet(2, &gate, &server.url(), &[]);
    assert_eq!((tokens_at_once(&mut late).len(), gate.counts().issued), (1, 6), "it is shared again");
}

/// The new primary has an older record: the mark that its refresh token is used is missing. The gate refuses the token
/// then, and a login follows.
#[test]
fn a_fail_over_to_older_data_costs_no_token() {
    std::thread::scope(|scope| {
        for (name, rotate) in [("older", true), ("older-fixed", false)] {
            scope.spawn(move || fails_over_to_older_data(name, rotate));
        }
    });
}

fn fails_over_to_older_data(name: &str, rotate: bool) {
    let gate = gate(Settings { lifetime: 5, rotate, ..Settings::default() });
    let (program, server) = (Program::compile(name), Redis::start(name, &[]));
    let mut members = program.fleet(5, &gate, &server.url(), &[]);
    assert_eq!(tokens_at_once(&mut members).len(), 1);
    let key = server.records().remove(0);
    let older = server.get(&key).unwrap();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!((tokens_at_once(&mut members).len(), gate.counts().refreshes), (1, 1));
    server.set(&key, &older);
    std::thread::sleep(Duration::from_secs(5));
    let before = gate.counts();
    assert_eq!(tokens_at_once(&mut members).len(), 1);
    let counts = gate.counts();
    let issued = counts.issued - before.issued;
    let expected = if rotate { (1, 2, 1) } else { (1, 1, 0) };
    assert_eq!((issued, counts.logins, counts.reused_refresh_tokens), expected, "{counts:?}");
}

/// The new primary has neither the lock of the process that refreshes, nor the mark of its refresh token.
#[test]
fn a_fail_over_to_older_data_during_a_refresh_costs_no_token() {
    let gate = gate(Settings { lifetime: 6, rotate: true, ..Settings::default() });
    let (program, server) = (Program::compile("midway"), Redis::start("midway", &[]));
    let mut members = program.fleet(5, &gate, &server.url(), &[]);
    assert_eq!(tokens_at_once(&mut members).len(), 1);
    let key = server.records().remove(0);
    let older = server.get(&key).unwrap();
    std::thread::sleep(Duration::from_secs(6));
    gate.plan(json!({"do": "hang"}));
    members[0].tell("token");
    gate.wait(|counts| counts.hanging == 1);
    assert!(server.get(&key).as_ref() != Some(&older), "the refresh token is marked as used");
    assert!(server.command("FLUSHALL").starts_with("+OK"));
    server.set(&key, &older);
    let others = tokens_at_once(&mut members[1..]);
    assert!(others.len() == 1 && others.first().unwrap().starts_with("DL_AUTH_OK"), "{others:?}");
    gate.release();
    let told = members[0].line();
    assert!(told.starts_with("DL_AUTH_OK"), "{told}");
    assert_eq!(members[0].counts()[3], 1, "its lock is lost");
    let counts = gate.counts();
    assert_eq!((counts.logins, counts.reused_refresh_tokens), (2, 1), "{counts:?}");
}

/// A user of the server that may do only what the documentation lists.
#[test]
fn a_user_with_few_rights_shares_and_one_with_too_few_is_told() {
    let (program, gate) = (Program::compile("rights"), new_gate());
    let server = Redis::start("rights", &[]);
    let listed = "+eval +time +get +getrange +set +pttl +pexpire +del";
    assert!(include_str!("../../docs/sharing.md").contains(listed));
    let store = format!("redis://bot:canary-bot@127.0.0.1:{}", server.port);
    let allow = |rights: &str| {
        let told = server.command(&format!("ACL SETUSER bot reset on >canary-bot ~dl_auth:* {rights}"));
        assert!(told.starts_with("+OK"), "{told}");
    };
    allow(listed);
    let mut members = program.fleet(3, &gate, &store, &[]);
    assert_eq!((tokens_at_once(&mut members).len(), gate.counts().logins), (1, 1));
    members.iter_mut().for_each(|member| assert_eq!(member.counts()[3], 0, "{}", member.store_message()));
    for missing in ["+eval ", "+time ", "+getrange "] {
        allow(&listed.replace(missing, ""));
        let mut member = program.member(&gate, &store, &[]);
        member.token();
        let message = member.store_message();
        assert!(member.counts()[3] == 1 && message.contains("sharing.md lists"), "{missing}: {message}");
    }
}

/// A key that has the name of the lock, and no end.
#[test]
fn a_lock_without_an_end_ends() {
    let (program, gate) = (Program::compile("endless"), new_gate());
    let server = Redis::start("endless", &[]);
    program.member(&gate, &server.url(), &[]).token();
    let key = server.records().remove(0);
    assert!(server.command(&format!("DEL {key}")).starts_with(":1"));
    assert!(server.command(&format!("SET {key}:lock x")).starts_with("+OK"));
    let mut member = program.member(&gate, &server.url(), &[]);
    member.token();
    assert_eq!(member.counts(), [1, 0, 0, 0], "{}", member.store_message());
}
