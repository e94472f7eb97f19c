//! A small part of HTTP/1.1: reads one request, writes one response. This module does not depend on the rest of the
//! gate.

use crate::counts::Seen;
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::io::{Read, Write};

const LONGEST_HEAD: usize = 64 << 10;
const LONGEST_BODY: usize = 1 << 20;

/// One complete request.
pub(crate) struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The client requests that the connection is closed after the answer.
    pub last: bool,
}

/// The result of reading from the connection.
pub(crate) enum Incoming {
    Request(Request),
    /// The other side has closed or reset the connection.
    Closed,
    /// Not HTTP, or too long: the gate sends an answer with this message and closes.
    Malformed(String),
}

impl Request {
    /// Reads the next request. Bytes after it stay in `rest`.
    pub fn read(wire: &mut (impl Read + Write), rest: &mut Vec<u8>) -> Incoming {
        let (mut request, head) = loop {
            match parse_head(rest) {
                Ok(Some(parsed)) => break parsed,
                Ok(None) if rest.len() > LONGEST_HEAD => return Incoming::Malformed("headers too long".into()),
                Ok(None) => {}
                Err(message) => return Incoming::Malformed(message),
            }
            if !read_more(wire, rest) {
                return Incoming::Closed;
            }
        };
        rest.drain(..head);
        let length = match request.body_length() {
            Ok(length) => length,
            Err(message) => return Incoming::Malformed(message),
        };
        if rest.len() < length && request.header("expect").is_some() {
            let _ = wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").and_then(|()| wire.flush());
        }
        while rest.len() < length {
            if !read_more(wire, rest) {
                return Incoming::Closed;
            }
        }
        request.body = rest.drain(..length).collect();
        Incoming::Request(request)
    }

    /// The value of a header that occurs exactly once. The name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        let first = found.next();
        first.filter(|_| found.next().is_none()).map(|(_, value)| value.as_str())
    }

    /// The path, and the query if the target has a `?`.
    pub fn path_and_query(&self) -> (&str, Option<&str>) {
        match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&self.target, None),
        }
    }

    pub fn seen(&self) -> Seen {
        Seen {
            method: self.method.clone(),
            target: self.target.clone(),
            headers: self.headers.clone(),
            body: String::from_utf8_lossy(&self.body).into_owned(),
        }
    }

    fn body_length(&self) -> Result<usize, String> {
        if self.headers.iter().any(|(name, _)| name == "transfer-encoding") {
            return Err("a request must have a Content-Length, not a Transfer-Encoding".into());
        }
        if !self.headers.iter().any(|(name, _)| name == "content-length") {
            return Ok(0);
        }
        let length = self.header("content-length").and_then(|value| value.parse().ok());
        length.filter(|&n| n <= LONGEST_BODY).ok_or_else(|| "Content-Length is not valid or too large".into())
    }
}

fn read_more(wire: &mut impl Read, rest: &mut Vec<u8>) -> bool {
    let mut chunk = [0; 4096];
    match wire.read(&mut chunk) {
        Ok(0) | Err(_) => false,
        Ok(n) => {
            rest.extend_from_slice(&chunk[..n]);
            true
        }
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<(Request, usize)>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(e) => return Err(format!("not an HTTP request: {e}")),
    };
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let mut request = Request {
        method: parsed.method.unwrap_or_default().into(),
        target: parsed.path.unwrap_or_default().into(),
        headers: parsed.headers.iter().map(|h| (h.name.to_ascii_lowercase(), text(h.value))).collect(),
        body: Vec::new(),
        last: parsed.version == Some(0),
    };
    request.last |= request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(Some((request, length)))
}

/// One response, before it is converted to bytes.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What every response of a connection has in addition to its own headers.
#[derive(Clone, Default)]
pub(crate) struct Extras {
    /// The `Date`, in Unix seconds.
    pub date: Option<i64>,
    /// `Connection: close`.
    pub close: bool,
}

impl Response {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }.with("Content-Type", content_type)
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// Sets a header. It replaces a header of the same name.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn gzip(mut self) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let _ = encoder.write_all(&self.body); // a Vec accepts everything
        self.body = encoder.finish().unwrap_or_default();
        self.with("Content-Encoding", "gzip")
    }

    /// Splits the body into chunks of 64 bytes.
    pub fn chunked(mut self) -> Self {
        let mut framed = Vec::new();
        for chunk in self.body.chunks(64) {
            framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            framed.extend_from_slice(chunk);
            framed.extend_from_slice(b"\r\n");
        }
        framed.extend_from_slice(b"0\r\n\r\n");
        self.body = framed;
        self.with("Transfer-Encoding", "chunked")
    }

    /// The bytes for the connection. A header that the response already has is not added again.
    pub fn bytes(self, extras: &Extras) -> Vec<u8> {
        let length = self.body.len().to_string();
        let mut response = self;
        if !response.has("transfer-encoding") && response.status != 204 {
            response = response.or("Content-Length", length);
        }
        if let Some(date) = extras.date {
            response = response.or("Date", imf_date(date));
        }
        if extras.close {
            response = response.or("Connection", "close".into());
        }
        let mut bytes = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status)).into_bytes();
        for (name, value) in &response.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&response.body);
        bytes
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    fn or(self, name: &str, value: String) -> Self {
        if self.has(name) { self } else { self.with(name, value) }
    }
}

/// A date in the format of headers, from Unix seconds. A year outside 1970 to 9999 is moved to the nearest limit.
pub(crate) fn imf_date(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0).min(253_402_300_799);
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Ordered",
    }
}
