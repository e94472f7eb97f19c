//! Draws a figure: bars in groups with their medians at the top, and a thin line from quartile to quartile.

use std::fmt::Display;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::book::{Cell, Subject};
use crate::figure::{Figure, Series, number};
use crate::run::Outcome;
use crate::stats::Summary;

const WIDTH: i32 = 960;
const HEIGHT: i32 = 460;
/// The area of the bars: left, right, bottom. Their top depends on the legend.
const LEFT: i32 = 100;
const RIGHT: i32 = WIDTH - 20;
const BOTTOM: i32 = HEIGHT - 58;
/// The part of a group's width that its bars fill.
const FILLED: f64 = 0.84;
const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const FAINT: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);

/// The picture as SVG.
pub fn draw(figure: &Figure) -> Outcome<String> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, HEIGHT as u32)).into_drawing_area();
    let drawn = root.fill(&WHITE).map_err(said).and_then(|()| {
        let canvas = Canvas { root: &root };
        let top = canvas.heading(figure)?;
        canvas.bars(figure, top)
    });
    let presented = drawn.and_then(|()| root.present().map_err(said));
    drop(root);
    presented.map(|()| svg)
}

fn said(error: impl Display) -> String {
    format!("cannot draw a picture: {error}")
}

fn color(series: &Series) -> RGBColor {
    let RGBColor(red, green, blue) = match series.subject {
        Subject::Floor => RGBColor(0x8c, 0x8c, 0x8c),
        Subject::Ours => RGBColor(0x1f, 0x5f, 0xa8),
        Subject::Handwritten => RGBColor(0xe0, 0x9f, 0x1f),
        Subject::Go => RGBColor(0x2a, 0x9d, 0x8f),
        Subject::Curl => RGBColor(0xd0, 0x4a, 0x2a),
        Subject::Idiom => RGBColor(0xd5, 0x8a, 0x2b),
        Subject::Dtlpy => RGBColor(0x7b, 0x4f, 0xa0),
    };
    let lighter = |part: u8| if series.pale { part + (255 - part) / 2 } else { part };
    RGBColor(lighter(red), lighter(green), lighter(blue))
}

/// Converts values to heights, with or without logarithms.
struct Scale {
    log: bool,
    lowest: f64,
    highest: f64,
    top: i32,
}

impl Scale {
    /// From slightly below the smallest value, or from zero, to far enough above the largest that its label fits.
    fn of(figure: &Figure, top: i32) -> Self {
        let summaries = figure.series.iter().flat_map(|series| series.cells.iter().filter_map(summary));
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for Summary { lower, upper, .. } in summaries {
            (least, most) = (least.min(lower), most.max(upper));
        }
        if most <= 0.0 {
            (least, most) = (1.0, 10.0); // everything is missing
        }
        if !figure.log {
            return Self { log: false, lowest: 0.0, highest: most * 1.12, top };
        }
        let lowest = (least.log10() - 0.15).floor();
        Self { log: true, lowest, highest: lowest + (most.log10() - lowest).max(1.0) * 1.08, top }
    }

    fn y(&self, value: f64) -> i32 {
        let value = if self.log { value.log10() } else { value };
        let part = (value - self.lowest) / (self.highest - self.lowest);
        BOTTOM - (part.clamp(0.0, 1.0) * f64::from(BOTTOM - self.top)) as i32
    }

    /// Round values, with some between the powers of ten if there are few powers.
    fn ticks(&self) -> Vec<f64> {
        if !self.log {
            let rough = self.highest / 5.0;
            let power = 10_f64.powf(rough.log10().floor());
            let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= rough).unwrap_or(10.0) * power;
            return (0..=(self.highest / step) as i32).map(|tick| f64::from(tick) * step).collect();
        }
        let between: &[f64] = if self.highest - self.lowest > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let powers = self.lowest as i32..=self.highest as i32;
        let all = powers.flat_map(|power| between.iter().map(move |part| part * 10_f64.powi(power)));
        all.filter(|tick| tick.log10() <= self.highest).collect()
    }
}

fn summary(cell: &Cell) -> Option<Summary> {
    match cell {
        Cell::Values(values) => Summary::of(values),
        Cell::Missing | Cell::Never => None,
    }
}

struct Canvas<'a, 'b> {
    root: &'a DrawingArea<SVGBackend<'b>, Shift>,
}

impl Canvas<'_, '_> {
    fn text(&self, text: &str, at: (i32, i32), size: i32, color: RGBColor, anchor: (HPos, VPos)) -> Outcome<()> {
        let font = ("sans-serif", size).into_font().color(&color).pos(Pos::new(anchor.0, anchor.1));
        self.root.draw(&Text::new(text, at, font)).map_err(said)
    }

    fn upwards(&self, text: &str, at: (i32, i32), size: i32, anchor: HPos) -> Outcome<()> {
        let font = ("sans-serif", size).into_font().transform(FontTransform::Rotate270).color(&INK);
        self.root.draw(&Text::new(text, at, font.pos(Pos::new(anchor, VPos::Center)))).map_err(said)
    }

    fn line(&self, from: (i32, i32), to: (i32, i32), color: RGBColor) -> Outcome<()> {
        self.root.draw(&PathElement::new([from, to], color)).map_err(said)
    }

    fn block(&self, from: (i32, i32), to: (i32, i32), color: RGBColor) -> Outcome<()> {
        self.root.draw(&Rectangle::new([from, to], color.filled())).map_err(said)
    }

