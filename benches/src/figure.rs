//! The result of a measurement: a figure to draw and tabulate, and the goals that depend on it.

use crate::book::{Cell, Subject};
use crate::peer::Peer;
use crate::stats::Summary;

/// Bars in groups: one colour for each series, and one bar of each series in every group.
pub struct Figure {
    /// The picture's name, without `.svg`.
    pub file: &'static str,
    pub title: &'static str,
    /// The quantity on the axis, its unit, and which direction is better.
    pub axis: &'static str,
    pub log: bool,
    pub groups: Vec<String>,
    pub series: Vec<Series>,
    /// How it was measured, in Markdown.
    pub text: String,
}

pub struct Series {
    pub subject: Subject,
    pub name: String,
    /// A lighter shade of the same colour.
    pub pale: bool,
    pub cells: Vec<Cell>,
}

impl Series {
    pub fn of(subject: Subject, cells: Vec<Cell>) -> Self {
        Self { subject, name: subject.name().to_owned(), pale: false, cells }
    }

    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    pub fn pale(self) -> Self {
        Self { pale: true, ..self }
    }
}

/// A row of the table of goals.
pub struct Goal {
    pub what: String,
    pub bound: Bound,
    /// The value of each round; empty if one of `needs` is missing.
    pub values: Vec<f64>,
    pub unit: &'static str,
    pub needs: &'static [Peer],
}

pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
    Between(f64, f64),
}

impl Bound {
    pub fn holds(&self, value: f64) -> bool {
        match *self {
            Bound::AtLeast(least) => value >= least,
            Bound::AtMost(most) => value <= most,
            Bound::Between(least, most) => (least..=most).contains(&value),
        }
    }

    pub fn text(&self, unit: &str) -> String {
        match *self {
            Bound::AtLeast(least) => format!("≥ {}{unit}", number(least)),
            Bound::AtMost(most) => format!("≤ {}{unit}", number(most)),
            Bound::Between(least, most) => format!("{} to {}{unit}", number(least), number(most)),
        }
    }
}

impl Goal {
    pub fn summary(&self) -> Option<Summary> {
        Summary::of(&self.values)
    }
}

/// Three significant digits, with thousands separators and without trailing zeros after the point.
pub fn number(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { (2 - value.abs().log10().floor() as i32).max(0) as usize };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match rest.trim_end_matches('0') {
        "" => grouped,
        rest => format!("{grouped}.{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_readable() {
        for (value, text) in [
            (0.0, "0"),
            (0.35, "0.35"),
            (0.123_456, "0.123"),
            (1.0, "1"),
            (1.3, "1.3"),
            (18.954, "19"),
            (82.24, "82.2"),
            (999.96, "1,000"),
            (1_234.5, "1,234"),
            (52_757_249.4, "52,757,249"),
            (-1_234.0, "-1,234"),
        ] {
            assert_eq!(number(value), text, "{value}");
        }
    }

    #[test]
    fn a_bound_includes_its_limit() {
        for (bound, inside, outside, text) in [
            (Bound::AtLeast(4.0), 4.0, 3.99, "≥ 4"),
            (Bound::AtMost(0.35), 0.35, 0.351, "≤ 0.35"),
            (Bound::Between(0.95, 1.05), 1.05, 1.06, "0.95 to 1.05"),
        ] {
            assert!(bound.holds(inside) && !bound.holds(outside), "{text}");
            assert_eq!(bound.text(""), text);
        }
        assert_eq!(Bound::AtMost(2.2).text(" MB"), "≤ 2.2 MB");
    }
}
