//! `make bench`: measures `dl_auth` and other implementations side by side, and writes docs/benchmarks.md with its
//! pictures.
//!
//! Each figure has a file that states how it is measured, which goals depend on it, and how it is shown: `reading`,
//! `stall`, `login`, `store`, `sdk`, `handles`, `hosts`, `size`. Compared implementations are measured in turns, round
//! by round, and a ratio is the median of the rounds' ratios. The measured code runs in separate processes. The gate
//! runs in this process, so that no measurement includes the gate's CPU time.

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
mod relay;
mod report;
mod run;
mod sdk;
mod size;
mod stall;
mod stats;
mod store;

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

/// Measures everything that is available. Returns the path of the page and the missing peers.
fn all(options: &Options) -> Outcome<String> {
    let mut bench = Bench::prepare(options)?;
    let machine = machine::describe(&bench.peers)?;
    for (name, measure) in [
        ("cached reads", reading::measure as fn(&mut Bench) -> Outcome<()>),
        ("reads during a refresh", stall::measure),
        ("cold logins", login::measure),
        ("shared tokens", store::measure),
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
