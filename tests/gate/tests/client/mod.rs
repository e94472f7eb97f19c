//! A client written for these tests, over rustls and plain TCP. It hides nothing that it receives.

#![allow(dead_code, missing_docs)] // each test file uses a part

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dl_auth_gate::{Gate, patience};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

pub const USERNAME: &str = "bot@example.com";
pub const PASSWORD: &str = "correct horse battery staple";

pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// `host:port` of a URL.
pub fn authority(url: &str) -> &str {
    url.split('/').nth(2).unwrap()
}

pub fn tcp(url: &str) -> TcpStream {
    let stream = TcpStream::connect(authority(url).replace("localhost", "127.0.0.1")).unwrap();
    stream.set_read_timeout(Some(patience(900))).unwrap();
    stream
}

/// A finished handshake with `localhost` that trusts only the CA.
pub fn tls_over(tcp: TcpStream, ca_file: &Path, name: &str) -> io::Result<Tls> {
    let mut roots = RootCertStore::empty();
    for cert in CertificateDer::pem_file_iter(ca_file).unwrap() {
        roots.add(cert.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

pub fn tls(gate: &Gate, url: &str) -> io::Result<Tls> {
    tls_over(tcp(url), gate.ca_file(), "localhost")
}

pub fn connect(gate: &Gate) -> Tls {
    tls(gate, gate.url()).unwrap()
}

pub fn post(body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST /token?default HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub fn login_body() -> Value {
    json!({"username": USERNAME, "password": PASSWORD, "type": "user_credentials"})
}

pub fn refresh_body(refresh_token: &str) -> Value {
    json!({"type": "refresh_token", "refresh_token": refresh_token})
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub fn text(&self, field: &str) -> String {
        self.json()[field].as_str().unwrap_or_else(|| panic!("no {field}: {self:?}")).to_owned()
    }

    pub fn claims(&self) -> Value {
        claims(&self.text("id_token"))
    }
}

pub fn claims(token: &str) -> Value {
    let parts: Vec<_> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    assert_eq!((parts.len(), parts[2].len()), (3, 256), "{token}");
    let header: Value = serde_json::from_slice(&parts[0]).unwrap();
    assert_eq!((header["alg"].as_str(), header["typ"].as_str()), (Some("RS256"), Some("JWT")));
    serde_json::from_slice(&parts[1]).unwrap()
}

/// Sends a request and reads one complete answer (by Content-Length or chunks).
pub fn exchange(wire: &mut (impl Read + Write), request: &str) -> io::Result<Answer> {
    wire.write_all(request.as_bytes())?;
    wire.flush()?;
    read_answer(wire)
}

pub fn read_answer(wire: &mut impl Read) -> io::Result<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(byte(wire)?);
    }
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().and_then(|l| l.strip_prefix("HTTP/1.1 ")).and_then(|l| l.get(..3)?.parse().ok());
    let headers = lines.map(|l| l.split_once(": ").map(|(n, v)| (n.to_owned(), v.to_owned())).unwrap()).collect();
    let mut answer = Answer { status: status.ok_or(io::ErrorKind::InvalidData)?, headers, body: Vec::new() };
    if answer.header("transfer-encoding") == Some("chunked") {
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(byte(wire)?);
            }
            let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim_end(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            wire.read_exact(&mut chunk)?;
            answer.body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return Ok(answer);
            }
        }
    }
    let length = answer.header("content-length").map_or(0, |v| v.parse().unwrap());
    answer.body = vec![0; length];
    wire.read_exact(&mut answer.body)?;
    Ok(answer)
}

fn byte(wire: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    wire.read_exact(&mut byte).map(|()| byte[0])
}

/// Reads to the end. Returns the bytes, and how they ended.
pub fn read_all(wire: &mut impl Read) -> (Vec<u8>, io::Result<()>) {
    let mut all = Vec::new();
    let end = wire.read_to_end(&mut all).map(drop);
    (all, end)
}

/// A login on a separate connection.
pub fn login(gate: &Gate) -> Answer {
    exchange(&mut connect(gate), &post(&login_body())).unwrap()
}

pub fn refresh(gate: &Gate, refresh_token: &str) -> Answer {
    exchange(&mut connect(gate), &post(&refresh_body(refresh_token))).unwrap()
}

/// One call to the control endpoint.
pub fn control(url: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = exchange(&mut tcp(url), &request).unwrap();
    assert_eq!(answer.header("connection"), Some("close"));
    (answer.status, answer.json())
}
