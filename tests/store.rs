//! Processes that share a store: in a directory, and on a Redis server.
//!
//! The members of a fleet are C programs with the library as it is released. The gate counts what the fleet costs it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

#[path = "store/damage.rs"]
mod damage;
#[path = "store/directory.rs"]
mod directory;
#[path = "store/fleet.rs"]
mod fleet;
#[path = "store/outages.rs"]
mod outages;
#[path = "store/passwords.rs"]
mod passwords;
#[path = "store/redis.rs"]
mod redis;
#[path = "store/relay.rs"]
mod relay;
#[path = "store/scan.rs"]
mod scan;

use std::time::Duration;

use dl_auth_gate::{Gate, Settings};
use fleet::{Member, Program, gate, tokens_at_once};
use redis::Redis;
use serde_json::json;

/// A fleet at a barrier.
const FLEET: usize = 200;

/// The store of a test: a directory, or a Redis server that runs while the test runs.
struct Store {
    url: String,
    _server: Option<Redis>,
}

/// Runs the test with each kind of store, at the same time.
fn both(name: &str, test: impl Fn(&Program, &Store) + Sync) {
    std::thread::scope(|scope| {
        for kind in ["file", "redis"] {
            let test = &test;
            scope.spawn(move || {
                let program = Program::compile(&format!("{name}-{kind}"));
                let server = (kind == "redis").then(|| Redis::start(name, &[]));
                let url = server.as_ref().map_or_else(|| program.directory("store"), Redis::url);
                test(&program, &Store { url, _server: server });
            });
        }
    });
}

fn new_gate() -> Gate {
    gate(Settings::default())
}

#[test]
fn two_hundred_processes_that_start_at_once_log_in_once() {
    both("once", |program, store| {
        let gate = new_gate();
        gate.plan(json!({"do": "hang"}));
        let mut members = program.fleet(FLEET, &gate, &store.url, &[]);
        members.iter_mut().for_each(|member| member.tell("token"));
        gate.wait(|counts| counts.hanging == 1);
        std::thread::sleep(Duration::from_secs(3)); // the gate is slow, and all others wait for the lock
        gate.release();
        let answers: std::collections::BTreeSet<String> = members.iter_mut().map(Member::line).collect();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert!(answers.first().unwrap().starts_with("DL_AUTH_OK 0 eyJ"), "{answers:?}");
        assert_eq!((gate.counts().requests, gate.counts().logins), (1, 1));
        let counts: Vec<[u64; 4]> = members.iter_mut().map(Member::counts).collect();
        let sum = |at: usize| counts.iter().map(|counts| counts[at]).sum::<u64>();
        assert_eq!((sum(0), sum(1), sum(2), sum(3)), (1, 0, FLEET as u64 - 1, 0));
    });
}

#[test]
fn two_hundred_processes_share_the_failure_of_a_dead_gate() {
    both("dead", |program, store| {
        let gate = new_gate();
        // The gate forbids further requests for longer than the test takes.
        gate.plan(json!({"do": "status", "status": 503, "headers": {"Retry-After": 3600}, "times": 1000}));
        let mut members = program.fleet(FLEET, &gate, &store.url, &[]);
        let answers = tokens_at_once(&mut members);
        assert!(answers.iter().all(|answer| answer.starts_with("DL_AUTH_E_GATE 503 ")), "{answers:?}");
        assert_eq!(gate.counts().requests, 1);
    });
}

#[test]
fn a_gate_that_hangs_gets_one_request_and_its_time_out_is_shared() {
    both("hang", |program, store| {
        let gate = new_gate();
        gate.plan(json!({"do": "hang", "times": 1000}));
        let timeout = Duration::from_secs(6);
        let options = [("DL_AUTH_TIMEOUT", "6s"), ("DL_AUTH_MAX_ATTEMPTS", "1")];
        let mut members = program.fleet(20, &gate, &store.url, &options);
        let started = std::time::Instant::now();
        members.iter_mut().for_each(|member| member.tell("token"));
        let answers: Vec<String> = members.iter_mut().map(Member::line).collect();
        let took = started.elapsed();
        assert!(answers.iter().all(|answer| answer.starts_with("DL_AUTH_E_TIMEOUT 0 ")), "{answers:?}");
        assert!(took < timeout + common::patience(6), "{took:?}");
        assert_eq!(gate.counts().requests, 1);
        // The failure of the request is shared for at least half a second. A slow process may miss it.
        let shared = answers.iter().filter(|answer| answer.contains("did not answer in time")).count();
        assert!(shared > members.len() / 2, "{shared} processes have the failure of the request: {answers:?}");
    });
}

