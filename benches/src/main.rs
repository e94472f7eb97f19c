//! `make bench`: measures `dl_auth` and its peers side by side, and writes docs/benchmarks.md with its pictures.
//!
//! Each figure has a file that says how it is measured, which goals stand on it, and how it is shown: `reading`,
//! `stall`, `login`, `sdk`, `handles`, `hosts`, `size`. What is compared is measured in turns, round by round, and a ratio is
//! the median of the rounds' ratios. What is measured runs in processes of its own, and the gate in this one: its CPU
//! is in nobody's account.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod bench;
mod book;
mod figure;
mod handles;
mod host_programs;
mod hosts;
mod login;
mod machine;
mod options;
mod peer;
mod peers;
mod plan;
mod plots;
mod reading;
mod report;
mod run;
mod sdk;
mod size;
mod stall;
mod stats;

use std::process::ExitCode;

use bench::Bench;
use options::Options;
use run::Outcome;

fn main() -> ExitCode {
    match Options::read(std::env::args().skip(1)).and_then(|options| all(&options)) {
        Ok(last_line) => {
            println!("{last_line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("make bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures all that there is, and tells where it is written and what was missing.
fn all(options: &Options) -> Outcome<String> {
    let mut bench = Bench::prepare(options)?;
    let machine = machine::describe(&bench.peers)?;
    for (name, measure) in [
        ("cached reads", reading::measure as fn(&mut Bench) -> Outcome<()>),
        ("reads during a refresh", stall::measure),
        ("cold logins", login::measure),
        ("the vendor's SDK", sdk::measure),
        ("idle handles", handles::measure),
        ("the hosts", hosts::measure),
        ("sizes", size::measure),
    ] {
        eprintln!("make bench: {name}");
        measure(&mut bench)?;
    }
    report::write(&bench, &machine, &options.out)?;
    let missing: Vec<&str> = bench.peers.missing.iter().map(|missing| missing.peer.name()).collect();
    let missing = match missing.as_slice() {
        [] => "nothing".to_owned(),
        names => format!("{} (`make bench-peers` installs all peers)", names.join(", ")),
    };
    Ok(format!("make bench: wrote {}; missing: {missing}", options.out.join("benchmarks.md").display()))
}
