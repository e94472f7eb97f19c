//! The service's token protocol: which requests are token requests, and what a well-behaved gate answers.

use crate::behave::{Kind, Overrides};
use crate::http::{Request, Response};
use crate::reply::Answer;
use crate::state::State;
use crate::token;
use serde_json::{Map, Value, json};

/// A well-formed token request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    Login { username: String, password: String },
    Refresh { refresh_token: String },
}

/// The kind of a request.
pub(crate) enum Route {
    Token(Grant),
    /// A `POST` to the token endpoint that breaks the protocol, and why.
    Malformed(String),
    /// Any other request, and its answer.
    Other(Response),
    /// A redirect was followed.
    Elsewhere,
}

impl Route {
    pub fn of(request: &Request) -> Self {
        match request.path_and_query() {
            ("/elsewhere", _) => Self::Elsewhere,
            ("/token", query) if request.method == "POST" => match Grant::read(request, query) {
                Ok(grant) => Self::Token(grant),
                Err(message) => Self::Malformed(message),
            },
            ("/token", _) => Self::Other(plain_error(405, "the token endpoint takes POST").with("Allow", "POST")),
            (path, _) => Self::Other(plain_error(404, &format!("there is nothing at {path}"))),
        }
    }
}

/// `{"status", "message"}`, the form of the service's errors.
pub(crate) fn plain_error(status: u16, message: &str) -> Response {
    Response::json(status, &json!({"status": status, "message": message}))
}

impl Grant {
    /// Accepts only the exact form: a client that sends anything else has a bug, and the 400 shows it.
    fn read(request: &Request, query: Option<&str>) -> Result<Self, String> {
        if query != Some("default") {
            return Err(format!("the query must be the bare word `default`, not {query:?}"));
        }
        match request.header("content-type") {
            Some("application/json") => {}
            other => return Err(format!("Content-Type must be application/json, once, not {other:?}")),
        }
        if request.header("host").is_none_or(str::is_empty) {
            return Err("there must be one Host header".into());
        }
        let body: Value = serde_json::from_slice(&request.body).map_err(|e| format!("the body is not JSON: {e}"))?;
        let fields = body.as_object().ok_or("the body must be a JSON object")?;
        match fields.get("type").and_then(Value::as_str) {
            Some("user_credentials") => {
                let [username, password] = texts(fields, ["username", "password"])?;
                Ok(Self::Login { username, password })
            }
            Some("refresh_token") => {
                let [refresh_token] = texts(fields, ["refresh_token"])?;
                Ok(Self::Refresh { refresh_token })
            }
            _ => Err("`type` must be user_credentials or refresh_token".into()),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Login { .. } => Kind::Login,
            Self::Refresh { .. } => Kind::Refresh,
        }
    }
}

fn texts<const N: usize>(fields: &Map<String, Value>, names: [&str; N]) -> Result<[String; N], String> {
    if let Some(extra) = fields.keys().find(|key| *key != "type" && !names.contains(&key.as_str())) {
        return Err(format!("the body has an unknown field: `{extra}`"));
    }
    let mut found = names.map(|_| String::new());
    for (slot, name) in found.iter_mut().zip(names) {
        *slot = fields.get(name).and_then(Value::as_str).ok_or(format!("`{name}` must be a string"))?.to_owned();
    }
    Ok(found)
}

impl State {
    /// The answer of a well-behaved gate, and its effects: it mints tokens, uses up refresh tokens and counts refusals.
    pub fn answer(&mut self, grant: &Grant, overrides: &Overrides, now: i64) -> Answer {
        match grant {
            Grant::Login { username, password } => {
                if *username != self.settings.username || *password != self.settings.password {
                    self.counts.refused += 1;
                    let body = json!({"status": 401, "message": "Wrong email or password."});
                    return Answer { status: 401, body, token: None };
                }
                self.tokens(overrides, None, now)
            }
            Grant::Refresh { refresh_token } => match self.refresh_tokens.get(refresh_token) {
                Some(true) => self.tokens(overrides, Some(refresh_token), now),
                found => {
                    self.counts.reused_refresh_tokens += u64::from(found.is_some());
                    self.counts.refused_refreshes += 1;
                    let why = "Unknown or invalid refresh token.";
                    let body = json!({"error": "invalid_grant", "error_description": why});
                    Answer { status: 401, body, token: None }
                }
            },
        }
    }

    fn tokens(&mut self, overrides: &Overrides, spent: Option<&str>, now: i64) -> Answer {
        self.minted += 1;
        let token = match token::mint(&self.settings, overrides, self.seed, self.minted, now) {
            Ok(token) => token,
            Err(message) => {
                eprintln!("dl_auth_gate: {message}");
                return Answer { status: 500, body: json!({"status": 500, "message": message}), token: None };
            }
        };
        let mut body = json!({"access_token": self.opaque("at")});
        if let (false, Some(replaced)) = (overrides.omit_id_token, &overrides.id_token) {
            body["id_token"] = replaced.clone();
        } else if !overrides.omit_id_token {
            body["id_token"] = token.as_str().into();
        }
        if let Some(refresh_token) = self.next_refresh_token(overrides, spent) {
            body["refresh_token"] = refresh_token;
        }
        for (name, value) in &overrides.extra {
            body[name] = value.clone();
        }
        let token = (body["id_token"] == token.as_str()).then_some(token);
        Answer { status: 200, body, token }
    }

    /// The refresh token for the answer. A login always gets one. A refresh gets one only with rotation, and then the
    /// old one is used up.
    fn next_refresh_token(&mut self, overrides: &Overrides, spent: Option<&str>) -> Option<Value> {
        if overrides.omit_refresh_token {
            return None;
        }
        let fresh = match (&overrides.refresh_token, spent) {
            (Some(replaced), _) => replaced.clone(),
            (None, Some(_)) if !self.settings.rotate => return None,
            (None, _) => self.opaque("rt").into(),
        };
        if let Some(spent) = spent.filter(|_| self.settings.rotate) {
            self.refresh_tokens.insert(spent.to_owned(), false);
        }
        if let Some(text) = fresh.as_str() {
            self.refresh_tokens.insert(text.to_owned(), true);
        }
        Some(fresh)
    }

    fn opaque(&self, prefix: &str) -> String {
        let salt = prefix.bytes().fold(0, |salt: u64, byte| salt << 8 | u64::from(byte));
        let noise = token::noise(self.seed.wrapping_mul(31) ^ self.minted.rotate_left(32) ^ salt, 24);
        noise.iter().fold(format!("{prefix}-"), |text, byte| format!("{text}{byte:02x}"))
    }
}
