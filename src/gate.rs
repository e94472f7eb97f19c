//! Makes the requests to the gate and reads its answers, as pure functions.
//!
//! Nothing here does I/O or reads a clock. No answer is trusted before it is checked: it may come from a proxy, from a
//! captive portal or from another server.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::error::{Error, Status};
use crate::json::{self, Object};
use crate::jwt::{Jwt, TOKEN_MAX};
use crate::policy;
use crate::secret::{Secret, Secrets, quote};

/// What a request sends to get a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Username and password.
    Login,
    /// The refresh token of an earlier answer.
    Refresh,
}

/// A request to the token endpoint: a POST of JSON.
pub struct Request {
    /// What the body contains.
    pub grant: Grant,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
    /// Secrets that an error must not repeat from a peer's text.
    pub secrets: Secrets,
}

/// The maximum size of a body, in bytes.
pub const BODY_MAX: usize = 64 << 10;

/// An answer as it was received.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The header `Date` in Unix milliseconds, if it is present and valid.
    pub date_ms: Option<i64>,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
    /// The header `Content-Encoding`, unless it is `identity`.
    pub encoding: Option<String>,
    /// The body, at most [`BODY_MAX`] long.
    pub body: Zeroizing<Vec<u8>>,
    /// The gate's host and port, and the proxy before it, as a message shows them.
    pub peer: String,
    /// Whether the TLS server asked for a client certificate. It got none.
    pub asked_for_certificate: bool,
}

impl Response {
    /// An answer without headers.
    pub fn new(status: u16, body: Zeroizing<Vec<u8>>) -> Response {
        let (date_ms, retry_after, encoding) = (None, None, None);
        Response { status, date_ms, retry_after, encoding, body, peer: String::new(), asked_for_certificate: false }
    }

    /// The start of a message.
    fn gate(&self) -> String {
        format!("the gate {}", self.peer).trim_end().to_owned()
    }
}

/// The content of an answer with a token.
#[derive(Debug)]
pub struct Tokens {
    /// `id_token`.
    pub jwt: Jwt,
    /// Its `exp`.
    pub expiry: i64,
    /// `refresh_token`, if the answer has one.
    pub refresh_token: Option<Secret>,
}

/// The request that logs in.
pub fn login(credentials: &Credentials) -> Request {
    let Credentials { username, password, .. } = credentials;
    let fields = [("username", username.expose()), ("password", password.expose()), ("type", "user_credentials")];
    request(Grant::Login, fields)
}

/// The request that uses a refresh token.
pub fn refresh(refresh_token: &Secret) -> Request {
    request(Grant::Refresh, [("type", "refresh_token"), ("refresh_token", refresh_token.expose())])
}

fn request<const N: usize>(grant: Grant, fields: [(&str, &str); N]) -> Request {
    // The capacity is set in advance, so that the text never moves. An escape replaces one byte by at most six.
    let room = 128 + fields.iter().map(|(_, text)| text.len() * 6).sum::<usize>();
    let mut body = Zeroizing::new(Vec::with_capacity(room));
    // This cannot fail, because it writes strings as JSON into memory. If it failed, the gate would refuse the short
    // body.
    serde_json::to_writer(&mut *body, &BTreeMap::from(fields)).ok();
    Request { grant, body, secrets: Secrets::default() }
}

/// Reads an answer. Returns its tokens, or the error that it stands for. `secrets` are removed from the gate's text.
/// `now_ms` is this machine's wall clock. It is used if the answer has no date.
pub fn read(response: &Response, secrets: &Secrets, now_ms: i64) -> Result<Tokens, Error> {
    match response.status {
        200..=299 => tokens(response, secrets).map_err(|error| error.with_http_status(response.status)),
        status => {
            let gate_ms = response.date_ms.unwrap_or(now_ms);
            let retry_after = response.retry_after.as_deref().and_then(|header| policy::retry_after(header, gate_ms));
            Err(error_of_status(status, response, secrets, retry_after))
        }
    }
}

