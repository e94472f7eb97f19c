//! Converts a behaviour into the bytes of the answer. Pure: the caller supplies the well-behaved answer and the time.

use crate::behave::{Behaviour, Overrides, Status};
use crate::http::{Extras, Response, imf_date};
use serde_json::{Value, json};
use std::time::Duration;

/// The well-behaved answer to a token request, perhaps with overrides.
pub(crate) struct Answer {
    pub status: u16,
    pub body: Value,
    /// The token in the answer, if the gate minted it.
    pub token: Option<String>,
}

/// Bytes, and how to write them.
#[derive(Debug, PartialEq)]
pub(crate) struct Reply {
    pub bytes: Vec<u8>,
    /// Write this many bytes at a time, with a pause between.
    pub pace: Option<(usize, Duration)>,
    pub end: End,
    /// Counted as issued when all bytes are written.
    pub token: Option<String>,
}

/// What happens to the connection after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It accepts the next request.
    Open,
    /// TLS close_notify, then FIN.
    Close,
    /// FIN, without a TLS close_notify before it.
    Abrupt,
    /// TCP RST.
    Reset,
}

const CAPTIVE_PORTAL: &str = "<!DOCTYPE html><html><head><title>Welcome to the Wi-Fi</title></head><body>\
    <form method=\"post\"><button>Accept the terms</button></form></body></html>";
const BAD_UTF8: &[u8] = b"{\"access_token\":\"a\",\"id_token\":\"eyJ\xff\xfe\xc3.e30.AA\",\"refresh_token\":\"r\"}";
const GARBAGE: &[u8] = b"\x00\xff\x16\x03 this is not HTTP \xde\xad\xbe\xef\r\n\r\n";

impl Reply {
    /// The reply of `behaviour`. `answer` is called at most once, and only if a normal answer is part of the reply.
    /// `now` is the gate's clock as the `Date` header shows it.
    pub fn to(behaviour: &Behaviour, answer: impl FnOnce(&Overrides) -> Answer, extras: &Extras, now: i64) -> Self {
        let normal = Overrides::default();
        let whole = |response: Response| Self::whole(response, extras);
        match behaviour {
            Behaviour::Ok(overrides) => {
                let Answer { status, body, token } = answer(overrides);
                let mut response = Response::json(status, &body);
                match overrides.encoding {
                    Some("gzip") => response = response.gzip(),
                    Some(_) => response = response.chunked(),
                    None => {}
                }
                let reply = whole(response).issuing(token);
                if overrides.close_after { reply.ending(End::Close) } else { reply }
            }
            Behaviour::Status(status) => whole(status.response(now)),
            Behaviour::Html => whole(Response::new(200, "text/html", CAPTIVE_PORTAL)),
            Behaviour::Empty => whole(Response::new(200, "application/json", "")),
            Behaviour::Truncated { missing } => {
                let Answer { status, body, .. } = answer(&normal);
                let response = Response::json(status, &body);
                let claimed = (response.body.len() + missing).to_string();
                whole(response.with("Content-Length", claimed)).ending(End::Close)
            }
            Behaviour::Overlong { bytes } => {
                let Answer { status, body, token } = answer(&normal);
                whole(Response::json(status, &padded(body, *bytes))).issuing(token)
            }
            Behaviour::OverlongHeaders { bytes } => {
                let Answer { status, body, token } = answer(&normal);
                let mut response = Response::json(status, &body);
                for line in 0..bytes.div_ceil(1024) {
                    let name = format!("X-Padding-{line}");
                    let value = "x".repeat(1024 - name.len() - 4);
                    response.headers.push((name, value));
                }
                whole(response).issuing(token)
            }
            Behaviour::Slow { bytes, delay } => {
                let Answer { status, body, token } = answer(&normal);
                let reply = whole(Response::json(status, &body)).issuing(token);
                Self { pace: Some((*bytes, *delay)), ..reply }
            }
            Behaviour::Hang { then } => Self::to(then, answer, extras, now),
            Behaviour::Reset { after: 0 } => Self::raw(Vec::new(), End::Reset),
            Behaviour::Reset { after } => {
                let Answer { status, body, .. } = answer(&normal);
                let mut bytes = Response::json(status, &body).bytes(extras);
                bytes.truncate(*after);
                Self::raw(bytes, End::Reset)
            }
            Behaviour::Close => Self::raw(Vec::new(), End::Close),
            Behaviour::BadUtf8 => whole(Response::new(200, "application/json", BAD_UTF8)),
            Behaviour::Garbage => Self::raw(GARBAGE.to_vec(), End::Close),
            Behaviour::Abrupt { head, body: Some(body) } => Self::raw(format!("{head}{body}").into(), End::Abrupt),
            Behaviour::Abrupt { head, body: None } => {
                let Answer { body, token, .. } = answer(&normal);
                Self::raw(format!("{head}{body}").into(), End::Abrupt).issuing(token)
            }
        }
    }

    /// A complete response.
    pub fn whole(response: Response, extras: &Extras) -> Self {
        Self::raw(response.bytes(extras), if extras.close { End::Close } else { End::Open })
    }

    fn raw(bytes: Vec<u8>, end: End) -> Self {
        Self { bytes, pace: None, end, token: None }
    }

    fn issuing(self, token: Option<String>) -> Self {
        Self { token, ..self }
    }

    fn ending(self, end: End) -> Self {
        Self { end, ..self }
    }
}

impl Status {
    fn response(&self, now: i64) -> Response {
        let body = match (&self.body, self.status) {
            (Some(body), _) => body.clone(),
            (None, 100..200 | 204 | 304) => String::new(),
            (None, status) => json!({"status": status, "message": "ordered by the plan"}).to_string(),
        };
        let mut response = Response::new(self.status, &self.content_type, body);
        if let Some(seconds) = self.retry_after_date_in {
            response = response.with("Retry-After", imf_date(now.saturating_add(seconds)));
        }
        self.headers.iter().fold(response, |response, (name, value)| response.with(name, value))
    }
}

/// Adds a field before the others until the JSON has exactly this length, unless it is already longer.
fn padded(mut body: Value, length: usize) -> Value {
    body["_padding"] = "".into();
    let missing = length.saturating_sub(body.to_string().len());
    body["_padding"] = "x".repeat(missing).into();
    body
}
