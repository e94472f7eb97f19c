//! A fleet that logged in within one second, simulated for a month: what the draw is for.
//!
//! docs/fleet.md and docs/fleet.svg are what this makes of it. The test compares them with what is checked in;
//! `make docs` writes them.

use std::fmt::Write;
use std::path::Path;

use plotters::prelude::*;

use super::*;

const HANDLES: u32 = 100_000;
const DAYS: usize = 30;
const DAY: usize = 24 * 3600;
const TOKEN_LIFE: i64 = 24 * 3600;
const REFRESH_AT: f64 = 0.8;
const SEED: u64 = 1;

/// How many logins there are in each second, the first one included. `draw` is asked once for each token.
fn logins(mut draw: impl FnMut(&mut fastrand::Rng) -> f64) -> Vec<u32> {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut seconds = vec![0; DAYS * DAY];
    for _ in 0..HANDLES {
        let mut now = Duration::from_secs_f64(random.f64());
        while let Some(count) = seconds.get_mut(now.as_secs() as usize) {
            *count += 1;
            now = next_login(now, draw(&mut random));
        }
    }
    seconds
}

/// When the token that comes now is due, by the policy of the library. The request takes no time, and the gate tells
/// the time as gates do: cut to whole seconds, so that up to 999 ms more may have passed.
fn next_login(now: Boot, draw: f64) -> Boot {
    let seconds = now.as_secs() as i64;
    let ended = Now { boot: now, wall_ms: now.as_millis() as i64 };
    let times = RequestTimes { started: now, ended, gate_ms: seconds * 1000 + 999 };
    Lifetime::new(times, seconds + TOKEN_LIFE, Some(seconds), REFRESH_AT).unwrap().with_jitter(draw).due
}

/// The fullest of the spans of that many seconds.
fn fullest(seconds: &[u32], span: usize) -> u32 {
    seconds.chunks(span).map(|span| span.iter().sum()).max().unwrap_or_default()
}

/// The seconds over which the first refreshes are drawn.
fn width() -> f64 {
    TOKEN_LIFE as f64 * SPREAD * 2.0
}

/// How many logins there are in a second where the n-th refreshes are densest. Their times are sums of n uniform draws:
/// the sum of two is as dense as one, of three by a quarter less, and of more it is nearly normal, with a variance of
/// n/12 squared widths.
fn densest(nth: u32) -> f64 {
    let peak = match nth {
        1 | 2 => 1.0,
        3 => 0.75,
        _ => (6.0 / std::f64::consts::PI / f64::from(nth)).sqrt(),
    };
    f64::from(HANDLES) / width() * peak
}

/// What the fullest span holds by chance, where there are so many spans with so many logins in each on the average: as
/// many as not one of them is expected to exceed, by Poisson's law.
fn by_chance(mean: f64, spans: f64) -> u32 {
    let (mut probability, mut more, mut count) = ((-mean).exp(), 1.0, 0);
    loop {
        more -= probability;
        if spans * more < 1.0 && f64::from(count) > mean {
            return count;
        }
        count += 1;
        probability *= mean / f64::from(count);
    }
}

/// A number with its thousands apart.
fn number(number: u32) -> String {
    let (millions, thousands) = (number / 1_000_000, number / 1000 % 1000);
    match (millions, thousands) {
        (0, 0) => number.to_string(),
        (0, _) => format!("{thousands},{:03}", number % 1000),
        _ => format!("{millions},{thousands:03},{:03}", number % 1000),
    }
}