fn tokens(response: &Response, secrets: &Secrets) -> Result<Tokens, Error> {
    let bad =
        |what: &str| Error::new(Status::BadResponse, format!("{} answered without a token: {what}", response.gate()));
    if response.body.is_empty() {
        return Err(bad("its body is empty"));
    }
    let body = without_byte_order_mark(&response.body);
    let object = Object::new(body).ok_or_else(|| match &response.encoding {
        _ if json::is_json(body) => bad(NO_TOKEN),
        // The encoding is checked only now, because some servers name an encoding such as `utf-8` and send plain text.
        Some(encoding) => {
            let encoding = quote(encoding, &[secrets]);
            bad(&format!("its body is in the encoding \"{encoding}\", which was not asked for"))
        }
        None => bad("its body is not JSON; check whether a proxy or a portal answers instead of the gate"),
    })?;
    let id_token = match object.text("id_token") {
        Ok(Some(text)) => text,
        Ok(None) => return Err(bad(NO_TOKEN)),
        Err(error) if error.is_data() => return Err(bad("its `id_token` is not a string")),
        Err(_) => return Err(bad("its `id_token` is not JSON text in UTF-8")),
    };
    if id_token.expose().len() > TOKEN_MAX {
        return Err(bad(&format!("its `id_token` is longer than {TOKEN_MAX} bytes")));
    }
    let jwt = Jwt::decode(id_token).map_err(|error| bad(&format!("its `id_token` is not valid: {error}")))?;
    let expiry = jwt.expect_expiry().map_err(|error| bad(&format!("its `id_token` is not valid: {error}")))?;
    let refresh_token = text(object, "refresh_token").filter(|text| !text.expose().is_empty());
    Ok(Tokens { jwt, expiry, refresh_token })
}

/// Why an answer that is JSON has no token.
const NO_TOKEN: &str = "there is no `id_token` in it";

/// Some servers write a byte order mark before the JSON. RFC 8259, section 8.1, allows a reader to ignore it.
fn without_byte_order_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

#[inline(never)] // it is the JSON parser
fn text(object: Object<'_>, name: &str) -> Option<Secret> {
    object.text(name).ok().flatten()
}

/// The error for a status that is not 2xx: refused credentials, a server error, or an answer of a server before the
/// gate.
fn error_of_status(
    status: u16,
    response: &Response,
    secrets: &Secrets,
    retry_after: Option<std::time::Duration>,
) -> Error {
    let object = Object::new(without_byte_order_mark(&response.body));
    let text = |name: &&str| text(object?, name);
    let said = ["message", "error_description", "error"]
        .iter()
        .find_map(text)
        .map(|said| {
            // The tokens of this answer are secrets too.
            let mut own = Secrets::default();
            ["id_token", "access_token", "refresh_token"]
                .iter()
                .filter_map(text)
                .for_each(|token| own.add(token.expose()));
            format!(": {}", quote(said.expose(), &[secrets, &own]))
        })
        .unwrap_or_default();
    let gate = response.gate();
    let (kind, message) = match status {
        401 | 400 | 403 if status == 401 || object.is_some() => {
            // API gateways also answer 403 for other reasons.
            let also = if status == 403 { ", and whether a server before the gate blocks this machine" } else { "" };
            let refused = format!("{gate} refused the credentials (HTTP {status}{said})");
            (Status::Denied, format!("{refused}; check `username` and `password`{also}"))
        }
        // A server before the gate, such as nginx, answers in this way after the handshake (only nginx has 495 and
        // 496).
        400 | 403 | 495 | 496 if response.asked_for_certificate => {
            let refused = format!("{gate} asked for a client certificate and refused the request (HTTP {status})");
            let advice = "dl_auth does not support client certificates: check `url`, or configure the server to accept \
                          requests without one";
            (Status::Tls, format!("{refused}; {advice}"))
        }
        400 | 403 => {
            let refused = format!("a server before {gate} refused the request (HTTP {status}, not in the gate's form)");
            (Status::Gate, format!("{refused}; check whether a proxy or a firewall blocks the request"))
        }
        407 => {
            let required = format!("a proxy before {gate} requires authentication (HTTP 407)");
            (Status::Unreachable, format!("{required}: set `proxy=http://user:password@host:port`"))
        }
        429 => (Status::RateLimited, format!("{gate} limits the rate of requests (HTTP 429{said}); wait")),
        408 | 425 | 500..=599 => (
            Status::Gate,
            format!("{gate} has a server error (HTTP {status}{said}); if it does not stop, ask its operator"),
        ),
        300..=399 => (
            Status::BadResponse,
            format!("{gate} answered with a redirect (HTTP {status}), which is never followed; check `url`"),
        ),
        404 => (Status::BadResponse, format!("{gate} has no token endpoint at this `url` (HTTP 404); check `url`")),
        _ => (
            Status::BadResponse,
            format!("{gate} answered with HTTP {status}{said}, which a gate never sends; check `url`"),
        ),
    };
    let has_pause = matches!(status, 429 | 503);
    Error::new(kind, message).with_http_status(status).with_retry_after(retry_after.filter(|_| has_pause))
}

#[cfg(test)]
mod tests;
