//! Cold logins, process start to token, and what is resident after it.

use crate::bench::{Bench, Trust};
use crate::book::{Book, Cell, Who};
use crate::figure::{Bound, Figure, Goal, Series};
use crate::peer::Peer;
use crate::run::{Outcome, Process};

/// CPU that the login used, by the process's own clock.
fn login_cpu(trust: Trust) -> String {
    format!("ns of CPU for the login, {trust:?}")
}

/// CPU that the whole process used, by the kernel's account.
fn process_cpu(trust: Trust) -> String {
    format!("ns of CPU of the process, {trust:?}")
}

fn wall(trust: Trust) -> String {
    format!("ns to the token, {trust:?}")
}

fn resident(trust: Trust) -> String {
    format!("KiB resident, {trust:?}")
}

/// The SDK's keys, which `sdk` notes.
pub const SDK_WALL: &str = "ns to the token, beside the SDK";
pub const SDK_RESIDENT: &str = "KiB resident, beside the SDK";

pub fn measure(bench: &mut Bench) -> Outcome<()> {
    let trusts = bench.trusts();
    for round in 0..=bench.plan.login_rounds {
        for trust in &trusts {
            for who in crate::reading::rotated([Who::Ours, Who::Curl], round) {
                let command = match who {
                    Who::Ours => Some(bench.ours("login", *trust)),
                    _ => bench.theirs(Peer::Curl, *trust),
                };
                let Some(mut command) = command else { continue };
                let mut process = Process::start(&mut command)?;
                let (to_token, token) = process.line()?;
                if Some(token) != bench.gate.last_token() {
                    return Err(format!("{} printed something else than the gate's token", who.name()));
                }
                let [login_ns, resident_kib] = process.numbers()?;
                let process_ns = process.end()?.as_nanos() as f64;
                if round == 0 {
                    continue; // files are read into memory
                }
                bench.book.note(who, &login_cpu(*trust), login_ns);
                bench.book.note(who, &process_cpu(*trust), process_ns);
                bench.book.note(who, &wall(*trust), to_token.as_nanos() as f64);
                bench.book.note(who, &resident(*trust), resident_kib);
            }
        }
    }
    Ok(())
}

pub fn goals(book: &Book) -> Vec<Goal> {
    let goal = |what: &str, bound, values, needs| Goal { what: what.to_owned(), bound, values, unit: "", needs };
    let cpu = |what: &str, least, key: fn(Trust) -> String, trust, needs| {
        let values = book.ratio(&key(trust), Who::Curl, Who::Ours);
        goal(&format!("libcurl cold login, CPU / ours: {what}"), Bound::AtLeast(least), values, needs)
    };
    let needs: &[Peer] = &[Peer::Curl, Peer::Roots];
    vec![
        cpu("system roots, whole process", 8.0, process_cpu, Trust::System, needs),
        cpu("system roots, the calls alone", 8.0, login_cpu, Trust::System, needs),
        cpu("pinned CA, whole process", 5.0, process_cpu, Trust::Pinned, &[Peer::Curl]),
        cpu("pinned CA, the calls alone", 5.0, login_cpu, Trust::Pinned, &[Peer::Curl]),
        goal(
            "resident memory after login, ours / libcurl: system roots",
            Bound::AtMost(0.35),
            book.ratio(&resident(Trust::System), Who::Ours, Who::Curl),
            needs,
        ),
    ]
}

const TEXT: &str = "\
Each round starts a new process of each. *dl_auth* ([login.c](../benches/peers/login.c)) and *libcurl* \
([login_curl.c](../benches/peers/login_curl.c)) log in at the same gate, on this machine, over TLS 1.3, and look \
at the token's `exp`. *System roots*: trust is a bundle of all of this system's roots, and the gate's at its end. \
*Pinned*: the gate's root alone. CPU of the login is user and system time by the process's own clock, from the first \
call of the library to the token in hand, in all its threads; CPU of the process is the kernel's account of all of \
it, loading included. The gate's is in neither. *To printed token* is what a user waits, by the wall clock, the \
gate's work and the start of the process included, with the system's roots; only there is *dtlpy*, the vendor's SDK, \
which is given a home of its own for each login.";

pub fn figures(book: &Book) -> Vec<Figure> {
    let milliseconds = |who, what: String| book.cell(who, &what, 1e6);
    let cold = |who| {
        Series::of(
            who,
            vec![
                milliseconds(who, login_cpu(Trust::System)),
                milliseconds(who, login_cpu(Trust::Pinned)),
                milliseconds(who, process_cpu(Trust::System)),
                milliseconds(who, process_cpu(Trust::Pinned)),
                milliseconds(who, wall(Trust::System)),
            ],
        )
    };
    let sdk = vec![Cell::Never, Cell::Never, Cell::Never, Cell::Never, book.cell(Who::Dtlpy, SDK_WALL, 1e6)];
    // The kernel counts in units of 1024 bytes.
    let megabytes = |who, what: String| book.cell(who, &what, 1e6 / 1024.0);
    let memory =
        |who| Series::of(who, vec![megabytes(who, resident(Trust::System)), megabytes(who, resident(Trust::Pinned))]);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    vec![
        Figure {
            file: "cold-start",
            title: "A cold login",
            axis: "milliseconds (less is better)",
            log: true,
            groups: names(&[
                "CPU of the login,\nsystem roots",
                "CPU of the login,\npinned CA",
                "CPU of the process,\nsystem roots",
                "CPU of the process,\npinned CA",
                "wall clock,\nto printed token",
            ]),
            series: vec![cold(Who::Ours), cold(Who::Curl), Series::of(Who::Dtlpy, sdk)],
            text: TEXT.to_owned(),
        },
        Figure {
            file: "memory",
            title: "Resident memory after the login",
            axis: "megabytes (less is better)",
            log: true,
            groups: names(&["system roots", "pinned CA"]),
            series: vec![
                memory(Who::Ours),
                memory(Who::Curl),
                Series::of(Who::Dtlpy, vec![megabytes(Who::Dtlpy, SDK_RESIDENT.to_owned()), Cell::Never]),
            ],
            text:
                "`VmRSS` of the same processes, once they have the token and have let go of all that they do not need."
                    .to_owned(),
        },
    ]
}
