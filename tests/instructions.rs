//! The number of instructions of a cached read: this test detects a slower read, and noise of the machine does not
//! affect it.
//!
//! Callgrind counts the library's own instructions, without those of the C library's `memcpy` and clock, which differ
//! between machines. The test compares two runs of different lengths, so that all other work cancels out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::process::Command;

use common::{Scratch, library, root, run};

/// The cost of each read. Change a number only with the reason in the commit message.
const COSTS: [(&str, f64); 4] = [("token", 79.0), ("bearer", 84.0), ("within", 83.0), ("generation", 57.0)];

/// The allowed relative difference between a count and the committed one.
const TOLERANCE: f64 = 0.05;

#[test]
fn a_cached_read_costs_the_committed_number_of_instructions() {
    let scratch = Scratch::new("instructions");
    let program = scratch.0.join("reads");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-I"]).arg(root().join("include"));
    gcc.arg(root().join("tests/instructions.c")).arg("-o").arg(&program).arg("-L").arg(library()).arg("-ldl_auth");
    run(gcc.arg(format!("-Wl,-rpath,{}", library().display())));
    let count = |read: &str, times: u32| {
        let counts = scratch.0.join(format!("{read}-{times}"));
        let mut valgrind = Command::new("valgrind");
        common::in_a_clean_environment(&mut valgrind);
        valgrind.args(["--quiet", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no"]);
        valgrind.arg(format!("--callgrind-out-file={}", counts.display())).arg(&program);
        assert_eq!(run(valgrind.args([read, &times.to_string()])), "");
        instructions(&fs::read_to_string(counts).unwrap())
    };
    let costs = COSTS.map(|(read, wanted)| {
        let cost = (count(read, 60_000) - count(read, 10_000)) / 50_000.0;
        (read, wanted, (cost * 10.0).round() / 10.0)
    });
    let off = costs.iter().filter(|(_, wanted, cost)| (cost / wanted - 1.0).abs() > TOLERANCE);
    assert_eq!(off.count(), 0, "read, committed count, count now: {costs:?}");
}

/// The instructions that ran in the library, from callgrind's file. A line with `ob=` names the object of the costs
/// below it; the line after `calls=` is the cost of the called function.
fn instructions(counts: &str) -> f64 {
    let (mut ours, mut called, mut sum) = (false, false, 0);
    for line in counts.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            ours = object.contains("libdl_auth");
        } else if line.starts_with("calls=") {
            called = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            if ours && !called {
                sum += line.split(' ').nth(1).unwrap().parse::<u64>().unwrap();
            }
            called = false;
        }
    }
    assert!(sum > 0, "callgrind counted nothing in the library");
    sum as f64
}