#[test]
fn two_hundred_processes_send_a_wrong_password_once() {
    both("denied", |program, store| {
        let gate = new_gate();
        let mut members = program.fleet(FLEET, &gate, &store.url, &[("DL_AUTH_PASSWORD", "canary wrong")]);
        let answers = tokens_at_once(&mut members);
        assert!(answers.iter().all(|answer| answer.starts_with("DL_AUTH_E_DENIED 401 ")), "{answers:?}");
        assert_eq!((gate.counts().requests, gate.counts().refused), (1, 1));
    });
}

#[test]
fn rotating_refresh_tokens_are_used_once_over_twenty_refreshes() {
    both("rotate", |program, store| {
        let gate = gate(Settings { lifetime: 10, rotate: true, ..Settings::default() });
        gate.plan(json!({"do": "hang"}));
        // A refresh is due after about 1.2 s. The minimum interval is 1 s.
        let mut members = program.fleet(FLEET, &gate, &store.url, &[("DL_AUTH_REFRESH_AT", "0.12")]);
        members.iter_mut().for_each(|member| member.tell("rounds 21"));
        gate.wait(|counts| counts.hanging == 1);
        std::thread::sleep(Duration::from_secs(3)); // all others wait for the lock
        gate.release();
        for member in &mut members {
            assert_eq!(member.line(), "OK");
        }
        let counts = gate.counts();
        assert_eq!((counts.logins, counts.reused_refresh_tokens, counts.refused_refreshes), (1, 0, 0), "{counts:?}");
        assert!(counts.refreshes >= 20, "{counts:?}");
    });
}

#[test]
fn a_killed_holder_never_blocks_the_fleet_and_no_refresh_token_is_sent_again() {
    let moments =
        |what: &str| ["before", "after"].map(|when| [1, 2, 3].map(|number| format!("{when} {what} {number}"))).concat();
    both("killed", |program, store| {
        let what = if store.url.starts_with("file:") { "rename" } else { "send" };
        std::thread::scope(|scope| {
            for moment in moments(what) {
                scope.spawn(move || is_replaced(program, store, &moment));
            }
        });
    });
}

/// Starts a process that kills itself at this moment, and then another one. Each moment has a separate gate, and so a
/// separate record.
fn is_replaced(program: &Program, store: &Store, moment: &str) {
    let gate = gate(Settings { lifetime: 3, rotate: true, ..Settings::default() });
    // The lock of Redis lasts for `timeout` and 5 s more.
    let mut victim = program.member(&gate, &store.url, &[("DL_AUTH_TIMEOUT", "8s"), ("KILLED_AT", moment)]);
    victim.tell("rounds 9");
    victim.has_killed_itself();
    let before = gate.counts();
    let mut next = program.member(&gate, &store.url, &[]);
    next.token();
    assert_eq!(next.ask("rounds 3"), "OK", "{moment}");
    let counts = gate.counts();
    assert_eq!((counts.reused_refresh_tokens, counts.refused_refreshes), (0, 0), "{moment}: {counts:?}");
    assert!(counts.logins <= before.logins + 1, "{moment}: {counts:?}");
}

#[test]
fn a_holder_that_is_killed_during_its_request_is_replaced() {
    both("request", |program, store| {
        for (through_proxy, with_child) in [(true, false), (false, false), (false, true)] {
            let gate = new_gate();
            let proxy = if through_proxy {
                gate.set(json!({"proxy_plan": [{"do": "hang"}]}));
                gate.proxy_url().to_owned()
            } else {
                gate.plan(json!({"do": "hang"}));
                "none".to_owned()
            };
            let mut victim = program.member(&gate, &store.url, &[("DL_AUTH_PROXY", &proxy), ("DL_AUTH_TIMEOUT", "8s")]);
            victim.tell("begin");
            gate.wait(|counts| counts.hanging == 1);
            if with_child {
                victim.tell("sleeper");
                assert!(!victim.ask("counts").is_empty(), "the child exists");
            }
            victim.kill();
            let mut next = program.member(&gate, &store.url, &[]);
            next.token();
            assert_eq!(next.counts()[0], 1);
            gate.release();
        }
    });
}

