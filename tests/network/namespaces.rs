//! Two network namespaces, one for the client and one for the server, joined by a veth pair. Both are removed when the
//! value is dropped.
//!
//! The server's namespace routes. Its routes decide the result of a connection: an address of the server is accepted, a
//! `blackhole` route drops packets silently, and a `prohibit` route answers "administratively prohibited".

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::client::{Answer, Program, ask};
use crate::common::server::Server;
use crate::common::{Scratch, in_a_clean_environment, root, run};
use crate::temporary;
use dl_auth_gate::Gate;

/// An IPv4 address of the server. It is behind a router, so that the resolver does not prefer it (RFC 6724, rule 9).
pub const WORKING_4: &str = "198.51.100.10";
/// An IPv6 address of the server, also behind the router.
pub const WORKING_6: &str = "2001:db8:600d::10";
/// The nth IPv4 address whose packets are dropped silently.
pub fn dead_4(n: usize) -> String {
    format!("192.0.2.{n}")
}
/// The nth IPv6 address whose packets are dropped silently.
pub fn dead_6(n: usize) -> String {
    format!("2001:db8:dead::{n:x}")
}
/// An address for which a router answers "administratively prohibited".
pub const PROHIBITED_6: &str = "2001:db8:f0b::1";

/// The namespaces, and the server's ports that lead to this process.
pub struct Namespaces {
    client: String,
    server: String,
    scratch: Scratch,
    bridge: Option<Server>,
}

impl Namespaces {
    /// Makes the namespaces. `name` makes the names of the tests different.
    pub fn new(name: &str) -> Namespaces {
        let id = std::process::id();
        let [client, server] = ["c", "s"].map(|side| format!("dl_auth-{id}-{name}-{side}"));
        // Interface names have at most 15 characters. Both interfaces exist only in their namespaces.
        let made = Namespaces { client, server, scratch: temporary(&format!("net-{name}")), bridge: None };
        for namespace in [&made.client, &made.server] {
            let added = Command::new("ip").args(["netns", "add", namespace]).output();
            let why = match added {
                Ok(output) if output.status.success() => None,
                Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
                Err(error) => Some(error.to_string()),
            };
            assert!(
                why.is_none(),
                "`ip netns add` failed: {why:?}. These tests make network namespaces. They need the package iproute2 \
                 and root with CAP_SYS_ADMIN and CAP_NET_ADMIN (in a container: --privileged)."
            );
        }
        made.ip(
            None,
            &[
                "link",
                "add",
                "veth",
                "netns",
                &made.client,
                "type",
                "veth",
                "peer",
                "name",
                "veth",
                "netns",
                &made.server,
            ],
        );
        for (namespace, host) in [(&made.client, 1), (&made.server, 2)] {
            made.ip(Some(namespace), &["link", "set", "lo", "up"]);
            made.ip(Some(namespace), &["address", "add", &format!("10.77.0.{host}/24"), "dev", "veth"]);
            let six = format!("2001:db8:77::{host}/64");
            made.ip(Some(namespace), &["address", "add", &six, "dev", "veth", "nodad"]);
            made.ip(Some(namespace), &["link", "set", "veth", "up"]);
        }
        let forward = "for file in ipv4/ip_forward ipv6/conf/all/forwarding; do echo 1 >/proc/sys/net/$file; done";
        run(Command::new("ip").args(["netns", "exec", &made.server, "sh", "-e", "-c", forward]));
        // Each side has the other's link address. Without it, the first packet of a family waits until the other side
        // has sent its link address, and the attempts are sent in another order than they start.
        for (here, there, host, link) in
            [(&made.client, &made.server, 2, "02:00:00:00:00:02"), (&made.server, &made.client, 1, "02:00:00:00:00:01")]
        {
            made.ip(Some(there), &["link", "set", "veth", "address", link]);
            for address in [format!("10.77.0.{host}"), format!("2001:db8:77::{host}")] {
                made.ip(Some(here), &["neighbour", "replace", &address, "lladdr", link, "dev", "veth"]);
            }
        }
        for (family, router) in [("-4", "10.77.0.2"), ("-6", "2001:db8:77::2")] {
            made.ip(Some(&made.client), &[family, "route", "add", "default", "via", router]);
        }
        for address in [WORKING_4, WORKING_6] {
            made.ip(Some(&made.server), &["address", "add", address, "dev", "lo"]);
        }
        for (kind, prefix) in
            [("blackhole", "192.0.2.0/24"), ("blackhole", "2001:db8:dead::/48"), ("prohibit", "2001:db8:f0b::/48")]
        {
            made.ip(Some(&made.server), &["route", "add", kind, prefix]);
        }
        made
    }

    fn ip(&self, namespace: Option<&str>, arguments: &[&str]) {
        let mut ip = Command::new("ip");
        run(ip.args(namespace.map(|namespace| ["-n", namespace]).into_iter().flatten()).args(arguments));
    }

