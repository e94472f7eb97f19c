//! The book that all measurements are noted in, and who is in it.

use std::collections::BTreeMap;

use crate::stats;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Floor,
    Ours,
    Handwritten,
    /// What one writes by hand in the language of a binding.
    Idiom,
    Go,
    Curl,
    Dtlpy,
}

impl Who {
    pub fn name(self) -> &'static str {
        match self {
            Who::Floor => "floor",
            Who::Ours => "dl_auth",
            Who::Handwritten => "hand-written C",
            Who::Idiom => "the host's own idiom",
            Who::Go => "Go ReuseTokenSource",
            Who::Curl => "libcurl + OpenSSL + cJSON",
            Who::Dtlpy => "dtlpy",
        }
    }
}

/// What stands in one place of a figure.
pub enum Cell {
    Values(Vec<f64>),
    /// It should be there, but its peer is missing.
    Missing,
    /// Nothing of the kind is measured.
    Never,
}

/// What each round gave, in order, by who and what was measured.
#[derive(Default)]
pub struct Book(BTreeMap<(Who, String), Vec<f64>>);

impl Book {
    pub fn note(&mut self, who: Who, what: &str, value: f64) {
        self.0.entry((who, what.to_owned())).or_default().push(value);
    }

    /// All rounds; none where a peer is missing.
    pub fn get(&self, who: Who, what: &str) -> &[f64] {
        self.0.get(&(who, what.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// How many times as much of it one is than the other, round by round.
    pub fn ratio(&self, what: &str, above: Who, below: Who) -> Vec<f64> {
        stats::ratios(self.get(above, what), self.get(below, what))
    }

    /// The same for a figure, in its unit.
    pub fn cell(&self, who: Who, what: &str, unit: f64) -> Cell {
        match self.get(who, what) {
            [] => Cell::Missing,
            values => Cell::Values(values.iter().map(|value| value / unit).collect()),
        }
    }
}
