//! The book of all measurements, and the implementations in it.

use std::collections::BTreeMap;

use crate::stats;

/// An implementation that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Floor,
    Ours,
    Handwritten,
    /// Common hand-written code in the language of a binding.
    Idiom,
    Go,
    Curl,
    Dtlpy,
}

impl Subject {
    pub fn name(self) -> &'static str {
        match self {
            Subject::Floor => "floor",
            Subject::Ours => "dl_auth",
            Subject::Handwritten => "hand-written C",
            Subject::Idiom => "the host's own idiom",
            Subject::Go => "Go ReuseTokenSource",
            Subject::Curl => "libcurl + OpenSSL + cJSON",
            Subject::Dtlpy => "dtlpy",
        }
    }
}

/// The content of one cell of a figure.
pub enum Cell {
    Values(Vec<f64>),
    /// The implementation is missing.
    Missing,
    /// This is not measured.
    Never,
}

/// The values of all rounds, in order, by implementation and quantity.
#[derive(Default)]
pub struct Book(BTreeMap<(Subject, String), Vec<f64>>);

impl Book {
    pub fn note(&mut self, subject: Subject, what: &str, value: f64) {
        self.0.entry((subject, what.to_owned())).or_default().push(value);
    }

    /// The values of all rounds; empty if the implementation is missing.
    pub fn get(&self, subject: Subject, what: &str) -> &[f64] {
        self.0.get(&(subject, what.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// The ratio of `above` to `below` in each round.
    pub fn ratio(&self, what: &str, above: Subject, below: Subject) -> Vec<f64> {
        stats::ratios(self.get(above, what), self.get(below, what))
    }

    /// The values for a figure, in its unit.
    pub fn cell(&self, subject: Subject, what: &str, unit: f64) -> Cell {
        match self.get(subject, what) {
            [] => Cell::Missing,
            values => Cell::Values(values.iter().map(|value| value / unit).collect()),
        }
    }
}
