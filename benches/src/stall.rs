//! A loop of 1 kHz that reads the token in each cycle: the time of its reads without a refresh, and while the gate is
//! slow to answer a refresh.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::bench::{Bench, Trust};
use crate::book::{Book, Cell, Subject};
use crate::figure::{Bound, Figure, Goal, Series, number};
use crate::plan::Plan;
use crate::run::{Outcome, Process};
use crate::stats::Summary;

const DEPTHS: [&str; 3] = ["median", "99.9 % of reads within", "longest"];
const MISSED: &str = "cycles missed";

/// What happens during the loop.
#[derive(Clone, Copy, PartialEq)]
enum Loop {
    Quiet,
    Refreshing,
    Handwritten,
}

impl Loop {
    fn key(self, depth: &str) -> String {
        let name = match self {
            Loop::Quiet => "no refresh",
            Loop::Refreshing => "refresh",
            Loop::Handwritten => "login",
        };
        format!("{depth}, {name}")
    }

    fn subject(self) -> Subject {
        if self == Loop::Handwritten { Subject::Handwritten } else { Subject::Ours }
    }
}

pub fn measure(bench: &mut Bench) -> Outcome<()> {
    for round in 0..bench.plan.stall_rounds {
        for which in crate::reading::rotated([Loop::Quiet, Loop::Refreshing, Loop::Handwritten], round) {
            let [median, most, longest, refreshes, missed] = turn(bench, which)?;
            let wanted = f64::from(which != Loop::Quiet);
            if refreshes != wanted {
                return Err(format!("a loop of 1 kHz had {refreshes} refreshes instead of {wanted}"));
            }
            for (depth, value) in DEPTHS.into_iter().zip([median, most, longest]) {
                bench.book.note(which.subject(), &which.key(depth), value);
            }
            bench.book.note(which.subject(), &which.key(MISSED), missed);
        }
    }
    Ok(())
}

/// One loop. The refresh starts early enough to end within it.
fn turn(bench: &Bench, which: Loop) -> Outcome<[f64; 5]> {
    let (seconds, refresh) = (bench.plan.stall.as_secs_f64().to_string(), bench.plan.refresh);
    let mut command = bench.ours("stall", Trust::Pinned);
    command.env("DL_AUTH_REFRESH", "background");
    match which {
        Loop::Quiet => command.args(["ours", &seconds]),
        Loop::Refreshing => command.args(["ours", &seconds]).env("DL_AUTH_REFRESH_AT", "0.1"),
        Loop::Handwritten => command.args(["handwritten", &seconds, &refresh.as_millis().to_string()]),
    };
    if which == Loop::Refreshing {
        bench.gate.plan(json!([
            {"do": "ok", "on": "login", "lifetime": bench.plan.lifetime_s},
            {"do": "hang", "on": "refresh"},
        ]));
    }
    let mut process = Process::start(&mut command)?;
    if which == Loop::Refreshing {
        wait_for_the_refresh(bench)?;
        std::thread::sleep(refresh);
        bench.gate.release();
    }
    let numbers = process.numbers()?;
    process.end()?;
    Ok(numbers)
}

/// Polls the gate rarely: a busy harness would change the measurement.
fn wait_for_the_refresh(bench: &Bench) -> Outcome<()> {
    let until = Instant::now() + bench.plan.stall + dl_auth_gate::patience(60);
    while bench.gate.counts().hanging != 1 {
        if Instant::now() > until {
            return Err("the gate was not asked for a refresh during a loop of 1 kHz".to_owned());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

pub fn goals(book: &Book, plan: &Plan) -> Vec<Goal> {
    let longest = |which: Loop| book.get(Subject::Ours, &which.key(DEPTHS[2]));
    vec![Goal {
        what: format!(
            "longest cached read in a 1 kHz loop, while a refresh takes {} s / without one",
            number(plan.refresh.as_secs_f64())
        ),
        bound: Bound::AtMost(3.0),
        values: crate::stats::ratios(longest(Loop::Refreshing), longest(Loop::Quiet)),
        unit: "",
        needs: &[],
    }]
}

pub fn figures(book: &Book, plan: &Plan) -> Vec<Figure> {
    let refresh = number(plan.refresh.as_secs_f64());
    let series = |which: Loop, name: &str| {
        let cells: Vec<Cell> =
            DEPTHS.iter().map(|depth| book.cell(which.subject(), &which.key(depth), 1000.0)).collect();
        Series::of(which.subject(), cells).named(name)
    };
    let missed = |which: Loop| match Summary::of(book.get(which.subject(), &which.key(MISSED))) {
        Some(summary) => number(summary.median),
        None => "missing".to_owned(),
    };
    vec![Figure {
        file: "stall",
        title: "Reads of a 1 kHz loop, while the token is refreshed",
        axis: "microseconds per read (less is better)",
        log: true,
        groups: DEPTHS.map(str::to_owned).into(),
        series: vec![
            series(Loop::Quiet, "dl_auth, no refresh").pale(),
            series(Loop::Refreshing, &format!("dl_auth, a refresh takes {refresh} s")),
            series(Loop::Handwritten, &format!("hand-written C, a login takes {refresh} s")),
        ],
        text: format!(
            "A thread wakes each millisecond, by an absolute clock, for {loop_s} s, and reads the token: \
`dl_auth_token_within` with no time to wait, and `refresh=background`. In a turn without a refresh, the token stays \
fresh. In the other turn, it becomes due in the loop, and the gate answers the refresh after {refresh} s. The \
hand-written C is the same as above: the thread that finds the token expired logs in while it holds the mutex. Its \
login is a sleep of {refresh} s, so that only the wait is measured. A cycle is missed if its millisecond is over before \
it begins, as in a controller, and nothing is read in it. Of {reads} cycles, {quiet} were missed without a refresh, \
{refreshing} with one, and {handwritten} with the hand-written C (medians). The longest read also depends on the \
kernel: the thread has no special priority.",
            quiet = missed(Loop::Quiet),
            refreshing = missed(Loop::Refreshing),
            handwritten = missed(Loop::Handwritten),
            loop_s = number(plan.stall.as_secs_f64()),
            reads = number(plan.stall.as_secs_f64() * 1000.0),
        ),
    }]
}