fn report(drawn: &[u32], undrawn: &[u32]) -> String {
    let later = |seconds: &[u32], span| number(fullest(&seconds[1..], span));
    let all = |seconds: &[u32]| seconds[1..].iter().sum::<u32>() / HANDLES;
    let rate = densest(1);
    let chance = |span: f64| number(by_chance(rate * span, width() / span));
    let interval = TOKEN_LIFE as f64 * REFRESH_AT;
    let mut text = format!(
        "# A fleet that logs in at once

{handles} handles log in within the same second. Their tokens live 24 h, and `refresh_at` is {REFRESH_AT}: each is due after {hours:.1} h. What does the gate see in
the {DAYS} days that follow? Each handle draws when its next refresh is due, {spread:.0} % of the token's life to either side; beside it, the same fleet
without the draw.

**This is a simulation, and arithmetic on paper. No gate was asked.** The code is `src/policy/fleet.rs`: it asks the library's own policy when each
token is due, and lets the handle log in at exactly that time, by a login that takes no time and never fails. The first logins fall anywhere in the
first second. Random numbers are `fastrand`'s, with seed {SEED}. A test makes this page and its picture anew and compares them with what is checked in;
`make docs` writes them.

| After the first second | with the draw | without it |
|---|---:|---:|
| logins in the fullest second, simulated | {second} | {second_undrawn} |
| the same on paper | {rate:.1} on the average, {second_chance} by chance | up to {handles} |
| logins in the fullest minute, simulated | {minute} | {minute_undrawn} |
| the same on paper | {minute_rate:.0} on the average, {minute_chance} by chance | {handles} |
| logins of a handle in {DAYS} days, the first not counted | {all} | {all_undrawn} |

On paper: the first refreshes fall evenly into {percent:.0} % of 24 h, {width} s, which makes {handles} / {width} = {rate:.1} in a second. By chance, a few
seconds are fuller: the most that is to be expected in one of so many is {second_chance}, by Poisson's law, and {minute_chance} in a minute. Without the draw, nothing
ever parts the handles: all come within one second, every {hours:.1} h, for ever. (A second of the clock may cut theirs in two, so that neither part
has all.) Spread evenly over all time, the fleet would make {even:.2} in a second.

Each refresh draws anew, so the fleet widens. The n-th refresh falls where n draws add up: as dense as the first for n = 2, by a quarter less for
n = 3, and after that by a factor of nearly √(6/πn).

| Refresh | in a second on paper, where densest | simulated, the fullest minute's average |
|---:|---:|---:|
",
        handles = number(HANDLES),
        hours = interval / 3600.0,
        spread = SPREAD * 100.0,
        percent = SPREAD * 200.0,
        width = number(width() as u32),
        second = later(drawn, 1),
        second_undrawn = later(undrawn, 1),
        second_chance = chance(1.0),
        minute = later(drawn, 60),
        minute_undrawn = later(undrawn, 60),
        minute_chance = chance(60.0),
        minute_rate = rate * 60.0,
        all = all(drawn),
        all_undrawn = all(undrawn),
        even = f64::from(HANDLES) / interval,
    );
    for nth in [1, 2, 3, 5, 10, 20, 35] {
        let from = (f64::from(nth) - 0.5) * interval;
        let around = &drawn[from as usize..(from + interval) as usize];
        let simulated = f64::from(fullest(around, 60)) / 60.0;
        writeln!(text, "| {nth} | {:.1} | {simulated:.1} |", densest(nth)).unwrap();
    }
    text + "\n![Logins per minute over 30 days, with the draw and without](fleet.svg)

The picture shows the fullest minute of each hour. On its logarithmic axis, none at all is drawn as one.
"
}

fn picture(drawn: &[u32], undrawn: &[u32]) -> String {
    let mut svg = String::new();
    let days = |hour: usize| hour as f64 / 24.0;
    let minutes =
        |seconds: &[u32]| seconds.chunks(3600).map(|hour| fullest(hour, 60)).map(f64::from).collect::<Vec<_>>();
    let (drawn, undrawn) = (minutes(drawn), minutes(undrawn));
    let root = SVGBackend::with_string(&mut svg, (960, 480)).into_drawing_area();
    root.fill(&WHITE).unwrap();
    let mut chart = ChartBuilder::on(&root)
        .caption("100,000 handles that logged in within the same second: simulated", ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(76)
        .build_cartesian_2d(0.0..DAYS as f64, (1.0..2_000_000.0).log_scale())
        .unwrap();
    chart
        .configure_mesh()
        .x_desc("days since the first login")
        .y_desc("logins per minute, fullest minute of each hour")
        .x_labels(DAYS / 2 + 1)
        .x_label_formatter(&|day| format!("{day:.0}"))
        .y_label_formatter(&|count| number(*count as u32))
        .axis_desc_style(("sans-serif", 15))
        .label_style(("sans-serif", 13))
        .light_line_style(TRANSPARENT)
        .draw()
        .unwrap();
    let (with, without) = (RGBColor(0x1f, 0x5f, 0xa8), RGBColor(0xd0, 0x4a, 0x2a));
    let key = |color: RGBColor| move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(3));
    // Each of its peaks is alone between hours without a login.
    let mut first = Some("without the draw");
    for (hour, count) in undrawn.into_iter().enumerate().filter(|(_, count)| *count > 0.0) {
        let peak = [(days(hour), 1.0), (days(hour), count)];
        let series = chart.draw_series(LineSeries::new(peak, without.stroke_width(2))).unwrap();
        if let Some(label) = first.take() {
            series.label(label).legend(key(without));
        }
    }
    let line = drawn.into_iter().enumerate().map(|(hour, count)| (days(hour), count.max(1.0)));
    chart
        .draw_series(LineSeries::new(line, with.stroke_width(2)))
        .unwrap()
        .label("with the draw, 5 % of a token's life to either side")
        .legend(key(with));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE)
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 15))
        .draw()
        .unwrap();
    root.present().unwrap();
    drop((chart, root));
    svg
}

#[test]
fn a_fleet_that_logs_in_at_once_never_comes_back_at_once() {
    let (drawn, undrawn) = std::thread::scope(|scope| {
        let undrawn = scope.spawn(|| logins(|_| 0.5));
        (logins(fastrand::Rng::f64), undrawn.join().unwrap())
    });
    assert_eq!((drawn[0], undrawn[0]), (HANDLES, HANDLES));
    assert!(fullest(&drawn[1..], 1) < 50 && fullest(&undrawn[1..], 1) > HANDLES / 2, "the draw is what parts them");
    for (name, made) in [("fleet.md", report(&drawn, &undrawn)), ("fleet.svg", picture(&drawn, &undrawn))] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
        if std::env::var_os("DL_AUTH_WRITE_DOCS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == made, "docs/{name} is not what the code makes; run `make docs` and look at what has changed");
    }
}
