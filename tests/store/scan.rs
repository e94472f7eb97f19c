//! What an administrator of the Redis server finds: in its commands, and in a dump of its memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dl_auth_gate::Settings;
use serde_json::json;

use crate::fleet::{Member, PASSWORD, Program, USER, gate};
use crate::redis::Redis;

/// What the server shows.
struct Scan {
    server: Redis,
    monitor: TcpStream,
}

impl Scan {
    fn start() -> Scan {
        // A compressed dump could hide a secret.
        let server = Redis::start("scan", &["--rdbcompression", "no"]);
        let mut monitor = server.connect();
        monitor.write_all(b"MONITOR\r\n").unwrap();
        monitor.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        Scan { server, monitor }
    }

    /// The commands since the last call, and the memory. Neither contains a secret.
    fn shows_no_secret(&mut self, what: &str, tokens: &[String]) {
        assert!(self.server.command("SAVE").starts_with("+OK"));
        let (mut seen, mut commands) = (vec![0; 1 << 16], Vec::new());
        while let Ok(length @ 1..) = self.monitor.read(&mut seen) {
            commands.extend_from_slice(&seen[..length]);
        }
        let memory = std::fs::read(self.server.path("dump.rdb")).unwrap();
        let [commands, memory] = [commands, memory].map(|shown| String::from_utf8_lossy(&shown).into_owned());
        assert!(commands.contains("KEYS[1],ARGV[2],'PX'"), "{what}: the monitor has seen no publication: {commands}");
        // A record without a token may have a short life.
        assert!(memory.contains("dl_auth:{") || what == "a rejection", "{what}: the dump has no record");
        let parts = tokens.iter().flat_map(|token| token.split('.'));
        for secret in [USER, PASSWORD, "canary", "Wrong email"].into_iter().chain(parts) {
            assert!(!commands.contains(secret), "{what}: the commands contain {secret}: {commands}");
            assert!(!memory.contains(secret), "{what}: the memory contains {secret}");
        }
        assert!(!has_refresh_token(&commands) && !has_refresh_token(&memory), "{what}: {commands}");
    }
}

/// The gate's refresh tokens are `rt-` and hexadecimal digits.
fn has_refresh_token(shown: &str) -> bool {
    let digits = |after: &str| after.bytes().take_while(u8::is_ascii_hexdigit).count();
    shown.split("rt-").skip(1).any(|after| digits(after) >= 8)
}

#[test]
fn neither_the_memory_nor_the_commands_of_the_server_contain_a_secret() {
    let gate = gate(Settings { lifetime: 4, rotate: true, ..Settings::default() });
    let (program, mut scan) = (Program::compile("scan"), Scan::start());
    let store = scan.server.url();
    let no_failure = |member: &mut Member| assert_eq!(member.counts()[3], 0, "{}", member.store_message());

    let mut member = program.member(&gate, &store, &[]);
    let mut tokens = vec![member.token()];
    scan.shows_no_secret("a login", &tokens);

    assert_eq!(member.ask("rounds 3"), "OK");
    tokens.push(member.token());
    assert!(gate.counts().refreshes >= 2 && has_refresh_token(&gate.last_request().unwrap().body));
    scan.shows_no_secret("a refresh", &tokens);

    let key = scan.server.records().remove(0);
    let before = scan.server.get(&key);
    member.tell("invalidate");
    let limit = std::time::Instant::now() + crate::common::patience(60);
    while scan.server.get(&key) == before {
        assert!(std::time::Instant::now() < limit, "the rejection is not published");
        std::thread::sleep(Duration::from_millis(50));
    }
    scan.shows_no_secret("a rejection", &tokens);

    // An answer that repeats what it was sent.
    std::thread::sleep(Duration::from_secs(4));
    let body = format!("canary {USER} {PASSWORD} {}", tokens.join(" "));
    gate.plan(json!({"do": "status", "status": 503, "headers": {"Retry-After": 60}, "body": body}));
    let mut failed = program.member(&gate, &store, &[]);
    let told = failed.ask("token");
    assert!(told.starts_with("DL_AUTH_E_GATE 503 "), "{told}");
    no_failure(&mut failed);
    scan.shows_no_secret("a failure", &tokens);

    let mut refused = program.member(&gate, &store, &[("DL_AUTH_PASSWORD", "canary wrong")]);
    let told = refused.ask("token");
    assert!(told.starts_with("DL_AUTH_E_DENIED 401 ") && told.contains("Wrong email"), "{told}");
    no_failure(&mut refused);
    scan.shows_no_secret("a refusal", &tokens);
    no_failure(&mut member);
}
