//! The form of a well-behaved answer, unless a behaviour changes it.

use crate::fields::Fields;
use serde_json::Value;

/// The longest token that a test can request.
pub(crate) const LONGEST_TOKEN: usize = 4 << 20;

/// How the gate answers when nothing is planned. Each field is also a key of [`Gate::set`](crate::Gate::set).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The accepted user name.
    pub username: String,
    /// The accepted password.
    pub password: String,
    /// Seconds from a token's `iat` to its `exp`. May be negative: already expired.
    pub lifetime: i64,
    /// Whether each refresh issues a new refresh token and uses up the old one.
    pub rotate: bool,
    /// Seconds by which the `Date` header is wrong. The token's times follow `iat_offset`, not this.
    pub date_offset: i64,
    /// Whether there is a `Date` header.
    pub send_date: bool,
    /// Seconds by which a token's `iat`, and with it `exp`, is wrong.
    pub iat_offset: i64,
    /// Makes each token exactly this long, in bytes.
    pub pad_to: Option<usize>,
    /// The `kid` of the token's header.
    pub kid: Option<String>,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            username: "bot@example.com".into(),
            password: "correct horse battery staple".into(),
            lifetime: 86_400,
            rotate: false,
            date_offset: 0,
            send_date: true,
            iat_offset: 0,
            pad_to: None,
            kid: None,
            keep_alive: true,
        }
    }
}

impl Settings {
    /// Changes the settings that are given; `null` switches `pad_to` and `kid` off. It changes all of them or none.
    pub(crate) fn change(&self, fields: &mut Fields) -> Result<Self, String> {
        let pad_to = match fields.any("pad_to") {
            None => self.pad_to,
            Some(Value::Null) => None,
            Some(value) => {
                Fields::of("settings", &serde_json::json!({"pad_to": value}))?.size("pad_to", 1, LONGEST_TOKEN)?
            }
        };
        let kid = match fields.any("kid") {
            None => self.kid.clone(),
            Some(Value::Null) => None,
            Some(value) => Fields::of("settings", &serde_json::json!({"kid": value}))?.text("kid")?,
        };
        Ok(Self {
            username: fields.text("username")?.unwrap_or_else(|| self.username.clone()),
            password: fields.text("password")?.unwrap_or_else(|| self.password.clone()),
            lifetime: fields.int("lifetime")?.unwrap_or(self.lifetime),
            rotate: fields.flag("rotate")?.unwrap_or(self.rotate),
            date_offset: fields.int("date_offset")?.unwrap_or(self.date_offset),
            send_date: fields.flag("send_date")?.unwrap_or(self.send_date),
            iat_offset: fields.int("iat_offset")?.unwrap_or(self.iat_offset),
            keep_alive: fields.flag("keep_alive")?.unwrap_or(self.keep_alive),
            pad_to,
            kid,
        })
    }
}
