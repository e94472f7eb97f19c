//! A fleet in the middle of a change of the password: each password has a separate record.

use std::time::{Duration, Instant};

use dl_auth_gate::{Gate, Settings};
use serde_json::json;

use crate::both;
use crate::common::patience;
use crate::fleet::{Member, PASSWORD, gate, tokens_at_once};

const NEW: &str = "canary new";

/// Requests a token until there is one. Until then, each answer is a refusal.
#[track_caller]
fn token_in_time(member: &mut Member) -> String {
    let limit = Instant::now() + patience(60);
    loop {
        let told = member.ask("token");
        if let Some(token) = told.strip_prefix("DL_AUTH_OK 0 ") {
            return token.to_owned();
        }
        assert!(told.starts_with("DL_AUTH_E_DENIED 401 ") && Instant::now() < limit, "{told}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// All members get the new token, and it costs this number of refused requests and one login more.
fn all_get_the_new_token<'a>(members: impl Iterator<Item = &'a mut Member>, gate: &Gate, issued: u64) {
    for member in members {
        assert_eq!(token_in_time(member), gate.last_token().unwrap());
    }
    let counts = gate.counts();
    assert_eq!((counts.refused, counts.issued), (1, issued), "{counts:?}");
}

#[test]
fn a_new_password_in_a_file_reaches_the_fleet_with_one_refused_request() {
    both("file", |program, store| {
        let gate = gate(Settings { lifetime: 300, ..Settings::default() });
        let files = ["early", "late"].map(|name| program.scratch.0.join(name));
        let mut fleets = files.each_ref().map(|file| {
            std::fs::write(file, PASSWORD).unwrap();
            let file = file.display().to_string();
            program.fleet(4, &gate, &store.url, &[("DL_AUTH_PASSWORD", ""), ("DL_AUTH_PASSWORD_FILE", &file)])
        });
        let [early, late] = &mut fleets;
        // One process sends the old password, the others wait, and now the password changes.
        gate.plan(json!({"do": "hang"}));
        late[0].tell("token");
        gate.wait(|counts| counts.hanging == 1);
        late[1..].iter_mut().chain(&mut early[..2]).for_each(|member| member.tell("token"));
        std::thread::sleep(Duration::from_secs(1));
        gate.set(json!({"password": NEW}));
        std::fs::write(&files[0], NEW).unwrap();
        // These have the new password. They do not wait for the processes that have the old one.
        let new: Vec<String> = early[2..].iter_mut().map(Member::token).collect();
        assert_eq!((new[0] == new[1], gate.counts().issued, gate.counts().hanging), (true, 1, 1));
        gate.release();
        for member in late.iter_mut() {
            let told = member.line();
            assert!(told.starts_with("DL_AUTH_E_DENIED 401 "), "{told}");
        }
        for member in &mut early[..2] {
            // They wait with the old password. Their next refresh reads the file.
            let told = member.line();
            assert!(told.starts_with("DL_AUTH_E_DENIED 401 ") || told.ends_with(&new[0]), "{told}");
        }
        all_get_the_new_token(early.iter_mut(), &gate, 1);
        // The refusal of the old password stays in its record.
        let refused = tokens_at_once(late);
        assert!(refused.iter().all(|told| told.starts_with("DL_AUTH_E_DENIED 401 ")), "{refused:?}");
        std::fs::write(&files[1], NEW).unwrap();
        all_get_the_new_token(fleets.iter_mut().flatten(), &gate, 1);
        let mut old = program.fleet(1, &gate, &store.url, &[]);
        assert!(tokens_at_once(&mut old).first().unwrap().starts_with("DL_AUTH_E_DENIED 401 "));
        assert_eq!(gate.counts().requests, 2, "one request for each password");
    });
}

/// The gate refuses the refresh token. So the refresh reads the file again, and logs in with the new password.
#[test]
fn a_token_of_the_new_password_never_gets_into_the_record_of_the_old_one() {
    both("during", |program, store| {
        let gate = gate(Settings { lifetime: 4, ..Settings::default() });
        let file = program.scratch.0.join("password");
        std::fs::write(&file, PASSWORD).unwrap();
        let path = file.display().to_string();
        let options = [("DL_AUTH_PASSWORD", ""), ("DL_AUTH_PASSWORD_FILE", &*path)];
        let mut member = program.member(&gate, &store.url, &options);
        member.token();
        std::thread::sleep(Duration::from_secs(4));
        let refused = json!({"do": "status", "status": 401, "body": "{}"});
        gate.plan(json!({"do": "hang", "on": "refresh", "then": refused}));
        member.tell("token");
        gate.wait(|counts| counts.hanging == 1);
        gate.set(json!({"password": NEW, "lifetime": 3600}));
        std::fs::write(&file, NEW).unwrap();
        gate.release();
        assert_eq!(member.line(), format!("DL_AUTH_OK 0 {}", gate.last_token().unwrap()));
        let mut old = program.member(&gate, &store.url, &[]);
        let told = old.ask("token");
        assert!(told.starts_with("DL_AUTH_E_DENIED 401 "), "{told}");
        // No process has published the first token of the new password, so this one logs in.
        let mut late = program.fleet(3, &gate, &store.url, &options);
        assert_eq!((tokens_at_once(&mut late).len(), gate.counts().issued, gate.counts().refused), (1, 3, 1));
    });
}

#[test]
fn set_credentials_while_others_wait_for_the_lock_starts_a_separate_record() {
    both("set", |program, store| {
        // The process that sends the old password may get the new one too.
        for holder_changes in [false, true] {
            let gate = crate::new_gate();
            let mut members = program.fleet(7, &gate, &store.url, &[]);
            gate.plan(json!({"do": "hang"}));
            members[0].tell("begin");
            gate.wait(|counts| counts.hanging == 1);
            members[1..].iter_mut().for_each(|member| member.tell("begin"));
            std::thread::sleep(Duration::from_secs(1)); // they wait for the lock
            gate.set(json!({"password": NEW}));
            let (new, old) = members.split_at_mut(4);
            let new = if holder_changes { &mut new[..] } else { &mut new[1..] };
            new.iter_mut().for_each(|member| member.tell(&format!("password {NEW}")));
            let tokens = tokens_at_once(new);
            assert!(tokens.len() == 1 && tokens.first().unwrap().starts_with("DL_AUTH_OK"), "{tokens:?}");
            gate.release();
            let refused = tokens_at_once(old);
            assert!(refused.iter().all(|told| told.starts_with("DL_AUTH_E_DENIED 401 ")), "{refused:?}");
            let mut late = program.fleet(2, &gate, &store.url, &[("DL_AUTH_PASSWORD", NEW)]);
            all_get_the_new_token(new.iter_mut().chain(&mut late), &gate, 1);
            let failures: u64 = members.iter_mut().map(|member| member.counts()[3]).sum();
            assert_eq!(failures, 0, "{}", members[0].store_message());
        }
    });
}
