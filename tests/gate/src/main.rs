//! The gate as a program, for tests in other languages. It prints one line of JSON with all addresses. It then serves
//! until it is stopped, its time is up, or its parent process has ended.

use dl_auth_gate::{Gate, Settings, patience};
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const HELP: &str = "\
dl_auth_gate: a test gate for dl_auth, on 127.0.0.1

Options:
  --lifetime S      lifetime of a token in seconds (86400)
  --rotate          each refresh uses up the refresh token and issues a new one
  --username U      the accepted user name (bot@example.com)
  --password P      the accepted password (correct horse battery staple)
  --max-seconds N   end after this time in any case (3600)
  --help            this text

Prints one line of JSON: url, ca_file, control_url, ... Ends at POST /stop on
control_url, after --max-seconds, or when its parent process has ended.
";

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            let _ = std::io::stdout().write_all(HELP.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("dl_auth_gate: {message}; see --help");
            return ExitCode::from(2);
        }
    };
    let parent = parent();
    let end = Instant::now() + options.max_time;
    let gate = match Gate::try_start(options.settings) {
        Ok(gate) => gate,
        Err(e) => {
            eprintln!("dl_auth_gate: cannot start: {e}");
            return ExitCode::FAILURE;
        }
    };
    let mut stdout = std::io::stdout();
    if writeln!(stdout, "{}", gate.describe()).and_then(|()| stdout.flush()).is_err() {
        return ExitCode::FAILURE; // no client can learn the addresses
    }
    while !gate.stopped_within(Duration::from_millis(200)) {
        if Instant::now() >= end || self::parent() != parent {
            break;
        }
    }
    ExitCode::SUCCESS
}

struct Options {
    settings: Settings,
    max_time: Duration,
}

impl Options {
    /// `None` means `--help`.
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self { settings: Settings::default(), max_time: patience(3600) };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--help" => return Ok(None),
                "--rotate" => options.settings.rotate = true,
                "--username" => options.settings.username = value()?,
                "--password" => options.settings.password = value()?,
                "--lifetime" => options.settings.lifetime = number(&name, &value()?)?,
                "--max-seconds" => options.max_time = Duration::from_secs(number::<u32>(&name, &value()?)?.into()),
                _ => return Err(format!("there is no option {name}")),
            }
        }
        Ok(Some(options))
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} needs a whole number, not {text}"))
}

/// The parent's process id. It changes when the parent has ended.
fn parent() -> u32 {
    #[cfg(unix)]
    return std::os::unix::process::parent_id();
    #[cfg(not(unix))]
    return 0;
}
