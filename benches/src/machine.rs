//! The machine and the software of the measurement.

use std::fs::read_to_string;
use std::process::Command;

use crate::peer::Peer;
use crate::peers::Peers;
use crate::run::{Outcome, clean, tool};

/// Names and values, in the order of the table.
pub type Machine = Vec<(&'static str, String)>;

pub fn describe(peers: &Peers) -> Outcome<Machine> {
    let mut machine = vec![
        ("date", tool(clean("date").args(["-u", "+%Y-%m-%d"]))?),
        ("CPU", format!("{}, {} of them", field("/proc/cpuinfo", "model name", ":"), cpus())),
        ("memory", memory()),
        ("kernel", tool(clean("uname").arg("-sr"))?),
        ("system", field("/etc/os-release", "PRETTY_NAME", "=").trim_matches('"').to_owned()),
        ("load before the run", load()),
        ("C compiler", first_line(tool(clean("gcc").arg("--version"))?)),
        ("Rust", tool(Command::new("rustc").arg("--version")).unwrap_or_else(|_| "unknown".to_owned())),
    ];
    if let Some(program) = peers.get(Peer::Curl) {
        machine.push(("libcurl", tool(clean(program).arg("--version"))?));
    }
    if peers.get(Peer::Go).is_some() {
        machine.push(("Go", tool(Command::new("go").arg("version"))?));
    }
    if let Some(python) = peers.get(Peer::Dtlpy) {
        let version = tool(clean(python).arg("--version"))?;
        machine.push(("dtlpy", format!("{}, {version}", include_str!("../peers/requirements.txt").trim())));
    }
    for (peer, name, program) in
        [(Peer::Cpp, "C++ compiler", "g++"), (Peer::Python, "Python", "python3"), (Peer::CSharp, "Mono", "mono")]
    {
        if peers.get(peer).is_some() {
            machine.push((name, first_line(tool(Command::new(program).arg("--version"))?)));
        }
    }
    if peers.get(Peer::Lua).is_some() {
        machine.push(("LuaJIT", first_line(tool(clean("luajit").arg("-v"))?)));
    }
    Ok(machine)
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn memory() -> String {
    let kib = field("/proc/meminfo", "MemTotal", ":");
    let kib: f64 = kib.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0.0);
    format!("{:.1} GiB", kib / f64::from(1 << 20))
}

/// The average number of threads that needed a CPU in the last minute.
fn load() -> String {
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or("unknown").to_owned()
}

fn first_line(text: String) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The value of this name in a file of the system.
fn field(path: &str, name: &str, between: &str) -> String {
    let text = read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(between)).map_or("unknown", |(_, value)| value.trim()).to_owned()
}
