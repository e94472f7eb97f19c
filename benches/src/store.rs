//! The first token of a process: one that another process has shared, or one of a new login.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use crate::bench::{Bench, Trust};
use crate::book::{Book, Subject};
use crate::figure::{Bound, Figure, Goal, Series, number};
use crate::peer::Peer;
use crate::reading::rotated;
use crate::relay;
use crate::run::{Outcome, Process, clean};
use crate::stats::{Summary, ratios};

/// Where the process gets its token from.
#[derive(Clone, Copy)]
enum Source {
    Option,
    Directory,
    Redis,
    Gate,
    FarGate,
}

const ALL: [Source; 5] = [Source::Option, Source::Directory, Source::Redis, Source::Gate, Source::FarGate];

impl Source {
    fn name(self) -> &'static str {
        match self {
            Source::Option => "a ready token,\nno store",
            Source::Directory => "a shared token,\na directory",
            Source::Redis => "a shared token,\nRedis",
            Source::Gate => "a login,\non this machine",
            Source::FarGate => "a login,\n50 ms away",
        }
    }

    fn wall(self) -> String {
        format!("ns to the token, {}", self.name())
    }

    fn cpu(self) -> String {
        format!("ns of CPU of the process, {}", self.name())
    }
}

/// The time that is added to each round trip to the gate that is far away. Its name contains it.
const ROUND_TRIP: Duration = Duration::from_millis(50);

pub fn measure(bench: &mut Bench) -> Outcome<()> {
    let token = bench.token()?;
    let redis = bench.peers.get(Peer::Redis).map(|_| redis(bench)).transpose()?;
    let far = far(bench.gate.url())?;
    for round in 0..=bench.plan.login_rounds {
        for source in rotated(ALL, round) {
            let mut command = bench.ours("login", Trust::Pinned);
            match (source, &redis) {
                (Source::Option, _) => drop(
                    command.env_remove("DL_AUTH_USERNAME").env_remove("DL_AUTH_PASSWORD").env("DL_AUTH_TOKEN", &token),
                ),
                (Source::Directory, _) => drop(command.envs(bench.sharing())),
                (Source::Redis, Some((_, url))) => drop(command.envs(bench.sharing()).env("DL_AUTH_STORE", url)),
                (Source::Redis, None) => continue,
                (Source::Gate, _) => {}
                (Source::FarGate, _) => drop(command.env("DL_AUTH_URL", &far)),
            }
            let before = bench.gate.counts().requests;
            let mut process = Process::start(&mut command)?;
            let (to_token, _) = process.line()?;
            let cpu = process.end()?;
            if round == 0 {
                continue; // the first round reads files into memory, and shares a token
            }
            let sent = bench.gate.counts().requests - before;
            let wanted = u64::from(matches!(source, Source::Gate | Source::FarGate));
            if sent != wanted {
                return Err(format!("{}: the gate got {sent} requests instead of {wanted}", source.name()));
            }
            bench.book.note(Subject::Ours, &source.wall(), to_token.as_nanos() as f64);
            bench.book.note(Subject::Ours, &source.cpu(), cpu.as_nanos() as f64);
        }
    }
    Ok(())
}

/// A Redis server without data, which ends when it is dropped, and its URL.
fn redis(bench: &Bench) -> Outcome<(Process, String)> {
    // Below the range from which the kernel chooses the ports of connections.
    let first = 10_000 + std::process::id() as u16 % 200 * 100;
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let port = (first..32_000).find(free).ok_or("there is no free port for Redis")?;
    let mut command = clean("redis-server");
    command.current_dir(&bench.work).args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    let mut server = Process::start(command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]))?;
    while !server.line()?.1.contains("Ready to accept connections") {}
    Ok((server, format!("redis://127.0.0.1:{port}")))
}

/// The same gate behind a network with latency.
fn far(url: &str) -> Outcome<String> {
    let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next());
    let port = port.and_then(|port| port.parse().ok()).ok_or_else(|| format!("{url} has no port"))?;
    Ok(url.replace(&format!(":{port}/"), &format!(":{}/", relay::open(port, ROUND_TRIP)?)))
}

/// The CPU time that a shared token adds to the process, in each round.
fn added(book: &Book) -> Vec<f64> {
    let [shared, ready] = [Source::Directory, Source::Option].map(|source| book.get(Subject::Ours, &source.cpu()));
    shared.iter().zip(ready).map(|(shared, ready)| (shared - ready) / 1e6).collect()
}

pub fn goals(book: &Book) -> Vec<Goal> {
    let ratio = |source: Source, needs| Goal {
        what: format!("process to token: {} / {}", Source::FarGate.name(), source.name()).replace('\n', " "),
        bound: Bound::AtLeast(3.0),
        values: ratios(book.get(Subject::Ours, &Source::FarGate.wall()), book.get(Subject::Ours, &source.wall())),
        unit: "",
        needs,
    };
    vec![
        ratio(Source::Directory, &[]),
        ratio(Source::Redis, &[Peer::Redis]),
        Goal {
            what: "CPU of a process: a token shared in a directory, less a ready token (nearly all is the key)"
                .to_owned(),
            bound: Bound::AtMost(50.0),
            values: added(book),
            unit: " ms",
            needs: &[],
        },
    ]
}

pub fn figures(book: &Book) -> Vec<Figure> {
    let series = |what: fn(Source) -> String, name: &str| {
        let cells = ALL.map(|source| book.cell(Subject::Ours, &what(source), 1e6));
        Series::of(Subject::Ours, cells.into()).named(name)
    };
    vec![Figure {
        file: "store",
        title: "The first token of a process",
        axis: "milliseconds (less is better)",
        log: true,
        groups: ALL.map(|source| source.name().to_owned()).into(),
        series: vec![
            series(Source::wall, "wall clock, to printed token"),
            series(Source::cpu, "CPU of the process").pale(),
        ],
        text: format!(
            "In each round, each way starts a new process ([login.c](../benches/peers/login.c)), which prints its \
token. *Ready*: the option `token`, so the process only loads and starts the library. *Shared*: an earlier process has \
logged in, and this one takes the token from a directory, or from a Redis server on this machine. The gate gets no \
request. The process must derive the key of the record from the password (PBKDF2 with 100,000 iterations). That is \
nearly all of the {added} ms of CPU by which a token in a directory is above a ready token. *Login*: without a store, at \
the gate on this machine, or through a relay that delays the bytes: each of the three round trips of a login (the \
connection, TLS 1.3, the request) takes {round_trip} ms longer. All trust only the gate's root certificate. CPU is the \
kernel's count for the whole process. A shared token needs more CPU than a login: a store saves requests and round \
trips.",
            added = Summary::of(&added(book)).map_or_else(String::new, |summary| number(summary.median)),
            round_trip = ROUND_TRIP.as_millis(),
        ),
    }]
}