#[test]
fn processes_that_wait_for_a_killed_holder_get_a_token() {
    both("waiters", |program, store| {
        let gate = new_gate();
        gate.plan(json!({"do": "hang"}));
        let mut members = program.fleet(8, &gate, &store.url, &[("DL_AUTH_TIMEOUT", "20s")]);
        members[0].tell("begin");
        gate.wait(|counts| counts.hanging == 1);
        members[1..].iter_mut().for_each(|member| member.tell("token"));
        std::thread::sleep(Duration::from_secs(2)); // they wait for the lock
        members[0].kill();
        for member in &mut members[1..] {
            assert_eq!(member.line(), format!("DL_AUTH_OK 0 {}", gate.last_token().unwrap()));
        }
        assert_eq!((gate.counts().logins, gate.counts().issued), (2, 1), "one login more");
    });
}

#[test]
fn two_accounts_and_a_new_password_have_separate_records() {
    both("accounts", |program, store| {
        let gate = new_gate();
        let mut old = program.fleet(3, &gate, &store.url, &[]);
        let tokens = tokens_at_once(&mut old);
        assert_eq!((tokens.len(), gate.counts().logins), (1, 1));
        gate.set(json!({"password": "canary new"}));
        let mut new = program.fleet(3, &gate, &store.url, &[("DL_AUTH_PASSWORD", "canary new")]);
        assert_eq!((tokens_at_once(&mut new).len(), gate.counts().logins), (1, 2));
        // The others still have the first token, also one that starts now.
        let mut late = program.fleet(1, &gate, &store.url, &[]);
        assert_eq!(tokens_at_once(&mut late), tokens);
        gate.set(json!({"username": "canary-other"}));
        let other = [("DL_AUTH_USERNAME", "canary-other"), ("DL_AUTH_PASSWORD", "canary new")];
        let mut other = program.fleet(3, &gate, &store.url, &other);
        assert_eq!((tokens_at_once(&mut other).len(), gate.counts().logins), (1, 3));
    });
}

#[test]
fn a_rejected_token_is_taken_by_no_other_process() {
    both("rejected", |program, store| {
        let gate = gate(Settings { lifetime: 9, ..Settings::default() }); // the minimum interval is a second
        let mut members = program.fleet(2, &gate, &store.url, &[]);
        let rejected = members[0].token();
        assert_eq!(members[1].token(), rejected);
        members[0].tell("invalidate");
        // It is published by a thread.
        let limit = std::time::Instant::now() + common::patience(60);
        loop {
            let mut late = program.member(&gate, &store.url, &[]);
            if late.token() != rejected {
                break;
            }
            assert!(std::time::Instant::now() < limit, "the rejected token is still in the store");
        }
        assert!(gate.counts().issued >= 2, "{:?}", gate.counts());
    });
}

#[test]
fn the_refresh_token_of_a_rejected_token_is_used() {
    both("kept", |program, store| {
        let gate = gate(Settings { lifetime: 9, rotate: true, ..Settings::default() });
        let mut member = program.member(&gate, &store.url, &[]);
        let rejected = member.token();
        // After the minimum interval of a second. Then nothing refreshes the token until it is asked for.
        std::thread::sleep(Duration::from_millis(1500));
        member.tell("invalidate");
        std::thread::sleep(Duration::from_millis(1500));
        assert_ne!(member.token(), rejected);
        let counts = gate.counts();
        assert_eq!((counts.logins, counts.refreshes, counts.reused_refresh_tokens), (1, 1, 0), "{counts:?}");
    });
}

#[test]
fn five_hundred_children_of_a_fork_get_a_token_and_none_hangs() {
    both("fork", |program, store| {
        for hangs in [true, false] {
            let gate = new_gate();
            if hangs {
                gate.plan(json!({"do": "hang"}));
            }
            let mut parent = program.member(&gate, &store.url, &[("DL_AUTH_USERNAME", fleet::USER)]);
            // The parent holds the lock, or publishes, while it forks.
            parent.tell("begin");
            if hangs {
                gate.wait(|counts| counts.hanging == 1);
            }
            parent.tell("fork 500");
            if hangs {
                std::thread::sleep(Duration::from_millis(500));
                gate.release();
            }
            for child in 0..500 {
                let told = parent.line();
                assert!(told.starts_with("DL_AUTH_OK 0 eyJ"), "child {child}: {told}");
            }
            // A server that does not answer within 5 s on a loaded machine costs a login, but no token.
            let end = parent.line();
            let children: u64 = end.strip_prefix("end ").unwrap_or_else(|| panic!("{end}")).parse().unwrap();
            let alone = children + parent.counts()[3];
            assert!(store.url.starts_with("redis:") || alone == 0, "{end}");
            let logins = gate.counts().logins;
            assert!((1..=1 + alone).contains(&logins), "{logins} logins, {end}");
        }
    });
}
