//! Cached reads: what one takes and how many there are in a second, by the number of threads that read; and whether
//! many live handles make it slower.

use std::process::Command;

use crate::bench::{Bench, Trust};
use crate::book::{Book, Who};
use crate::figure::{Bound, Figure, Goal, Series};
use crate::peer::Peer;
use crate::plan::{Plan, THREADS};
use crate::run::{Outcome, Process, clean};

const WAYS: [(Who, &str); 4] =
    [(Who::Floor, "floor"), (Who::Ours, "ours"), (Who::Handwritten, "handwritten"), (Who::Go, "go")];

pub fn measure(bench: &mut Bench) -> Outcome<()> {
    let slice = bench.plan.slice.as_millis();
    let token = bench.token()?;
    for round in 0..bench.plan.reading_rounds {
        let mut reader = start(bench, 1, round)?;
        let mut among_many = start(bench, bench.plan.live_handles, round)?;
        let mut go = bench.peers.get(Peer::Go).map(|go| ready(clean(go).env("BENCH_TOKEN", &token))).transpose()?;
        for threads in THREADS {
            for (who, way) in rotated(WAYS, round) {
                let [per_second, per_read] = match (who, &mut go) {
                    (Who::Go, Some(go)) => go.ask(&format!("{threads} {slice}"))?,
                    (Who::Go, None) => continue,
                    _ => reader.ask(&format!("{way} {threads} {slice}"))?,
                };
                bench.book.note(who, &latency(threads), per_read);
                bench.book.note(who, &throughput(threads), per_second);
            }
        }
        for what in rotated([ALONE, FIRST_OF_MANY, LAST_OF_MANY], round) {
            let process = if what == ALONE { &mut reader } else { &mut among_many };
            let way = if what == LAST_OF_MANY { "last" } else { "ours" };
            let [_, per_read] = process.ask(&format!("{way} 1 {slice}"))?;
            bench.book.note(Who::Ours, what, per_read);
        }
        reader.end()?;
        among_many.end()?;
        go.map(Process::end).transpose()?;
    }
    Ok(())
}

/// The program that reads in all ways but Go's, with so many live handles.
pub fn start(bench: &Bench, handles: usize, round: usize) -> Outcome<Process> {
    ready(bench.ours("read", Trust::Pinned).args([handles, round].map(|number| number.to_string())))
}

/// Starts a program, and waits until it says that it waits for questions.
pub fn ready(command: &mut Command) -> Outcome<Process> {
    let mut process = Process::start(command)?;
    process.line()?;
    Ok(process)
}

/// The same things, another one first in each round, so that no one always comes after the same.
pub fn rotated<T, const N: usize>(mut things: [T; N], round: usize) -> [T; N] {
    things.rotate_left(round % N);
    things
}

fn latency(threads: usize) -> String {
    format!("ns per read, {threads} threads")
}

fn throughput(threads: usize) -> String {
    format!("reads per second, {threads} threads")
}

/// So many threads, in words.
fn of(threads: usize) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}

const ALONE: &str = "ns per read, a handle alone";
const FIRST_OF_MANY: &str = "ns per read, the first of many handles";
const LAST_OF_MANY: &str = "ns per read, the last of many handles";

/// What one read takes on one thread: for whoever compares something else with it.
pub const ONE_READ: &str = "ns per read, beside the SDK";