    /// Removes the client's default routes.
    pub fn without_routes(self) -> Namespaces {
        for family in ["-4", "-6"] {
            self.ip(Some(&self.client), &[family, "route", "delete", "default"]);
        }
        self
    }

    /// Forwards ports of the server's namespace to ports of 127.0.0.1 in this namespace. Call it once.
    pub fn forwards(mut self, ports: &[(u16, u16)]) -> Namespaces {
        let mut bridge = Command::new("ip");
        bridge.args(["netns", "exec", &self.server, "python3"]).arg(root().join("tests/network/bridge.py"));
        for (outside, inside) in ports {
            let socket = self.scratch.0.join(outside.to_string());
            bridge.arg(format!("{outside}={}", socket.display()));
            accept(UnixListener::bind(&socket).expect("a Unix socket"), *inside);
        }
        let log = self.scratch.0.join("bridge.log");
        let mut bridge = Server::start(&mut bridge, &log);
        bridge.wait_until(|| fs::read_to_string(&log).is_ok_and(|log| log.contains("ready")));
        self.bridge = Some(bridge);
        self
    }

    /// Runs the program in the client's namespace, in which these names have these addresses in this order. Returns the
    /// answer and the connection attempts in order: address and port.
    pub fn ask(
        &self,
        program: &Program,
        gate: &Gate,
        hosts: &[(&str, &[String])],
        options: &[&str],
    ) -> (Answer, Vec<(String, u16)>) {
        let mounted = [
            ("hosts", self.hosts(hosts)),
            ("host.conf", "multi on\n".to_owned()), // all lines of a name are used
            ("gai.conf", String::new()),            // the order of RFC 6724: IPv6 first
            ("nsswitch.conf", "hosts: files\n".to_owned()),
        ];
        let mut script = String::new();
        for (name, text) in mounted {
            let file = self.scratch.0.join(name);
            fs::write(&file, text).expect("a file of the resolver");
            // A file that does not exist cannot be mounted over. It has the same effect as an empty file.
            script += &format!("[ ! -e /etc/{name} ] || mount --bind '{}' /etc/{name} || exit 1\n", file.display());
        }
        let attempts = Attempts::listen(&self.client);
        let mut command = Command::new("ip");
        in_a_clean_environment(&mut command);
        // `ip netns exec` makes a mount namespace, so the mounts end with the program.
        command.args(["netns", "exec", &self.client, "sh", "-c"]).arg(script + "exec \"$0\" \"$@\"");
        let answer = ask(command.arg(program.path()), gate, options);
        (answer, attempts.all())
    }

    fn hosts(&self, hosts: &[(&str, &[String])]) -> String {
        let lines = hosts.iter().flat_map(|(name, addresses)| addresses.iter().map(move |it| format!("{it} {name}\n")));
        "127.0.0.1 localhost\n".to_owned() + &lines.collect::<String>()
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        drop(self.bridge.take());
        for namespace in [&self.client, &self.server] {
            Command::new("ip").args(["netns", "delete", namespace]).output().ok();
        }
    }
}

/// The connection attempts from a namespace, see `attempts.py`.
struct Attempts {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Attempts {
    fn listen(namespace: &str) -> Attempts {
        let mut python = Command::new("ip");
        python.args(["netns", "exec", namespace, "python3"]).arg(root().join("tests/network/attempts.py"));
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("ip");
        let mut output = BufReader::new(child.stdout.take().expect("the output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        Attempts { child, output }
    }

    fn all(mut self) -> Vec<(String, u16)> {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.output.read_to_string(&mut text).expect("the attempts");
        assert!(self.child.wait().expect("the end of the program").success());
        let attempt =
            |line: &str| line.split_once(' ').map(|(address, port)| (address.to_owned(), port.parse().unwrap()));
        text.lines().map(|line| attempt(line).expect("an attempt")).collect()
    }
}

/// Forwards each connection to a Unix socket to a port of 127.0.0.1. The thread ends with the process.
fn accept(listener: UnixListener, port: u16) {
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            let (Ok(near2), Ok(far2)) = (near.try_clone(), far.try_clone()) else { continue };
            std::thread::spawn(move || copy(near, far, |far| far.shutdown(Shutdown::Write)));
            std::thread::spawn(move || copy(far2, near2, |near: &UnixStream| near.shutdown(Shutdown::Write)));
        }
    });
}

fn copy<From: Read, To: io::Write>(mut from: From, mut to: To, end: impl Fn(&To) -> io::Result<()>) {
    io::copy(&mut from, &mut to).ok();
    end(&to).ok();
}

/// The port of a URL.
pub fn port_of(url: &str) -> u16 {
    let digits = url.rsplit(':').next().and_then(|rest| rest.split('/').next());
    digits.and_then(|port| port.parse().ok()).expect("a port")
}
