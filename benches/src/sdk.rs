//! The vendor's Python SDK: from the start of its process to the printed token, and what it takes to hand out a token
//! that it has checked.

use crate::bench::{Bench, Trust};
use crate::book::{Book, Who};
use crate::figure::{Bound, Goal, number};
use crate::login::{SDK_RESIDENT, SDK_WALL};
use crate::peer::Peer;
use crate::reading::{ONE_READ, rotated, start};
use crate::run::{Outcome, Process};
use crate::stats::Summary;

const NEEDS: &[Peer] = &[Peer::Dtlpy, Peer::Roots];

pub fn measure(bench: &mut Bench) -> Outcome<()> {
    if NEEDS.iter().any(|peer| bench.peers.get(*peer).is_none()) {
        return Ok(());
    }
    for round in 0..=bench.plan.sdk_rounds {
        for who in rotated([Who::Ours, Who::Dtlpy], round) {
            let [to_token, per_read] = if who == Who::Ours { ours(bench, round)? } else { theirs(bench, round)? };
            if round > 0 {
                // The first one reads files into memory.
                bench.book.note(who, SDK_WALL, to_token);
                bench.book.note(who, ONE_READ, per_read);
            }
        }
    }
    Ok(())
}

fn ours(bench: &Bench, round: usize) -> Outcome<[f64; 2]> {
    let mut login = Process::start(&mut bench.ours("login", Trust::System))?;
    let (to_token, _) = login.line()?;
    login.end()?;
    let mut reader = start(bench, 1, round)?;
    let [_, per_read] = reader.ask(&format!("ours 1 {}", bench.plan.slice.as_millis()))?;
    reader.end()?;
    Ok([to_token.as_nanos() as f64, per_read])
}

/// The SDK writes into the home directory. A new one for each login: else it finds the last one's token there.
fn theirs(bench: &mut Bench, round: usize) -> Outcome<[f64; 2]> {
    let home = bench.work.join("home");
    std::fs::remove_dir_all(&home).ok();
    std::fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let Some(mut python) = bench.theirs(Peer::Dtlpy, Trust::System) else { return Err("no dtlpy".to_owned()) };
    python
        .current_dir(&home)
        .arg(bench.sources.join("dtlpy_peer.py"))
        .env("HOME", &home)
        .env("REQUESTS_CA_BUNDLE", bench.bundle())
        .env("BENCH_CALLS", bench.plan.sdk_calls.to_string());
    let mut process = Process::start(&mut python)?;
    let (to_token, token) = process.line()?;
    if Some(token) != bench.gate.last_token() {
        return Err("dtlpy printed something else than the gate's token".to_owned());
    }
    let [per_read, resident] = process.numbers()?;
    process.end()?;
    if round > 0 {
        bench.book.note(Who::Dtlpy, SDK_RESIDENT, resident);
    }
    Ok([to_token.as_nanos() as f64, per_read])
}

pub fn goals(book: &Book) -> Vec<Goal> {
    let goal = |what: &str, least, key| Goal {
        what: what.to_owned(),
        bound: Bound::AtLeast(least),
        values: book.ratio(key, Who::Dtlpy, Who::Ours),
        unit: "",
        needs: NEEDS,
    };
    vec![
        goal("dtlpy, process to printed token / ours", 100.0, SDK_WALL),
        goal("dtlpy, checked cached token / ours", 2000.0, ONE_READ),
    ]
}

/// The sentence on what the calls take.
pub fn text(book: &Book) -> String {
    let median = |who| Summary::of(book.get(who, ONE_READ)).map(|summary| summary.median);
    let (Some(theirs), Some(ours)) = (median(Who::Dtlpy), median(Who::Ours)) else {
        return "What it takes the SDK to check a token for its end, and to hand it out, is missing too.".to_owned();
    };
    format!(
        "To check a token for its end and to hand it out (`dl.token_expired()`, as before each of its requests, then \
`dl.token()`) takes the SDK {} µs, called from Python; `dl_auth_token` in the same rounds, called from C, {} ns.",
        number(theirs / 1e3),
        number(ours),
    )
}
