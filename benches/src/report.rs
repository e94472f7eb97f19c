//! docs/benchmarks.md: the goals and their results, the machine, and a section for each figure.

use std::fmt::Write;
use std::path::Path;

use crate::bench::Bench;
use crate::book::Cell;
use crate::figure::{Figure, Goal, number};
use crate::machine::Machine;
use crate::peer::Peer;
use crate::peers::Missing;
use crate::run::Outcome;
use crate::stats::Summary;
use crate::{handles, hosts, login, plots, reading, sdk, size, stall, store};

const FOLDER: &str = "benchmarks";

/// Writes the page and its pictures.
pub fn write(bench: &Bench, machine: &Machine, out: &Path) -> Outcome<()> {
    let (book, plan) = (&bench.book, &bench.plan);
    let goals = [
        reading::goals(book, plan),
        stall::goals(book, plan),
        login::goals(book),
        store::goals(book),
        sdk::goals(book),
        hosts::goals(book),
        size::goals(book),
        handles::goals(book, plan),
    ];
    let figures = [
        reading::figures(book, plan),
        stall::figures(book, plan),
        hosts::figures(book, plan),
        login::figures(book),
        store::figures(book),
        handles::figures(book, plan),
        size::figures(book),
    ];
    let (goals, figures): (Vec<_>, Vec<_>) =
        (goals.into_iter().flatten().collect(), figures.into_iter().flatten().collect());

    let mut page = head(&goals, &bench.peers.missing)?;
    page += &sections(&figures, &sdk::text(book));
    page += &tail(machine, &bench.peers.missing);
    let folder = out.join(FOLDER);
    let failed = |error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(&folder).map_err(failed)?;
    for figure in &figures {
        std::fs::write(folder.join(figure.file).with_extension("svg"), plots::draw(figure)?).map_err(failed)?;
    }
    std::fs::write(out.join("benchmarks.md"), page).map_err(failed)
}

/// The table of goals.
fn head(goals: &[Goal], missing: &[Missing]) -> Outcome<String> {
    let mut text = "# Benchmarks

`make bench` repeats all measurements and writes this page; `make bench-peers` installs the other implementations \
(the peers). Compared implementations are measured in turns on the same machine, and each round gives a ratio. The \
table has the median of the rounds' ratios, and in brackets the quartiles: half of the rounds lie between them. Goals \
that are counted and not measured (no lock, no allocation, no system call in a read) have tests instead.

| | goal | median | rounds | |
|---|---|---|---:|---|
"
    .to_owned();
    for goal in goals {
        let bound = goal.bound.text(goal.unit);
        let row = match goal.summary() {
            Some(summary) => {
                let reached = if goal.bound.holds(summary.median) { "reached" } else { "**not reached**" };
                format!("{}{} | {} | {reached}", spread(summary), goal.unit, summary.rounds)
            }
            None => format!("missing: {} | 0 | not measured", missing_peers(goal, missing)?),
        };
        line(&mut text, format_args!("| {} | {bound} | {row} |", goal.what));
    }
    Ok(text)
}

/// A row without a value must have a missing peer.
fn missing_peers(goal: &Goal, missing: &[Missing]) -> Outcome<String> {
    let is_missing = |peer: &&Peer| missing.iter().any(|missing| missing.peer == **peer);
    let names: Vec<&str> = goal.needs.iter().filter(is_missing).map(|peer| peer.name()).collect();
    if names.is_empty() {
        return Err(format!("nothing was measured for \"{}\", and no peer is missing", goal.what));
    }
    Ok(names.join(", "))
}

fn sections(figures: &[Figure], about_the_sdk: &str) -> String {
    let mut text = String::new();
    for figure in figures {
        line(&mut text, format_args!("\n## {}\n\n![{}]({FOLDER}/{}.svg)\n", figure.title, figure.title, figure.file));
        line(&mut text, format_args!("| {} | {} |", figure.axis, figure.groups.join(" | ").replace('\n', " ")));
        line(&mut text, format_args!("|---|{}", "---|".repeat(figure.groups.len())));
        for series in &figure.series {
            let cells: Vec<String> = series.cells.iter().map(cell).collect();
            line(&mut text, format_args!("| {} | {} |", series.name, cells.join(" | ")));
        }
        line(&mut text, format_args!("\n{}", figure.text));
        if figure.file == "cold-start" {
            line(&mut text, format_args!("\n{about_the_sdk}"));
        }
    }
    text
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Values(values) => Summary::of(values).map_or_else(String::new, spread),
        Cell::Missing => "missing".to_owned(),
        Cell::Never => String::new(),
    }
}

/// The median, and the quartiles if there is more than one round.
fn spread(summary: Summary) -> String {
    let median = number(summary.median);
    if summary.rounds == 1 {
        return median;
    }
    format!("{median} ({} to {})", number(summary.lower), number(summary.upper))
}

/// The machine, and the missing peers.
fn tail(machine: &Machine, missing: &[Missing]) -> String {
    let mut text = "\n## The machine\n\n| | |\n|---|---|\n".to_owned();
    for (name, value) in machine {
        line(&mut text, format_args!("| {name} | {value} |"));
    }
    if !missing.is_empty() {
        text += "\n## Missing\n\n";
    }
    for Missing { peer, why, install } in missing {
        line(&mut text, format_args!("* {}: {why}. To install: `{install}`", peer.name()));
    }
    text
}

fn line(text: &mut String, what: std::fmt::Arguments) {
    writeln!(text, "{what}").ok(); // a String accepts everything
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Bound;

    fn goal(values: &[f64], needs: &'static [Peer]) -> Goal {
        Goal { what: "a / b".to_owned(), bound: Bound::AtLeast(4.0), values: values.to_vec(), unit: "", needs }
    }

    #[test]
    fn a_goal_is_reached_missed_or_missing() {
        let missing = [Missing { peer: Peer::Go, why: "no Go".to_owned(), install: "get Go".to_owned() }];
        for (goal, row) in [
            (goal(&[4.0, 3.9, 4.5], &[]), "| a / b | ≥ 4 | 4 (3.95 to 4.25) | 3 | reached |"),
            (goal(&[3.9], &[Peer::Go]), "| a / b | ≥ 4 | 3.9 | 1 | **not reached** |"),
            (goal(&[], &[Peer::Curl, Peer::Go]), "| a / b | ≥ 4 | missing: Go's oauth2 package | 0 | not measured |"),
        ] {
            let head = head(&[goal], &missing).unwrap();
            assert!(head.contains(row), "{row}\n{head}");
        }
        assert!(head(&[goal(&[], &[Peer::Curl])], &missing).unwrap_err().contains("a / b"));
    }

    #[test]
    fn a_missing_peer_is_listed_with_its_install_command() {
        let missing = [Missing { peer: Peer::Go, why: "no Go".to_owned(), install: "get Go".to_owned() }];
        assert!(tail(&vec![("CPU", "fast".to_owned())], &missing).contains("no Go. To install: `get Go`"));
        assert!(!tail(&Vec::new(), &[]).contains("Missing"));
    }
}