pub fn goals(book: &Book, plan: &Plan) -> Vec<Goal> {
    let goal = |what: String, bound, values, needs| Goal { what, bound, values, unit: "", needs };
    let least = THREADS.into_iter().zip([4.0, 10.0, 20.0]);
    let ratio = |above, below, threads| book.ratio(&latency(threads), above, below);
    let scaling = |who| crate::stats::ratios(book.get(who, &throughput(2)), book.get(who, &throughput(1)));
    let machine_s = crate::stats::Summary::of(&scaling(Who::Floor)).map_or(0.0, |summary| summary.median);
    let many = |which| crate::stats::ratios(book.get(Who::Ours, which), book.get(Who::Ours, ALONE));
    let mut goals = vec![goal(
        "`dl_auth_token` / the floor, 1 thread".to_owned(),
        Bound::AtMost(1.3),
        ratio(Who::Ours, Who::Floor, 1),
        &[] as &[Peer],
    )];
    for (threads, least) in least.clone() {
        let values = ratio(Who::Handwritten, Who::Ours, threads);
        goals.push(goal(format!("hand-written C / ours, {}", of(threads)), Bound::AtLeast(least), values, &[]));
    }
    for (threads, least) in least {
        let (what, values) =
            (format!("Go `ReuseTokenSource` / ours, {}", of(threads)), ratio(Who::Go, Who::Ours, threads));
        goals.push(goal(what, Bound::AtLeast(least), values, &[Peer::Go]));
    }
    let what = format!("throughput of two threads / one (the floor's: {})", crate::figure::number(machine_s));
    goals.push(goal(what, Bound::AtLeast(1.9), scaling(Who::Ours), &[]));
    let handles = crate::figure::number(plan.live_handles as f64);
    for (which, key) in [("first", FIRST_OF_MANY), ("last", LAST_OF_MANY)] {
        let what = format!("`dl_auth_token` of the {which} of {handles} live handles / of one alone");
        goals.push(goal(what, Bound::Between(0.95, 1.05), many(key), &[]));
    }
    goals
}

pub fn figures(book: &Book, plan: &Plan) -> Vec<Figure> {
    let groups: Vec<String> = THREADS.into_iter().map(of).collect();
    let series = |what: fn(usize) -> String, unit: f64| {
        let cells = |who| THREADS.iter().map(|threads| book.cell(who, &what(*threads), unit)).collect();
        WAYS.iter().map(|(who, _)| Series::of(*who, cells(*who))).collect::<Vec<_>>()
    };
    let text = format!(
        "Each reads a token of {bytes} bytes that is far from its end. *Floor*: a call, an atomic load, the coarse \
clock, `memcpy`; a library that looks at a clock and copies must do as much. *dl_auth*: `dl_auth_token` into the \
caller's buffer. *Hand-written C* ([handwritten.h](../benches/peers/handwritten.h)): a mutex, `clock_gettime`, \
`strdup`, and the caller's `free`. *Go*: `golang.org/x/oauth2`, `ReuseTokenSource(...).Token()`, called from Go, which \
hands out its own string and copies nothing. Round by round, all take turns of {slice} ms, each round another one \
first, with the buffers elsewhere in their pages; counted is from the first thread's first read to the last one's last. \
Where there are one or two threads of C, each has a CPU of its own, the first one another in each round. With more \
threads than CPUs, a read's time has the wait for a CPU in it: the scheduler is measured too. Go's threads are \
goroutines, on as many threads as there are CPUs, and wait in Go's own queue. Of many handles, the first has logged in, \
and the others have the same token ready-made.",
        bytes = crate::plan::TOKEN_BYTES,
        slice = plan.slice.as_millis(),
    );
    vec![
        Figure {
            file: "latency",
            title: "A cached read, by threads that read at the same time",
            axis: "nanoseconds per read (less is better)",
            log: true,
            groups: groups.clone(),
            series: series(latency, 1.0),
            text,
        },
        Figure {
            file: "throughput",
            title: "Cached reads of all threads together",
            axis: "million reads per second (more is better)",
            log: true,
            groups,
            series: series(throughput, 1e6),
            text: "The same turns, counted the other way: what all threads together have read.".to_owned(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_each_round_another_one_is_first_and_all_are_there() {
        assert_eq!(rotated([1, 2, 3], 0), [1, 2, 3]);
        assert_eq!(rotated([1, 2, 3], 1), [2, 3, 1]);
        assert_eq!(rotated([1, 2, 3], 5), [3, 1, 2]);
    }
}
