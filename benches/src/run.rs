//! The measured programs: they start in a clean environment, answer line by line, and end within a limit. Their CPU
//! time is counted.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use dl_auth_gate::patience;

/// A result, or a sentence about the failure.
pub type Outcome<T> = Result<T, String>;

/// A program whose environment has only `PATH`.
pub fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// Runs a tool that must succeed, and returns its output.
pub fn tool(command: &mut Command) -> Outcome<String> {
    let name = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        return Err(format!("{name}: {}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr)));
    }
    Ok(text(&output.stdout))
}

/// A running program. It is killed if it is dropped before its end.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<(Instant, String)>,
    began: Instant,
    /// Ends a program that hangs.
    limit: Duration,
    ended: bool,
}

impl Process {
    pub fn start(command: &mut Command) -> Outcome<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let began = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name} cannot be started: {error}"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines()).map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name, child, stdin, lines, began, limit: patience(600), ended: false })
    }

    /// The next line that it prints, and the time since its start.
    pub fn line(&mut self) -> Outcome<(Duration, String)> {
        let (at, line) = self.lines.recv_timeout(self.limit).map_err(|_| self.failure("no answer"))?;
        Ok((at - self.began, line))
    }

    /// The next line as `N` numbers.
    pub fn numbers<const N: usize>(&mut self) -> Outcome<[f64; N]> {
        let (_, line) = self.line()?;
        let numbers: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        numbers.try_into().map_err(|_| self.failure(&format!("an answer without its {N} numbers: {line:?}")))
    }

    /// Writes a line, and returns the numbers of the answer.
    pub fn ask<const N: usize>(&mut self, question: &str) -> Outcome<[f64; N]> {
        let asked = self.stdin.as_mut().map(|stdin| writeln!(stdin, "{question}").and_then(|()| stdin.flush()));
        match asked {
            Some(Ok(())) => self.numbers(),
            _ => Err(self.failure("it does not read its input")),
        }
    }

    /// Waits until the program ends, which must be with status 0. Returns the CPU time that it has used, including all
    /// its threads and the kernel's work for it.
    pub fn end(mut self) -> Outcome<Duration> {
        self.stdin = None;
        match self.wait() {
            Some((0, cpu)) => Ok(cpu),
            Some((exit, _)) => Err(format!("{} ended with status {exit:#x}", self.name)),
            None => Err(self.failure("it does not end")),
        }
    }

    /// Ends the program if it still runs, and returns the error message.
    fn failure(&mut self, what: &str) -> String {
        if !self.ended {
            std::thread::sleep(Duration::from_millis(100)); // it may be about to end
            self.kill();
        }
        format!("{}: {what}; see its stderr", self.name)
    }

    fn kill(&mut self) {
        self.child.kill().ok();
        self.wait();
    }

    /// The status and the CPU time of the ended program. `None` if it does not end within the limit.
    fn wait(&mut self) -> Option<(i32, Duration)> {
        let mut status = 0;
        // SAFETY: `rusage` consists of numbers, for which zero is a valid value.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        let until = Instant::now() + self.limit;
        let waited = loop {
            let (process, options) = (self.child.id() as libc::pid_t, libc::WNOHANG);
            // SAFETY: both pointers are to variables of the right type. The process is a child, and no other call has
            // waited for it: `ended` is false.
            match unsafe { libc::wait4(process, &mut status, options, &mut usage) } {
                0 if Instant::now() > until => return None,
                0 => std::thread::sleep(Duration::from_millis(1)),
                waited => break waited,
            }
        };
        self.ended = true;
        let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
        Some((if waited > 0 { status } else { -1 }, time(usage.ru_utime) + time(usage.ru_stime)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        Process::start(clean("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn a_program_answers_a_line() {
        let mut process = shell("while read a b; do echo $b $a; done");
        assert_eq!(process.ask("1 2.5"), Ok([2.5, 1.0]));
        assert_eq!(process.ask("7 8"), Ok([8.0, 7.0]));
        process.end().unwrap();
    }

    #[test]
    fn a_program_that_fails_answers_wrongly_or_does_not_exist_is_an_error() {
        assert!(shell("exit 3").end().unwrap_err().contains("0x300"));
        assert!(shell("exit 3").numbers::<1>().unwrap_err().contains("no answer"));
        assert!(shell("echo 1 2").numbers::<3>().unwrap_err().contains("its 3 numbers: \"1 2\""));
        assert!(Process::start(&mut clean("/no/such/program")).is_err());
        assert!(tool(clean("sh").args(["-c", "echo why >&2; exit 1"])).unwrap_err().contains("why"));
    }

    #[test]
    fn a_program_that_is_silent_or_does_not_end_is_killed() {
        let limited = |script| {
            let mut process = shell(script);
            process.limit = Duration::from_millis(50);
            process
        };
        assert!(limited("exec sleep 60").line().unwrap_err().contains("no answer"));
        assert!(limited("exec sleep 60 >/dev/null").end().unwrap_err().contains("does not end"));
        assert!(limited("while sleep 0.01; do echo; done").end().unwrap_err().contains("does not end"));
    }

    #[test]
    fn the_cpu_of_a_program_is_counted() {
        let idle = shell("exec sleep 0.01").end().unwrap();
        let busy = shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done").end().unwrap();
        assert!(busy > idle && idle > Duration::ZERO, "{busy:?} {idle:?}");
    }

    #[test]
    fn a_clean_environment_has_only_the_path() {
        let shown = tool(clean("sh").args(["-c", "env"])).unwrap();
        let names: Vec<_> = shown.lines().filter_map(|line| line.split('=').next()).collect();
        assert!(names.contains(&"PATH") && !names.contains(&"HOME"), "{shown}");
    }
}