    /// Draws the title, and the legend if bars have no names below them. Returns the y below them.
    fn heading(&self, figure: &Figure) -> Outcome<i32> {
        self.text(figure.title, (24, 16), 21, INK, (HPos::Left, VPos::Top))?;
        let (mut x, mut y) = (LEFT, 54);
        if named_below(figure) {
            return Ok(y);
        }
        for series in &figure.series {
            let width = 24 + series.name.chars().count() as i32 * 8 + 20;
            if x + width > WIDTH && x > LEFT {
                (x, y) = (LEFT, y + 22);
            }
            self.block((x, y), (x + 13, y + 13), color(series))?;
            self.text(&series.name, (x + 20, y + 7), 15, INK, (HPos::Left, VPos::Center))?;
            x += width;
        }
        Ok(y + 30)
    }

    fn bars(&self, figure: &Figure, top: i32) -> Outcome<()> {
        let scale = Scale::of(figure, top);
        for tick in scale.ticks() {
            let y = scale.y(tick);
            self.line((LEFT, y), (RIGHT, y), FAINT)?;
            self.text(&number(tick), (LEFT - 8, y), 13, INK, (HPos::Right, VPos::Center))?;
        }
        let axis = if figure.log { format!("{}, logarithmic", figure.axis) } else { figure.axis.to_owned() };
        self.upwards(&axis, (16, (top + BOTTOM) / 2), 14, HPos::Center)?;

        let group_width = f64::from(RIGHT - LEFT) / figure.groups.len() as f64;
        let bar_width = group_width * FILLED / figure.series.len() as f64;
        for (at, name) in figure.groups.iter().enumerate() {
            let left = f64::from(LEFT) + at as f64 * group_width;
            if !named_below(figure) {
                self.below(name, left + group_width / 2.0)?;
            }
            for (nth, series) in figure.series.iter().enumerate() {
                let from = left + group_width * (1.0 - FILLED) / 2.0 + nth as f64 * bar_width;
                let middle = from + bar_width / 2.0;
                if let Some(cell) = series.cells.get(at) {
                    self.bar(cell, &scale, (from, from + bar_width), color(series))?;
                }
                if named_below(figure) {
                    self.below(&wrapped(&series.name), middle)?;
                }
            }
        }
        self.line((LEFT, BOTTOM), (RIGHT, BOTTOM), INK)
    }

    /// One bar, with a gap to its neighbours.
    fn bar(&self, cell: &Cell, scale: &Scale, (from, to): (f64, f64), color: RGBColor) -> Outcome<()> {
        let middle = ((from + to) / 2.0) as i32;
        let Some(summary) = summary(cell) else {
            return match cell {
                Cell::Missing => self.upwards("missing", (middle, BOTTOM - 6), 13, HPos::Left),
                _ => Ok(()),
            };
        };
        let (upper, lower) = (scale.y(summary.upper), scale.y(summary.lower));
        self.block((from as i32 + 2, scale.y(summary.median)), (to as i32 - 2, BOTTOM), color)?;
        self.line((middle, lower), (middle, upper), INK)?;
        self.text(&number(summary.median), (middle, upper - 4), 14, INK, (HPos::Center, VPos::Bottom))
    }

    /// A name below the axis, on one line or more.
    fn below(&self, name: &str, middle: f64) -> Outcome<()> {
        for (nth, line) in name.lines().enumerate() {
            let at = (middle as i32, BOTTOM + 8 + 17 * nth as i32);
            self.text(line, at, 14, INK, (HPos::Center, VPos::Top))?;
        }
        Ok(())
    }
}

/// With one group, each bar has its own name below it.
fn named_below(figure: &Figure) -> bool {
    figure.groups.len() == 1
}

/// Lines of about twenty letters.
fn wrapped(name: &str) -> String {
    let (mut text, mut length) = (String::new(), 0);
    for word in name.split(' ') {
        if length > 0 && length + word.len() > 20 {
            text.push('\n');
            length = 0;
        } else if length > 0 {
            text.push(' ');
        }
        text += word;
        length += word.len() + 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(log: bool, cells: Vec<Cell>) -> Figure {
        let groups = vec!["one".to_owned(), "two".to_owned()];
        Figure {
            file: "file",
            title: "Title",
            axis: "ns",
            log,
            groups,
            series: vec![Series::of(Subject::Ours, cells)],
            text: String::new(),
        }
    }

    #[test]
    fn a_picture_shows_values_missing_peers_and_names() {
        let svg = draw(&figure(true, vec![Cell::Values(vec![20.0, 17.0, 19.0]), Cell::Missing])).unwrap();
        for word in ["Title", "ns, logarithmic", "dl_auth", "one", "two", "19", "missing"] {
            assert!(svg.contains(&format!("\n{word}\n")), "{word}\n{svg}");
        }
    }

    #[test]
    fn a_picture_without_values_can_be_drawn() {
        for log in [true, false] {
            assert!(draw(&figure(log, vec![Cell::Missing, Cell::Never])).unwrap().contains("missing"));
        }
    }

    #[test]
    fn larger_values_are_higher_and_all_fit() {
        for log in [true, false] {
            let scale = Scale::of(&figure(log, vec![Cell::Values(vec![3.0]), Cell::Values(vec![4000.0])]), 50);
            assert!(BOTTOM > scale.y(3.0) || !log);
            assert!(scale.y(3.0) > scale.y(4000.0) && scale.y(4000.0) > 50, "{log}");
            assert!(
                scale.ticks().len() > 2 && scale.ticks().iter().all(|tick| (50..=BOTTOM).contains(&scale.y(*tick)))
            );
        }
    }

    #[test]
    fn long_names_are_wrapped_between_words() {
        assert_eq!(wrapped("libdl_auth.so"), "libdl_auth.so");
        assert_eq!(wrapped("a Go program that holds a token"), "a Go program that\nholds a token");
    }
}
