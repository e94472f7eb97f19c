//! A simulation: many handles log in within one second, and then refresh for a month. It shows the effect of the
//! jitter.
//!
//! The test makes docs/fleet.md and docs/fleet.svg again and compares them with the files in the repository.
//! `make docs` writes these files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use dl_auth::simulation::{Lifetime, Now, RequestTimes, SPREAD};
use plotters::prelude::*;

const HANDLES: u32 = 100_000;
const DAYS: usize = 30;
const DAY: usize = 24 * 3600;
const TOKEN_LIFE: i64 = 24 * 3600;
const REFRESH_AT: f64 = 0.8;
const SEED: u64 = 1;

/// The number of logins in each second, including the first login. Calls `jitter` once for each token.
fn logins(mut jitter: impl FnMut(&mut fastrand::Rng) -> f64) -> Vec<u32> {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut seconds = vec![0; DAYS * DAY];
    for _ in 0..HANDLES {
        let mut now = Duration::from_secs_f64(random.f64());
        while let Some(count) = seconds.get_mut(now.as_secs() as usize) {
            *count += 1;
            now = next_login(now, jitter(&mut random));
        }
    }
    seconds
}

/// The time at which a token that is issued now is due, by the policy of the library. The request takes no time. The
/// gate sends its time in whole seconds, as real gates do, so its real time can be up to 999 ms later.
fn next_login(now: Duration, jitter: f64) -> Duration {
    let seconds = now.as_secs() as i64;
    let ended = Now { boot: now, wall_ms: now.as_millis() as i64 };
    let times = RequestTimes { started: now, ended, gate_ms: seconds * 1000 + 999 };
    Lifetime::new(times, seconds + TOKEN_LIFE, Some(seconds), REFRESH_AT).unwrap().with_jitter(jitter).due
}

/// The largest number of logins in one span of that many seconds.
fn fullest(seconds: &[u32], span: usize) -> u32 {
    seconds.chunks(span).map(|span| span.iter().sum()).max().unwrap_or_default()
}

/// The jitter spreads the first refreshes over this number of seconds.
fn width() -> f64 {
    TOKEN_LIFE as f64 * SPREAD * 2.0
}

/// The expected number of logins per second at the peak of the n-th refreshes. Their times are sums of n uniform random
/// values. The peak of the sum of two is as high as that of one; the peak of three is a quarter lower. The sum of more
/// is nearly normal, with a variance of n/12 squared widths.
fn densest(nth: u32) -> f64 {
    let peak = match nth {
        1 | 2 => 1.0,
        3 => 0.75,
        _ => (6.0 / std::f64::consts::PI / f64::from(nth)).sqrt(),
    };
    f64::from(HANDLES) / width() * peak
}

/// The expected maximum in `spans` spans with `mean` logins each on average, by the Poisson distribution: the smallest
/// count that less than one span is expected to exceed.
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

/// A number with commas between its thousands.
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
        "# Many handles that log in at the same time

{handles} handles log in within the same second. Their tokens are valid for 24 h, and `refresh_at` is {REFRESH_AT}: each token is due after
{hours:.1} h. How many logins does the gate (the service endpoint that issues tokens) receive in the next {DAYS} days? Each handle adds a random
jitter to the time of its next refresh: up to {spread:.0} % of the token's lifetime, earlier or later. The table compares this with the same handles
without jitter.

**This is a simulation and a calculation. No gate took part.** The code is `benches/tests/fleet.rs`. It uses the library's policy to decide when each
token is due. The handle logs in at exactly that time. A login takes no time and never fails. The first logins are at random times in the first
second. The random numbers come from `fastrand`, with seed {SEED}. A test makes this page and its picture again and compares them with the files in the
repository. `make docs` writes them.

| After the first second | with jitter | without jitter |
|---|---:|---:|
| maximum of logins in one second, simulated | {second} | {second_undrawn} |
| the same, calculated | {rate:.1} on average, maximum {second_chance} | up to {handles} |
| maximum of logins in one minute, simulated | {minute} | {minute_undrawn} |
| the same, calculated | {minute_rate:.0} on average, maximum {minute_chance} | {handles} |
| logins of one handle in {DAYS} days, without the first | {all} | {all_undrawn} |

The calculation: the first refreshes are spread evenly over {percent:.0} % of 24 h, which is {width} s. That is {handles} / {width} = {rate:.1} per second. Some
seconds have more by chance. By the Poisson distribution, the expected maximum is {second_chance} in one second and {minute_chance} in one minute. Without jitter, the
handles stay together: all log in within one second, every {hours:.1} h, without end. (Their second can be parts of two seconds of the clock. Then neither
of these two has all logins.) If the logins were spread evenly over the whole time, there would be {even:.2} per second.

Each refresh has new jitter, so the logins spread further with each refresh. The n-th refresh has the sum of n jitters. Its peak is as high as the first
for n = 2, a quarter lower for n = 3, and after that lower by a factor of nearly √(6/πn).

| Refresh | per second at the peak, calculated | in the fullest minute, average per second, simulated |
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
    text + "\n![Logins per minute over 30 days, with and without jitter](fleet.svg)

The picture shows the minute with the most logins of each hour. The axis is logarithmic, so zero logins are shown as one.
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
    // There are hours without a login around each peak.
    let mut first = Some("without jitter");
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
        .label("with jitter: up to 5 % of a token's lifetime, earlier or later")
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
fn handles_that_log_in_together_do_not_refresh_together() {
    let (drawn, undrawn) = std::thread::scope(|scope| {
        let undrawn = scope.spawn(|| logins(|_| 0.5));
        (logins(fastrand::Rng::f64), undrawn.join().unwrap())
    });
    assert_eq!((drawn[0], undrawn[0]), (HANDLES, HANDLES));
    assert!(fullest(&drawn[1..], 1) < 50 && fullest(&undrawn[1..], 1) > HANDLES / 2, "the jitter spreads them");
    for (name, made) in [("fleet.md", report(&drawn, &undrawn)), ("fleet.svg", picture(&drawn, &undrawn))] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        if std::env::var_os("DL_AUTH_WRITE_DOCS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == made,
            "docs/{name} differs from the output of the code; run `make docs` and look at the change"
        );
    }
}
