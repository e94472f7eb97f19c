//! Records on a Redis server that are damaged, or are the records of others.

use serde_json::json;

use crate::fleet::{PASSWORD, Program, USER};
use crate::new_gate;
use crate::redis::Redis;

/// What the next process counts: logins, refreshes, tokens from the store, failures of the store.
const REPLACED: [u64; 4] = [1, 0, 0, 0];
const LEFT_ALONE: [u64; 4] = [1, 0, 0, 1];

#[test]
fn a_damaged_record_on_a_server_is_never_an_error_and_never_a_token() {
    let (program, gate) = (Program::compile("bytes"), new_gate());
    let server = Redis::start("bytes", &[]);
    let login = |user: &str, password: &str| {
        gate.set(json!({"username": user, "password": password}));
        let mut member =
            program.member(&gate, &server.url(), &[("DL_AUTH_USERNAME", user), ("DL_AUTH_PASSWORD", password)]);
        let token = member.token();
        (token, member.counts(), member.store_message())
    };
    let (foreign, counts, _) = login("canary-other", PASSWORD);
    assert_eq!(counts, REPLACED);
    let of_another_account = server.get(&server.records()[0]).unwrap();
    login(USER, "canary older");
    let of_another_password =
        server.records().iter().filter_map(|key| server.get(key)).find(|value| *value != of_another_account);
    assert!(server.command("FLUSHALL").starts_with("+OK"));
    login(USER, PASSWORD);
    let key = server.records().remove(0);
    let good = server.get(&key).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let last = good.len() - 1;
    for (what, value, outcome) in [
        ("another account's", of_another_account, REPLACED),
        ("another password's", of_another_password.unwrap(), REPLACED),
        ("empty", vec![], REPLACED),
        ("one byte", good[..1].to_vec(), REPLACED),
        ("a half", good[..last / 2].to_vec(), REPLACED),
        ("without its last byte", good[..last].to_vec(), REPLACED),
        ("longer by a byte", [&*good, b"x"].concat(), REPLACED),
        ("another nonce", flipped(1), REPLACED),
        ("another text", flipped(last / 2), REPLACED),
        ("another tag", flipped(last), REPLACED),
        ("100 KB", vec![1; 100_000], REPLACED),
        ("another version's", [&[2], &good[1..]].concat(), LEFT_ALONE),
    ] {
        server.set(&key, &value);
        let (token, counts, message) = login(USER, PASSWORD);
        assert!(token == gate.last_token().unwrap() && token != foreign, "{what}");
        assert_eq!(counts, outcome, "{what}: {message}");
        assert_eq!(server.get(&key).as_ref() == Some(&value), outcome == LEFT_ALONE, "{what}");
        if outcome == REPLACED {
            assert_eq!(login(USER, PASSWORD), (token, [0, 0, 1, 0], String::new()), "{what}: the new record is good");
        } else {
            assert!(message.contains("another version"), "{what}: {message}");
        }
    }
}

#[test]
fn a_key_that_the_library_never_writes_is_never_an_error_and_is_replaced() {
    let (program, gate) = (Program::compile("type"), new_gate());
    let server = Redis::start("type", &[]);
    program.member(&gate, &server.url(), &[]).token();
    let key = server.records().remove(0);
    for command in ["LPUSH KEY x", "HSET KEY x y", "SADD KEY x", "SETRANGE KEY 1048575 x"] {
        assert!(server.command(&format!("DEL {key}")).starts_with(":1"));
        assert!(server.command(&command.replace("KEY", &key)).starts_with(":1"));
        let mut member = program.member(&gate, &server.url(), &[]);
        assert_eq!(member.token(), gate.last_token().unwrap());
        assert_eq!(member.counts(), REPLACED, "{command}: {}", member.store_message());
        let mut next = program.member(&gate, &server.url(), &[]);
        next.token();
        assert_eq!(next.counts(), [0, 0, 1, 0], "{command}: {}", next.store_message());
    }
}
