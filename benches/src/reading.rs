//! Cached reads: the time of one read and the number of reads per second, by the number of threads that read; and
//! whether many live handles, or a shared store, slow a read down.

use std::process::Command;

use crate::bench::{Bench, Trust};
use crate::book::{Book, Subject};
use crate::figure::{Bound, Figure, Goal, Series};
use crate::peer::Peer;
use crate::plan::{Plan, THREADS};
use crate::run::{Outcome, Process, clean};

const WAYS: [(Subject, &str); 4] =
    [(Subject::Floor, "floor"), (Subject::Ours, "ours"), (Subject::Handwritten, "handwritten"), (Subject::Go, "go")];

pub fn measure(bench: &mut Bench) -> Outcome<()> {
    let slice = bench.plan.slice.as_millis();
    let token = bench.token()?;
    for round in 0..bench.plan.reading_rounds {
        let mut reader = start(bench, 1, round)?;
        let mut among_many = start(bench, bench.plan.live_handles, round)?;
        let mut sharing = ready(reader_command(bench, 1, round).envs(bench.sharing()))?;
        let mut go = bench.peers.get(Peer::Go).map(|go| ready(clean(go).env("BENCH_TOKEN", &token))).transpose()?;
        for threads in THREADS {
            for (subject, way) in rotated(WAYS, round) {
                let [per_second, per_read] = match (subject, &mut go) {
                    (Subject::Go, Some(go)) => go.ask(&format!("{threads} {slice}"))?,
                    (Subject::Go, None) => continue,
                    _ => reader.ask(&format!("{way} {threads} {slice}"))?,
                };
                bench.book.note(subject, &latency(threads), per_read);
                bench.book.note(subject, &throughput(threads), per_second);
            }
        }
        for what in rotated([ALONE, FIRST_OF_MANY, LAST_OF_MANY, SHARING], round) {
            let process = match what {
                ALONE => &mut reader,
                SHARING => &mut sharing,
                _ => &mut among_many,
            };
            let way = if what == LAST_OF_MANY { "last" } else { "ours" };
            let [_, per_read] = process.ask(&format!("{way} 1 {slice}"))?;
            bench.book.note(Subject::Ours, what, per_read);
        }
        reader.end()?;
        among_many.end()?;
        sharing.end()?;
        go.map(Process::end).transpose()?;
    }
    Ok(())
}

/// The program that reads in all ways except Go's, with this number of live handles.
pub fn start(bench: &Bench, handles: usize, round: usize) -> Outcome<Process> {
    ready(&mut reader_command(bench, handles, round))
}

fn reader_command(bench: &Bench, handles: usize, round: usize) -> Command {
    let mut command = bench.ours("read", Trust::Pinned);
    command.args([handles, round].map(|number| number.to_string()));
    command
}

/// Starts a program, and waits until it prints that it is ready.
pub fn ready(command: &mut Command) -> Outcome<Process> {
    let mut process = Process::start(command)?;
    process.line()?;
    Ok(process)
}

/// The same things in another order for each round, so that each one is first in turn.
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

/// The number of threads in words.
fn of(threads: usize) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}

const ALONE: &str = "ns per read, a handle alone";
const FIRST_OF_MANY: &str = "ns per read, the first of many handles";
const LAST_OF_MANY: &str = "ns per read, the last of many handles";
const SHARING: &str = "ns per read, a handle with a store";

/// The time of one read on one thread. It is compared with the SDK.
pub const ONE_READ: &str = "ns per read, beside the SDK";

