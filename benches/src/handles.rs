//! The memory of idle handles.

use crate::bench::{Bench, Trust};
use crate::book::{Book, Subject};
use crate::figure::{Bound, Figure, Goal, Series, number};
use crate::plan::{Plan, TOKEN_BYTES};
use crate::run::{Outcome, Process};

fn heap(handles: usize) -> String {
    format!("heap bytes per handle, {handles}")
}

fn resident(handles: usize) -> String {
    format!("resident bytes per handle, {handles}")
}

/// Each handle logs in over plain HTTP: this number of TLS handshakes would take minutes, and would not change the
/// memory.
pub fn measure(bench: &mut Bench) -> Outcome<()> {
    for _ in 0..bench.plan.handles_rounds {
        let mut command = bench.ours("handles", Trust::Pinned);
        command.envs([("DL_AUTH_URL", bench.gate.http_url()), ("DL_AUTH_ALLOW_HTTP", "true")]);
        let mut process = Process::start(command.args(bench.plan.idle_handles.map(|handles| handles.to_string())))?;
        for handles in bench.plan.idle_handles {
            let [heap_bytes, resident_bytes] = process.numbers()?;
            bench.book.note(Subject::Ours, &heap(handles), heap_bytes);
            bench.book.note(Subject::Ours, &resident(handles), resident_bytes);
        }
        process.end()?;
    }
    Ok(())
}

pub fn goals(book: &Book, plan: &Plan) -> Vec<Goal> {
    let [few, many] = plan.idle_handles;
    let growth = crate::stats::ratios(book.get(Subject::Ours, &heap(many)), book.get(Subject::Ours, &heap(few)));
    vec![
        Goal {
            what: format!("heap per idle handle beyond the first, of {}", number(many as f64)),
            bound: Bound::AtMost((4096 + TOKEN_BYTES) as f64),
            values: book.get(Subject::Ours, &heap(many)).to_vec(),
            unit: " bytes",
            needs: &[],
        },
        Goal {
            what: format!("heap per idle handle, the row above / of {}: linear", number(few as f64)),
            bound: Bound::Between(0.9, 1.1),
            values: growth,
            unit: "",
            needs: &[],
        },
    ]
}

pub fn figures(book: &Book, plan: &Plan) -> Vec<Figure> {
    let series = |what: fn(usize) -> String| {
        let cells = plan.idle_handles.iter().map(|handles| book.cell(Subject::Ours, &what(*handles), 1.0));
        Series::of(Subject::Ours, cells.collect())
    };
    vec![Figure {
        file: "handles",
        title: "Memory of an idle handle",
        axis: "bytes per handle (less is better)",
        log: false,
        groups: plan.idle_handles.iter().map(|handles| format!("{} handles", number(*handles as f64))).collect(),
        series: vec![series(heap).named("heap"), series(resident).named("resident").pale()],
        text: format!(
            "Each handle except the first has logged in and keeps its token of {TOKEN_BYTES} bytes, its refresh token \
and its configuration. *Heap* is the memory that the allocator has given out, plus the handle's slot of 256 bytes, \
which the allocator does not manage. *Resident* is the growth of the process, including the allocator's overhead."
        ),
    }]
}
