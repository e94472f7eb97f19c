//! One nginx with a server for each row, `openssl s_server` for the rows that nginx cannot do, and a proxy that
//! connects every name to this machine.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::common::server::{Server, free_port};
use crate::pki::Pki;
use crate::rows::{By, Row};

/// The servers of all rows. They end when this is dropped.
pub struct Servers {
    /// In the order of the rows.
    pub ports: Vec<u16>,
    /// The URL of the proxy.
    pub proxy: String,
    _running: Vec<Server>,
}

impl Servers {
    pub fn start(pki: &Pki, rows: &[Row]) -> Servers {
        // Debian's default refuses short keys, SHA-1 and old versions, which some rows test.
        let lenient = "openssl_conf=o\n[o]\nssl_conf=s\n[s]\nsystem_default=d\n[d]\nMinProtocol=TLSv1\n\
                       CipherString=DEFAULT:@SECLEVEL=0\n";
        let lenient_file = pki.path("lenient.cnf");
        fs::write(&lenient_file, lenient).unwrap();
        let ports: Vec<u16> = rows.iter().map(|_| free_port()).collect();

        let mut nginx = String::new();
        let mut running = Vec::new();
        for (index, (row, port)) in rows.iter().zip(&ports).enumerate() {
            let certificate = pki.join(row.sends);
            let key = pki.path(&format!("{}.key", row.sends[0]));
            let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
            match row.by {
                By::Nginx(more) => write!(
                    nginx,
                    "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};\n\
                     {more}\nlocation /token {{ return 200 '{}'; }} }}\n",
                    answer()
                )
                .unwrap(),
                By::PlainNginx => {
                    writeln!(nginx, "server {{ listen 127.0.0.1:{port}; }}").unwrap();
                }
                By::OpenSsl(options) => {
                    let mut command = Command::new("openssl");
                    command.current_dir(pki.directory()).env("OPENSSL_CONF", &lenient_file);
                    command.args(["s_server", "-quiet", "-www", "-accept", &format!("127.0.0.1:{port}")]);
                    command.args(["-cert", certificate, "-key", key]).args(options);
                    running
                        .push(Server::start(&mut command, &pki.path(&format!("s_server-{index}.log"))).listens(*port));
                }
            }
        }
        let is_nginx = |(row, _): &(&Row, &u16)| !matches!(row.by, By::OpenSsl(_));
        let (_, last) = rows.iter().zip(&ports).rfind(is_nginx).unwrap();
        running.push(start_nginx(pki, &nginx, &lenient_file, *last));
        Servers { ports, proxy: start_proxy(), _running: running }
    }
}

fn start_nginx(pki: &Pki, servers: &str, openssl: &Path, last: u16) -> Server {
    let directory = pki.directory().display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {directory}/{kind};\n"))
        .concat();
    let text = format!(
        "daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr info;\n\
         events {{ worker_connections 512; }}\n\
         http {{ access_log off; default_type application/json; {temporary} {servers} }}\n"
    );
    let file = pki.path("nginx.conf");
    fs::write(&file, text).unwrap();
    let mut command = Command::new("nginx");
    command.env("OPENSSL_CONF", openssl).arg("-c").arg(&file).args(["-e", "stderr"]);
    Server::start(&mut command, &pki.path("nginx.log")).listens(last)
}

/// A token answer, with a JWT that expires in 2100.
fn answer() -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let jwt = format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(r#"{"exp":4102444800}"#), part("signature"));
    format!(r#"{{"id_token":"{jwt}"}}"#)
}

/// Starts a proxy that connects every CONNECT to the requested port of this machine. Returns its URL.
fn start_proxy() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().flatten().for_each(|client| drop(thread::spawn(|| tunnel(client)))));
    url
}

fn tunnel(mut client: TcpStream) -> Option<()> {
    let mut head =
        BufReader::new(client.try_clone().ok()?).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let port = head.next()?.split(' ').nth(1)?.rsplit(':').next()?.parse::<u16>().ok()?;
    head.for_each(drop);
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let (mut from_server, mut to_client) = (server.try_clone().ok()?, client.try_clone().ok()?);
    thread::spawn(move || std::io::copy(&mut from_server, &mut to_client));
    std::io::copy(&mut client, &mut server).ok()?;
    Some(())
}
