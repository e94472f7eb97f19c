//! Cold logins: the time from the start of the process to the token, and the resident memory after it.

use crate::bench::{Bench, Trust};
use crate::book::{Book, Cell, Subject};
use crate::figure::{Bound, Figure, Goal, Series};
use crate::peer::Peer;
use crate::run::{Outcome, Process};

/// CPU time of the login, by the process's own clock.
fn login_cpu(trust: Trust) -> String {
    format!("ns of CPU for the login, {trust:?}")
}

/// CPU time of the whole process, as the kernel counts it.
fn process_cpu(trust: Trust) -> String {
    format!("ns of CPU of the process, {trust:?}")
}

fn wall(trust: Trust) -> String {
    format!("ns to the token, {trust:?}")
}

fn resident(trust: Trust) -> String {
    format!("KiB resident, {trust:?}")
}

/// The keys for the SDK, which `sdk` writes.
pub const SDK_WALL: &str = "ns to the token, beside the SDK";
pub const SDK_RESIDENT: &str = "KiB resident, beside the SDK";

pub fn measure(bench: &mut Bench) -> Outcome<()> {
    let trusts = bench.trusts();
    for round in 0..=bench.plan.login_rounds {
        for trust in &trusts {
            for subject in crate::reading::rotated([Subject::Ours, Subject::Curl], round) {
                let command = match subject {
                    Subject::Ours => Some(bench.ours("login", *trust)),
                    _ => bench.theirs(Peer::Curl, *trust),
                };
                let Some(mut command) = command else { continue };
                let mut process = Process::start(&mut command)?;
                let (to_token, token) = process.line()?;
                if Some(token) != bench.gate.last_token() {
                    return Err(format!("{} did not print the gate's token", subject.name()));
                }
                let [login_ns, resident_kib] = process.numbers()?;
                let process_ns = process.end()?.as_nanos() as f64;
                if round == 0 {
                    continue; // the first round reads files into memory
                }
                bench.book.note(subject, &login_cpu(*trust), login_ns);
                bench.book.note(subject, &process_cpu(*trust), process_ns);
                bench.book.note(subject, &wall(*trust), to_token.as_nanos() as f64);
                bench.book.note(subject, &resident(*trust), resident_kib);
            }
        }
    }
    Ok(())
}

pub fn goals(book: &Book) -> Vec<Goal> {
    let goal = |what: &str, bound, values, needs| Goal { what: what.to_owned(), bound, values, unit: "", needs };
    let cpu = |what: &str, least, key: fn(Trust) -> String, trust, needs| {
        let values = book.ratio(&key(trust), Subject::Curl, Subject::Ours);
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
            book.ratio(&resident(Trust::System), Subject::Ours, Subject::Curl),
            needs,
        ),
    ]
}

const TEXT: &str = "\
Each round starts a new process of each implementation. *dl_auth* ([login.c](../benches/peers/login.c)) and *libcurl* \
([login_curl.c](../benches/peers/login_curl.c)) log in at the same gate, on this machine, over TLS 1.3, and check \
the token's `exp`. *System roots*: the trusted roots are a bundle of all root certificates of this system, with the \
gate's at its end. *Pinned*: only the gate's root. CPU of the login is user and system time by the process's own \
clock, from the first call of the library until it has returned the token, in all its threads. CPU of the process is \
the kernel's count for the whole process, including loading. Neither includes the gate's CPU. *To printed token* is \
the time that a user waits, by the wall clock, with the system's roots. It includes the gate's work and the start of \
the process. *dtlpy*, the vendor's SDK, is measured only there. It gets a separate home directory for each login.";

pub fn figures(book: &Book) -> Vec<Figure> {
    let milliseconds = |subject, what: String| book.cell(subject, &what, 1e6);
    let cold = |subject| {
        Series::of(
            subject,
            vec![
                milliseconds(subject, login_cpu(Trust::System)),
                milliseconds(subject, login_cpu(Trust::Pinned)),
                milliseconds(subject, process_cpu(Trust::System)),
                milliseconds(subject, process_cpu(Trust::Pinned)),
                milliseconds(subject, wall(Trust::System)),
            ],
        )
    };
    let sdk = vec![Cell::Never, Cell::Never, Cell::Never, Cell::Never, book.cell(Subject::Dtlpy, SDK_WALL, 1e6)];
    // The kernel counts in units of 1024 bytes.
    let megabytes = |subject, what: String| book.cell(subject, &what, 1e6 / 1024.0);
    let memory = |subject| {
        Series::of(
            subject,
            vec![megabytes(subject, resident(Trust::System)), megabytes(subject, resident(Trust::Pinned))],
        )
    };
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
            series: vec![cold(Subject::Ours), cold(Subject::Curl), Series::of(Subject::Dtlpy, sdk)],
            text: TEXT.to_owned(),
        },
        Figure {
            file: "memory",
            title: "Resident memory after the login",
            axis: "megabytes (less is better)",
            log: true,
            groups: names(&["system roots", "pinned CA"]),
            series: vec![
                memory(Subject::Ours),
                memory(Subject::Curl),
                Series::of(Subject::Dtlpy, vec![megabytes(Subject::Dtlpy, SDK_RESIDENT.to_owned()), Cell::Never]),
            ],
            text: "`VmRSS` of the same processes, after they have the token and have freed everything else.".to_owned(),
        },
    ]
}
