//! Processes that share a store: `member.c` with the library as it is released.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::common::{Scratch, in_a_clean_environment, library, root, run};
use dl_auth_gate::{Gate, Settings};

/// The gate's user. Each secret of these tests contains the word "canary".
pub const USER: &str = "canary-bot@example.com";
/// The password of this user.
pub const PASSWORD: &str = "canary horse battery staple";

/// A gate that accepts [`USER`].
pub fn gate(settings: Settings) -> Gate {
    Gate::start_with(Settings { username: USER.to_owned(), password: PASSWORD.to_owned(), ..settings })
}

/// The compiled program, and a directory for the files of the test.
pub struct Program {
    path: PathBuf,
    pub scratch: Scratch,
}

impl Program {
    /// Compiles the program. `name` makes the directories of the tests different.
    pub fn compile(name: &str) -> Program {
        let scratch = Scratch::new(&format!("store-{name}"));
        let path = scratch.0.join("member");
        let mut gcc = Command::new("gcc");
        gcc.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-pthread"]);
        gcc.arg("-I").arg(root().join("include")).arg(root().join("tests/store/member.c"));
        gcc.arg("-o").arg(&path).arg("-L").arg(library()).arg("-ldl_auth");
        run(gcc.arg(format!("-Wl,-rpath,{}", library().display())));
        Program { path, scratch }
    }

    /// A directory that does not exist yet, as the value of the option `store`.
    pub fn directory(&self, name: &str) -> String {
        format!("file:{}", self.scratch.0.join(name).display())
    }

    /// Starts a process. Its handle is not made yet.
    fn start(&self, gate: &Gate, store: &str, options: &[(&str, &str)]) -> Member {
        let mut command = Command::new(&self.path);
        in_a_clean_environment(&mut command);
        command.env("DL_AUTH_URL", gate.url()).env("DL_AUTH_CA_FILE", gate.ca_file()).env("DL_AUTH_STORE", store);
        command.env("DL_AUTH_USERNAME", USER).env("DL_AUTH_PASSWORD", PASSWORD).env("DL_AUTH_PROXY", "none");
        // Generous, because a loaded machine starts hundreds of processes.
        command.env("DL_AUTH_TIMEOUT", "120s").env("DL_AUTH_WAIT", "120s");
        command.envs(options.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Member { child, input: Some(input), output }
    }

    /// Starts a process, and waits until it has made its handle.
    pub fn member(&self, gate: &Gate, store: &str, options: &[(&str, &str)]) -> Member {
        let mut member = self.start(gate, store, options);
        member.is_ready();
        member
    }

    /// Starts processes, and waits until all have made their handles.
    pub fn fleet(&self, number: usize, gate: &Gate, store: &str, options: &[(&str, &str)]) -> Vec<Member> {
        let mut members: Vec<Member> = (0..number).map(|_| self.start(gate, store, options)).collect();
        members.iter_mut().for_each(Member::is_ready);
        members
    }
}

/// A process. Dropping it kills it.
pub struct Member {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Member {
    /// Waits until the handle is made.
    fn is_ready(&mut self) {
        assert_eq!(self.line(), "ready");
    }

    /// Sends a command.
    pub fn tell(&mut self, command: &str) {
        writeln!(self.input.as_ref().unwrap(), "{command}").unwrap();
    }

    /// Reads a line.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Sends a command and reads a line.
    pub fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.line()
    }

    /// Requests a token, which the call must get.
    #[track_caller]
    pub fn token(&mut self) -> String {
        let told = self.ask("token");
        told.strip_prefix("DL_AUTH_OK 0 ").unwrap_or_else(|| panic!("{told}")).to_owned()
    }

    /// The counts: logins, refreshes, tokens from the store, failures of the store.
    pub fn counts(&mut self) -> [u64; 4] {
        let told = self.ask("counts");
        let mut counts = told.splitn(5, ' ').map(|count| count.parse().unwrap_or(0));
        std::array::from_fn(|_| counts.next().unwrap())
    }

    /// The last message of the store.
    pub fn store_message(&mut self) -> String {
        self.ask("counts").splitn(5, ' ').nth(4).unwrap_or_default().to_owned()
    }

    /// Kills the process, and waits for its end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until the process has killed itself.
    pub fn has_killed_itself(&mut self) {
        let limit = std::time::Instant::now() + crate::common::patience(300); // only detects a hang
        while self.child.try_wait().unwrap().is_none() {
            assert!(std::time::Instant::now() < limit, "the process has not killed itself");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let status = self.child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.input = None;
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Lets all members request a token at the same time. Returns the different answers.
pub fn tokens_at_once(members: &mut [Member]) -> BTreeSet<String> {
    members.iter_mut().for_each(|member| member.tell("token"));
    members.iter_mut().map(Member::line).collect()
}

/// Each file of a store, with its content.
pub fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut files: Vec<_> = entries.map(|path| (name(&path), std::fs::read(&path).unwrap())).collect();
    files.sort();
    files
}
