//! A cached read in each host through its binding, next to common hand-written code in that language.

use std::process::Command;

use crate::bench::{Bench, Trust};
use crate::book::{Book, Cell, Subject};
use crate::figure::{Bound, Figure, Goal, Series};
use crate::host_programs::SOURCES;
use crate::options::root;
use crate::peer::Peer;
use crate::plan::Plan;
use crate::reading::{ready, rotated};
use crate::run::{Outcome, clean};

/// A read in a host: the number of threads or goroutines, and the name in the figure.
struct Row {
    host: Peer,
    threads: usize,
    name: &'static str,
    ours: &'static str,
    /// Whether the host's own idiom is measured too.
    has_idiom: bool,
}

const fn row(host: Peer, threads: usize, name: &'static str) -> Row {
    Row { host, threads, name, ours: "ours", has_idiom: true }
}

const ROWS: [Row; 7] = [
    row(Peer::Cpp, 1, "C++"),
    row(Peer::GoHost, 1, "Go, 1 goroutine"),
    row(Peer::GoHost, MANY, "Go, 8 goroutines"),
    row(Peer::Python, 1, "Python"),
    row(Peer::CSharp, 1, "C#"),
    Row { host: Peer::CSharp, threads: 1, name: "C#, into a span", ours: "span", has_idiom: false },
    row(Peer::Lua, 1, "LuaJIT"),
];

const MANY: usize = 8;

/// A host's program, configured to log in at the gate.
fn command(bench: &Bench, host: Peer) -> Option<Command> {
    let found = bench.peers.get(host)?;
    let (mut command, sources) = (clean(found), root().join(SOURCES));
    match host {
        Peer::Python => drop(command.arg(sources.join("read.py"))),
        Peer::Lua => drop(command.arg(sources.join("read.lua"))),
        Peer::CSharp => {
            command = clean("mono");
            command.arg(found);
        }
        _ => {}
    }
    command.env("PYTHONPATH", root().join("bindings/python/src")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("LUA_PATH", root().join("bindings/lua/?.lua"));
    command.env("DL_AUTH_LIBRARY", &bench.shared_library);
    command.envs(bench.shared_library.parent().map(|directory| ("LD_LIBRARY_PATH", directory)));
    bench.set_environment(&mut command, Trust::Pinned);
    Some(command)
}

pub fn measure(bench: &mut Bench) -> Outcome<()> {
    let slice = bench.plan.slice.as_millis();
    for round in 0..bench.plan.host_rounds {
        for Row { host, threads, name, ours, has_idiom } in &ROWS {
            let Some(mut command) = command(bench, *host) else { continue };
            let mut process = ready(&mut command)?;
            for (subject, way) in rotated([(Subject::Ours, *ours), (Subject::Idiom, "idiom")], round) {
                if subject == Subject::Ours || *has_idiom {
                    let [per_read] = process.ask(&format!("{way} {threads} {slice}"))?;
                    if round > 0 {
                        bench.book.note(subject, &what(name), per_read); // the first round reads files into memory
                    }
                }
            }
            process.end()?;
        }
    }
    Ok(())
}

fn what(name: &str) -> String {
    format!("ns per read in {name}")
}

pub fn goals(book: &Book) -> Vec<Goal> {
    let rows = ROWS.iter().filter(|row| row.host == Peer::GoHost);
    let goal = |row: &Row| Goal {
        what: format!("`ReuseTokenSource` / `dlauth`: {}", row.name),
        bound: Bound::AtLeast(if row.threads == 1 { 1.0 } else { 3.0 }),
        values: book.ratio(&what(row.name), Subject::Idiom, Subject::Ours),
        unit: "",
        needs: &[Peer::GoHost],
    };
    rows.map(goal).collect()
}

pub fn figures(book: &Book, plan: &Plan) -> Vec<Figure> {
    let cells = |subject| ROWS.iter().map(move |row| (subject, row));
    let cell = |(subject, row): (Subject, &Row)| match subject {
        Subject::Idiom if !row.has_idiom => Cell::Never,
        _ => book.cell(subject, &what(row.name), 1.0),
    };
    vec![Figure {
        file: "hosts",
        title: "A cached read in each host, beside the host's own idiom",
        axis: "nanoseconds per read (less is better)",
        log: true,
        groups: ROWS.iter().map(|row| row.name.to_owned()).collect(),
        series: [Subject::Ours, Subject::Idiom]
            .map(|subject| Series::of(subject, cells(subject).map(cell).collect()))
            .into(),
        text: format!(
            "Each binding reads a token that is far from its expiry, in turns of {slice} ms with hand-written code \
in that language ([benches/hosts](../benches/hosts)). The hand-written code returns its own string and copies nothing, \
except in C++. It uses in C++ a mutex, `steady_clock`, and a copy of a `std::string`; in Go `oauth2.ReuseTokenSource`; \
in Python a `threading.Lock` and `time.monotonic`; in C# `lock` and `DateTime.UtcNow`, under Mono; in LuaJIT a table \
and `os.time`, in turns of CPU time. Our read returns a string of the host, except C#'s `TryGetToken`, which writes \
into the caller's span. With goroutines, the time of a read includes the wait for a CPU.",
            slice = plan.slice.as_millis()
        ),
    }]
}
