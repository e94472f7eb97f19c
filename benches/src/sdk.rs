//! The vendor's Python SDK: the time from the start of its process to the printed token, and the time to check a token
//! and return it.

use crate::bench::{Bench, Trust};
use crate::book::{Book, Subject};
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
        for subject in rotated([Subject::Ours, Subject::Dtlpy], round) {
            let [to_token, per_read] =
                if subject == Subject::Ours { ours(bench, round)? } else { theirs(bench, round)? };
            if round > 0 {
                // The first round reads files into memory.
                bench.book.note(subject, SDK_WALL, to_token);
                bench.book.note(subject, ONE_READ, per_read);
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

/// The SDK writes into the home directory. Each login gets a new one; otherwise the SDK finds the last token there.
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
        return Err("dtlpy did not print the gate's token".to_owned());
    }
    let [per_read, resident] = process.numbers()?;
    process.end()?;
    if round > 0 {
        bench.book.note(Subject::Dtlpy, SDK_RESIDENT, resident);
    }
    Ok([to_token.as_nanos() as f64, per_read])
}

pub fn goals(book: &Book) -> Vec<Goal> {
    let goal = |what: &str, least, key| Goal {
        what: what.to_owned(),
        bound: Bound::AtLeast(least),
        values: book.ratio(key, Subject::Dtlpy, Subject::Ours),
        unit: "",
        needs: NEEDS,
    };
    vec![
        goal("dtlpy, process to printed token / ours", 100.0, SDK_WALL),
        goal("dtlpy, checked cached token / ours", 2000.0, ONE_READ),
    ]
}

/// The sentence about the time of the calls.
pub fn text(book: &Book) -> String {
    let median = |subject| Summary::of(book.get(subject, ONE_READ)).map(|summary| summary.median);
    let (Some(theirs), Some(ours)) = (median(Subject::Dtlpy), median(Subject::Ours)) else {
        return "The time that the SDK needs to check and return a token is missing too.".to_owned();
    };
    format!(
        "The SDK needs {} µs to check that a token has not expired and to return it (`dl.token_expired()`, as before \
each of its requests, then `dl.token()`), called from Python. In the same rounds, `dl_auth_token` needs {} ns, called \
from C.",
        number(theirs / 1e3),
        number(ours),
    )
}
