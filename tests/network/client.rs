//! The client of these tests: `ask.c` with the library as it is released.

use std::path::PathBuf;
use std::process::Command;

use crate::common::{Scratch, in_a_clean_environment, library, root, run};
use dl_auth_gate::{Gate, Settings};

/// The gate's user. Each secret of these tests contains the word "canary".
pub const USER: &str = "canary-bot@example.com";
/// The password of this user.
pub const PASSWORD: &str = "canary horse battery staple";

/// A gate that accepts [`USER`].
pub fn gate() -> Gate {
    Gate::start_with(Settings { username: USER.to_owned(), password: PASSWORD.to_owned(), ..Settings::default() })
}

/// The output of the program.
#[derive(Debug)]
pub struct Answer {
    /// The name of the status.
    pub status: String,
    /// The HTTP status, or 0.
    pub http_status: u16,
    /// The token, or the message.
    pub text: String,
}

impl Answer {
    /// Returns whether the program got a token.
    pub fn has_token(&self) -> bool {
        self.status == "DL_AUTH_OK" && self.text.starts_with("eyJ")
    }

    /// Asserts the status, the HTTP status, and words of the message.
    #[track_caller]
    pub fn is_refused(&self, status: &str, http_status: u16, words: &[&str]) {
        assert_eq!((self.status.as_str(), self.http_status), (status, http_status), "{self:?}");
        for word in words {
            assert!(self.text.contains(word), "the message must contain {word:?}: {self:?}");
        }
    }
}

/// The compiled program.
pub struct Program {
    path: PathBuf,
    _scratch: Scratch,
}

impl Program {
    /// Compiles the program. `name` makes the directories of the tests different.
    pub fn compile(name: &str) -> Program {
        let scratch = Scratch::new(&format!("network-{name}"));
        let path = scratch.0.join("ask");
        let mut gcc = Command::new("gcc");
        gcc.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1"]);
        gcc.arg("-I").arg(root().join("include")).arg(root().join("tests/network/ask.c"));
        gcc.arg("-o").arg(&path).arg("-L").arg(library()).arg("-ldl_auth");
        run(gcc.arg(format!("-Wl,-rpath,{}", library().display())));
        Program { path, _scratch: scratch }
    }

    /// The file of the program.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Runs the program in this network namespace, with these environment variables.
    pub fn ask(&self, gate: &Gate, options: &[&str], environment: &[(&str, &str)]) -> Answer {
        let mut command = Command::new(&self.path);
        let command = in_a_clean_environment(&mut command);
        ask(command.envs(environment.iter().copied()), gate, options)
    }
}

/// Runs the program with this command. `options` follow the options for a login at this gate.
pub fn ask(command: &mut Command, gate: &Gate, options: &[&str]) -> Answer {
    command.arg(format!("username={USER}")).arg(format!("password={PASSWORD}"));
    command.arg(format!("url={}", gate.url())).arg(format!("ca_file={}", gate.ca_file().display()));
    // The machine may be busy. A test in which a time limit must expire sets a shorter one.
    command.args(["wait=10m", "timeout=10m", "connect_timeout=5m"]);
    let told = run(command.arg("tls_roots=ca_file_only").args(options));
    let lines: Vec<&str> = told.lines().collect();
    let [status, http_status, text] = lines[..] else { panic!("not three lines: {told}") };
    let answer = Answer {
        status: status.to_owned(),
        http_status: http_status.parse().expect("a number"),
        text: text.to_owned(),
    };
    if !answer.has_token() {
        assert_no_secret(&answer.text);
    }
    answer
}

/// Asserts that the message contains no secret in any encoding, and is one line of at most 512 bytes.
#[track_caller]
fn assert_no_secret(message: &str) {
    assert!(!message.is_empty() && message.len() <= 512, "{} bytes: {message}", message.len());
    for secret in ["canary", "eyj", "basic y2fuyxj5"] {
        assert!(!message.to_lowercase().contains(secret), "the message contains {secret:?}: {message}");
    }
}
