//! A running Redis server, configured for one test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use crate::common::Scratch;
use crate::common::server::{Server, free_port};

/// Redis and its files.
pub struct Redis {
    server: Option<Server>,
    /// The port of the server.
    pub port: u16,
    arguments: Vec<String>,
    files: Scratch,
}

impl Redis {
    /// Starts a server. `more` is added to its command line.
    pub fn start(name: &str, more: &[&str]) -> Redis {
        let files = Scratch::new(&format!("redis-{name}"));
        let arguments = more.iter().map(|argument| (*argument).to_owned()).collect();
        let mut redis = Redis { server: None, port: free_port(), arguments, files };
        redis.start_again();
        redis
    }

    /// Starts the server again, on the same port, without data.
    pub fn start_again(&mut self) {
        let mut command = Command::new("redis-server");
        command.current_dir(&self.files.0);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]);
        let is_tls = self.arguments.iter().any(|argument| argument == "--tls-port");
        if !is_tls {
            command.args(["--port", &self.port.to_string()]);
        }
        let port = self.port.to_string();
        command.args(self.arguments.iter().map(|argument| if argument == "PORT" { &port } else { argument }));
        let log = self.files.0.join("log");
        self.server = Some(Server::start(&mut command, &log).listens(self.port));
    }

    /// Ends the server.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// The URL, as the value of the option `store`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A file of the server.
    pub fn path(&self, name: &str) -> PathBuf {
        self.files.0.join(name)
    }

    /// A connection, for commands in their simple form.
    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).unwrap()
    }

    /// Sends one command and reads the beginning of its answer.
    pub fn command(&self, command: &str) -> String {
        let mut connection = self.connect();
        connection.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut answer = vec![0; 1 << 20];
        let length = connection.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    /// The keys of the records.
    pub fn records(&self) -> Vec<String> {
        let keys = self.command("KEYS dl_auth:*");
        keys.lines()
            .filter(|line| line.starts_with("dl_auth:") && !line.ends_with(":lock"))
            .map(str::to_owned)
            .collect()
    }

    /// The value of a key. `None`: there is no such key.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.exchange(&[b"GET", key.as_bytes()])
    }

    /// Replaces a key by this value. It has no end.
    pub fn set(&self, key: &str, value: &[u8]) {
        assert_eq!(self.exchange(&[b"SET", key.as_bytes(), value]).unwrap(), b"+OK");
    }

    /// Sends one command of any bytes. Returns the string or the line that is its answer.
    fn exchange(&self, words: &[&[u8]]) -> Option<Vec<u8>> {
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            command.extend_from_slice(&[format!("${}\r\n", word.len()).as_bytes(), word, b"\r\n"].concat());
        }
        let mut connection = BufReader::new(self.connect());
        connection.get_mut().write_all(&command).unwrap();
        let mut line = String::new();
        connection.read_line(&mut line).unwrap();
        let Some(length) = line.trim_end().strip_prefix('$') else { return Some(line.trim_end().into()) };
        let mut value = vec![0; usize::try_from(length.parse::<i64>().unwrap()).ok()?];
        connection.read_exact(&mut value).unwrap();
        Some(value)
    }
}