pub fn goals(book: &Book, plan: &Plan) -> Vec<Goal> {
    let goal = |what: String, bound, values, needs| Goal { what, bound, values, unit: "", needs };
    let least = THREADS.into_iter().zip([4.0, 10.0, 20.0]);
    let ratio = |above, below, threads| book.ratio(&latency(threads), above, below);
    let scaling = |subject| crate::stats::ratios(book.get(subject, &throughput(2)), book.get(subject, &throughput(1)));
    let machine_s = crate::stats::Summary::of(&scaling(Subject::Floor)).map_or(0.0, |summary| summary.median);
    let to_alone = |which| crate::stats::ratios(book.get(Subject::Ours, which), book.get(Subject::Ours, ALONE));
    let mut goals = vec![goal(
        "`dl_auth_token` / the floor, 1 thread".to_owned(),
        Bound::AtMost(1.3),
        ratio(Subject::Ours, Subject::Floor, 1),
        &[] as &[Peer],
    )];
    for (threads, least) in least.clone() {
        let values = ratio(Subject::Handwritten, Subject::Ours, threads);
        goals.push(goal(format!("hand-written C / ours, {}", of(threads)), Bound::AtLeast(least), values, &[]));
    }
    for (threads, least) in least {
        let (what, values) =
            (format!("Go `ReuseTokenSource` / ours, {}", of(threads)), ratio(Subject::Go, Subject::Ours, threads));
        goals.push(goal(what, Bound::AtLeast(least), values, &[Peer::Go]));
    }
    let what = format!("throughput of two threads / one (the floor's: {})", crate::figure::number(machine_s));
    goals.push(goal(what, Bound::AtLeast(1.9), scaling(Subject::Ours), &[]));
    let handles = crate::figure::number(plan.live_handles as f64);
    for (which, key) in [("first", FIRST_OF_MANY), ("last", LAST_OF_MANY)] {
        let what = format!("`dl_auth_token` of the {which} of {handles} live handles / of one alone");
        goals.push(goal(what, Bound::Between(0.95, 1.05), to_alone(key), &[]));
    }
    let what = "`dl_auth_token` of a handle with `store=file:DIR` / of one without a store".to_owned();
    goals.push(goal(what, Bound::Between(0.95, 1.05), to_alone(SHARING), &[]));
    goals
}

pub fn figures(book: &Book, plan: &Plan) -> Vec<Figure> {
    let groups: Vec<String> = THREADS.into_iter().map(of).collect();
    let series = |what: fn(usize) -> String, unit: f64| {
        let cells = |subject| THREADS.iter().map(|threads| book.cell(subject, &what(*threads), unit)).collect();
        WAYS.iter().map(|(subject, _)| Series::of(*subject, cells(*subject))).collect::<Vec<_>>()
    };
    let text = format!(
        "Each reads a token of {bytes} bytes that is far from its expiry. *Floor*: a call, an atomic load, the coarse \
clock, `memcpy`. A library that reads a clock and copies must do at least this. *dl_auth*: `dl_auth_token` into the \
caller's buffer. *Hand-written C* ([handwritten.h](../benches/peers/handwritten.h)): a mutex, `clock_gettime`, \
`strdup`, and the caller's `free`. *Go*: `golang.org/x/oauth2`, `ReuseTokenSource(...).Token()`, called from Go, which \
returns its own string and copies nothing. In each round, all take turns of {slice} ms. Each round starts with another \
one, and with the buffers at another offset in their pages. The time counts from the first read of the first thread to \
the last read of the last thread. One or two threads of C have one CPU each, and the first thread has another CPU in \
each round. With more threads than CPUs, the time of a read includes the wait for a CPU, so it also measures the \
scheduler. Go's threads are goroutines, on as many threads as there are CPUs, and wait in Go's own queue. Of many \
handles, the first has logged in, and the others have the same token as a ready token. The \
handle with a store shares its token in a directory.",
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
            text: "The same turns, shown as the number of reads of all threads together.".to_owned(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_has_another_first_element_and_all_elements() {
        assert_eq!(rotated([1, 2, 3], 0), [1, 2, 3]);
        assert_eq!(rotated([1, 2, 3], 1), [2, 3, 1]);
        assert_eq!(rotated([1, 2, 3], 5), [3, 1, 2]);
    }
}
