//! What is particular to a Redis server: outages, passwords, TLS, and what a scan of the server finds.

use std::io::{Read, Write};
use std::time::Duration;

use dl_auth_gate::Settings;

use crate::fleet::{PASSWORD, Program, USER, gate, tokens_at_once};
use crate::new_gate;
use crate::redis::Redis;

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
    let (program, gate) = (Program::compile("fail-over"), gate(Settings { lifetime: 3, ..Settings::default() }));
    let mut server = Redis::start("fail-over", &[]);
    let mut members = program.fleet(5, &gate, &server.url(), &[]);
    assert_eq!(tokens_at_once(&mut members).len(), 1);
    server.stop();
    server.start_again(); // the new primary is empty
    std::thread::sleep(Duration::from_secs(3));
    let before = gate.counts();
    assert_eq!(tokens_at_once(&mut members).len(), 1);
    assert_eq!(gate.counts().issued, before.issued + 1);
}

#[test]
fn neither_the_memory_nor_the_commands_of_the_server_contain_a_secret() {
    let (program, gate) = (Program::compile("scan"), new_gate());
    let server = Redis::start("scan", &[]);
    let mut monitor = server.connect();
    monitor.write_all(b"MONITOR\r\n").unwrap();
    let mut member = program.member(&gate, &server.url(), &[]);
    let token = member.token();
    assert_eq!(member.counts()[3], 0, "{}", member.store_message());
    assert!(server.command("SAVE").starts_with("+OK"));
    let mut seen = vec![0; 1 << 20];
    monitor.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut length = 0;
    while let Ok(more) = monitor.read(&mut seen[length..]) {
        length += more;
    }
    let commands = String::from_utf8_lossy(&seen[..length]).into_owned();
    let memory = std::fs::read(server.path("dump.rdb")).unwrap();
    assert!(commands.contains("KEYS[1],ARGV[2],'PX'"), "the monitor has seen the publication: {commands}");
    assert!(memory.windows(8).any(|part| part == b"dl_auth:"), "the dump has the record");
    let memory = String::from_utf8_lossy(&memory).into_owned();
    for secret in [USER, PASSWORD, "canary", "rt-"].into_iter().chain(token.split('.')) {
        assert!(!commands.contains(secret) && !memory.contains(secret));
    }
}
