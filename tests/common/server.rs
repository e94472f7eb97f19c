//! A server program that a test starts, such as nginx or squid. It ends with the test.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

/// A running server. Dropping it ends the process.
pub struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts the program in the foreground. Its output goes to `log`. The caller then waits for it, see `listens`.
    pub fn start(command: &mut Command, log: &Path) -> Server {
        let output = std::fs::File::create(log).expect("a log file");
        let errors = output.try_clone().expect("a second handle to the log file");
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; `make setup` installs what the tests need"));
        Server { child, log: log.to_owned() }
    }

    /// Starts the program like `start`, and blocks until it accepts connections on this port of 127.0.0.1.
    pub fn listens(mut self, port: u16) -> Server {
        self.wait_until(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        self
    }

    /// Blocks until `ready`. Fails the test if the server ends before that.
    pub fn wait_until(&mut self, ready: impl Fn() -> bool) {
        let limit = Instant::now() + super::patience(600); // this limit only detects a hang
        while !ready() {
            let ended = self.child.try_wait().expect("the state of the server");
            assert!(ended.is_none() && Instant::now() < limit, "the server did not start: {ended:?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The output of the server.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A port of 127.0.0.1 that no process listens on at this moment. Each call returns a different port. The ports are
/// below the range from which the kernel chooses the ports of connections, because a busy machine has many connections.
/// Each process begins with a different port.
pub fn free_port() -> u16 {
    static LEFT: LazyLock<Mutex<Range<u16>>> = LazyLock::new(|| {
        let first = 10_000 + u16::try_from(std::process::id() % 200).expect("below 200") * 100;
        Mutex::new(first..32_000)
    });
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    LEFT.lock().expect("the ports that are left").find(free).expect("a free port below 32000")
}
