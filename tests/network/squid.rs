//! A running squid, configured for one test.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::common::server::{Server, free_port};
use crate::common::{Scratch, run, script};
use crate::temporary;

/// The user that squid accepts.
pub const PROXY_USER: &str = "canary-user";
/// The password of this user, as it is written in a URL. The characters after the word are `/#?@: %`.
pub const PROXY_PASSWORD: &str = "canary%2F%23%3F%40%3A%20%25";
/// The line that squid sends to its login program for this user. Squid encodes some of the characters.
const ASKED: &str = "canary-user canary/%23?@:%20%25";

/// The logins that squid offers.
#[derive(Clone, Copy)]
pub enum Login {
    /// No login is needed.
    No,
    /// Basic.
    Basic,
    /// Negotiate and NTLM. A user in a URL cannot log in with them.
    Unsupported,
    /// Negotiate, NTLM and Basic, in this order.
    All,
}

/// Squid and its files.
pub struct Squid {
    _server: Server, // dropped before the segments, which are removed after squid has ended
    _segments: Segments,
    /// The port of the `http` proxy.
    pub port: u16,
    /// The port of the `https` proxy. [`Squid::ca`] has its CA.
    pub tls_port: u16,
    files: Scratch,
}

impl Squid {
    /// Starts squid. `more` is added to its configuration.
    pub fn start(name: &str, login: Login, more: &str) -> Squid {
        let files = temporary(&format!("squid-{name}"));
        let path = |name: &str| files.0.join(name).display().to_string();
        certificate(&files);
        let answer = format!("read line; do\n  echo \"$line\" >>'{}'\n", path("asked"));
        let judge = format!("  if [ \"$line\" = '{ASKED}' ]; then echo OK; else echo ERR; fi\ndone");
        script(&files.0.join("login"), &format!("while {answer}{judge}"));
        let (port, tls_port) = (free_port(), free_port());
        let schemes = match login {
            Login::No => vec![],
            Login::Basic => vec!["basic"],
            Login::Unsupported => vec!["negotiate", "ntlm"],
            Login::All => vec!["negotiate", "ntlm", "basic"],
        };
        let mut lines = vec![
            format!("http_port 127.0.0.1:{port}"),
            format!("https_port 127.0.0.1:{tls_port} tls-cert={} tls-key={}", path("server.pem"), path("server.key")),
            format!("cache_log {}", path("cache.log")),
            format!("coredump_dir {}", files.0.display()),
            "pid_filename none\naccess_log none\ncache deny all\nshutdown_lifetime 0 seconds".to_owned(),
            "pinger_enable off\nvisible_hostname squid.test\nmax_filedescriptors 1024".to_owned(),
        ];
        for scheme in &schemes {
            // Nothing is sent to Negotiate or NTLM, because the client supports neither.
            let program = if *scheme == "basic" { path("login") } else { "/bin/cat".to_owned() };
            lines.push(format!("auth_param {scheme} program {program}"));
            lines.push(format!("auth_param {scheme} children 1 startup=1 idle=1"));
        }
        lines.push(more.to_owned());
        if !schemes.is_empty() {
            lines.push("acl known proxy_auth REQUIRED\nhttp_access deny !known".to_owned());
        }
        lines.push("http_access allow all\n".to_owned());
        fs::write(path("conf"), lines.join("\n")).expect("squid's configuration");
        let segments = Segments(format!("dlauth{port}"));
        let mut squid = Command::new("squid");
        squid.args(["-N", "-d", "1", "-n", &segments.0, "-f"]).arg(path("conf"));
        let server = Server::start(&mut squid, &files.0.join("output")).listens(port).listens(tls_port);
        Squid { _server: server, _segments: segments, port, tls_port, files }
    }

    /// A proxy URL with this user (`user:password` as in a URL), or without a user if `user` is empty.
    pub fn url(&self, user: &str) -> String {
        let at = if user.is_empty() { "" } else { "@" };
        format!("http://{user}{at}127.0.0.1:{}", self.port)
    }

    /// How often a client has sent a user and a password. Squid caches correct ones, so they count once.
    pub fn asked(&self) -> usize {
        fs::read_to_string(self.files.0.join("asked")).unwrap_or_default().lines().count()
    }

    /// The CA of the `https` proxy as PEM.
    pub fn ca(&self) -> String {
        fs::read_to_string(self.files.0.join("ca.pem")).expect("the CA")
    }

    /// Writes a file with this text next to squid's own files.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.0.join(name);
        fs::write(&path, text).expect("a file");
        path
    }
}

/// The name of a squid. The names of its shared memory begin with it. If two squids start at the same moment with the
/// same name, both fail, because each replaces the other's segments.
struct Segments(String);

impl Drop for Segments {
    /// A squid that is killed does not remove its segments.
    fn drop(&mut self) {
        let start = format!("{}-", self.0);
        for segment in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            if segment.file_name().to_string_lossy().starts_with(&start) {
                fs::remove_file(segment.path()).ok();
            }
        }
    }
}

/// Makes a CA, and a certificate from it for `localhost`.
fn certificate(files: &Scratch) {
    let request = |name: &str, arguments: &[&str]| {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(&files.0).args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        openssl.args(["-nodes", "-days", "30", "-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")]);
        run(openssl.args(arguments));
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644); // squid drops root
        fs::set_permissions(files.0.join(format!("{name}.key")), readable).expect("the key's permissions");
    };
    request("ca", &["-subj", "/CN=dl_auth test proxy CA"]);
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
    let issuer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"];
    request("server", &[&["-subj", "/CN=localhost", "-addext", names], &issuer[..]].concat());
}
