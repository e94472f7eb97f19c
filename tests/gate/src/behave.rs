//! The behaviours that a plan can have, read from JSON. An unknown name or field is an error: see `fields`.

use crate::fields::Fields;
use crate::settings::LONGEST_TOKEN;
use crate::token::CLAIMS;
use serde_json::{Map, Value};
use std::time::Duration;

/// One entry of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub behaviour: Behaviour,
    /// How many more requests get it; at least 1.
    pub times: usize,
    pub on: Option<Kind>,
}

/// The two kinds of token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Login,
    Refresh,
}

/// What to do with one request.
#[derive(Clone, Debug)]
pub(crate) enum Behaviour {
    Ok(Box<Overrides>),
    Status(Status),
    Html,
    Empty,
    Truncated { missing: usize },
    Overlong { bytes: usize },
    OverlongHeaders { bytes: usize },
    Slow { bytes: usize, delay: Duration },
    Hang { then: Box<Behaviour> },
    Reset { after: usize },
    Close,
    BadUtf8,
    Garbage,
    Abrupt { head: String, body: Option<String> },
}

/// The differences of an `ok` from the settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub lifetime: Option<i64>,
    pub exp: Option<Value>,
    pub iat: Option<Value>,
    pub omit: Vec<String>,
    pub pad_to: Option<usize>,
    pub id_token: Option<Value>,
    pub omit_id_token: bool,
    pub refresh_token: Option<Value>,
    pub omit_refresh_token: bool,
    pub extra: Map<String, Value>,
    pub encoding: Option<&'static str>,
    pub close_after: bool,
}

/// An answer that the plan states literally.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    pub content_type: String,
    /// `Retry-After` as a date, this many seconds after the answer's `Date`.
    pub retry_after_date_in: Option<i64>,
}

const NAMES: &str = "ok, status, html, empty, truncated, overlong, overlong_headers, slow, hang, reset, close, bad_utf8, garbage, abrupt";
const TIMES: usize = 1 << 30;
const MOST_BYTES: usize = 64 << 20;
const MOST_DELAY: usize = 60_000;

impl Planned {
    /// Reads a plan: an array of behaviours, or a single one.
    pub fn read_all(plan: &Value) -> Result<Vec<Self>, String> {
        match plan {
            Value::Array(entries) => entries.iter().map(Self::read).collect(),
            single => Ok(vec![Self::read(single)?]),
        }
    }

    fn read(entry: &Value) -> Result<Self, String> {
        let (name, mut fields) = open(entry)?;
        let on = fields.one_of("on", &["login", "refresh"])?;
        let planned = Self {
            times: fields.size("times", 1, TIMES)?.unwrap_or(1),
            on: on.map(|kind| if kind == "login" { Kind::Login } else { Kind::Refresh }),
            behaviour: Behaviour::read(&name, &mut fields)?,
        };
        fields.finish()?;
        Ok(planned)
    }

    /// Returns an error if the proxy cannot do it: the proxy can do everything that needs no token.
    pub fn fits_proxy(&self) -> Result<(), String> {
        fn fits(behaviour: &Behaviour) -> bool {
            use Behaviour::{Close, Empty, Garbage, Html, Ok, Reset, Status};
            match behaviour {
                Behaviour::Hang { then } => fits(then),
                other => matches!(other, Ok(_) | Status(_) | Html | Empty | Close | Reset { .. } | Garbage),
            }
        }
        match (fits(&self.behaviour), self.on) {
            (true, None) => Ok(()),
            _ => Err("a proxy_plan takes ok, status, html, empty, hang, close, reset and garbage, without `on`".into()),
        }
    }
}

fn open(entry: &Value) -> Result<(String, Fields), String> {
    let mut fields = Fields::of("a behaviour", entry)?;
    let name = fields.text("do")?.ok_or_else(|| format!("a behaviour needs `do`, one of {NAMES}: {entry}"))?;
    let mut fields = Fields::of(format!("behaviour `{name}`"), entry)?;
    fields.any("do");
    Ok((name, fields))
}

impl Behaviour {
    fn read(name: &str, fields: &mut Fields) -> Result<Self, String> {
        Ok(match name {
            "ok" => Self::Ok(Box::new(Overrides::read(fields)?)),
            "status" => Self::Status(Status::read(fields)?),
            "html" => Self::Html,
            "empty" => Self::Empty,
            "truncated" => Self::Truncated { missing: fields.size("missing", 1, MOST_BYTES)?.unwrap_or(64) },
            "overlong" => Self::Overlong { bytes: fields.size("bytes", 1, MOST_BYTES)?.unwrap_or(1 << 20) },
            "overlong_headers" => {
                Self::OverlongHeaders { bytes: fields.size("bytes", 1, MOST_BYTES)?.unwrap_or(1 << 20) }
            }
            "slow" => Self::Slow {
                bytes: fields.size("bytes", 1, MOST_BYTES)?.unwrap_or(16),
                delay: Duration::from_millis(fields.size("delay_ms", 0, MOST_DELAY)?.unwrap_or(50) as u64),
            },
            "hang" => Self::Hang { then: Box::new(Self::then(fields)?) },
            "reset" => Self::Reset { after: fields.size("after", 0, MOST_BYTES)?.unwrap_or(0) },
            "close" => Self::Close,
            "bad_utf8" => Self::BadUtf8,
            "garbage" => Self::Garbage,
            "abrupt" => Self::Abrupt {
                head: fields.text("head")?.ok_or("behaviour `abrupt` needs a `head`")?,
                body: fields.text("body")?,
            },
            other => return Err(format!("there is no behaviour `{other}`; there are {NAMES}")),
        })
    }

    fn then(fields: &mut Fields) -> Result<Self, String> {
        let Some(entry) = fields.any("then") else { return Ok(Self::normal()) };
        let (name, mut fields) = open(&entry)?;
        if name == "hang" {
            return Err("a `hang` cannot end in another `hang`".into());
        }
        let then = Self::read(&name, &mut fields)?;
        fields.finish()?;
        Ok(then)
    }

    /// The behaviour when nothing is planned.
    pub fn normal() -> Self {
        Self::Ok(Box::default())
    }
}

impl Overrides {
    fn read(fields: &mut Fields) -> Result<Self, String> {
        Ok(Self {
            lifetime: fields.int("lifetime")?,
            exp: fields.any("exp"),
            iat: fields.any("iat"),
            omit: fields.words("omit", CLAIMS)?.unwrap_or_default(),
            pad_to: fields.size("pad_to", 1, LONGEST_TOKEN)?,
            id_token: fields.any("id_token"),
            omit_id_token: fields.flag("omit_id_token")?.unwrap_or(false),
            refresh_token: fields.any("refresh_token"),
            omit_refresh_token: fields.flag("omit_refresh_token")?.unwrap_or(false),
            extra: fields.object("extra")?.unwrap_or_default(),
            encoding: fields.one_of("encoding", &["gzip", "chunked"])?,
            close_after: fields.flag("close_after")?.unwrap_or(false),
        })
    }
}

impl Status {
    fn read(fields: &mut Fields) -> Result<Self, String> {
        let status = fields.size("status", 100, 999)?.ok_or("behaviour `status` needs a `status`")?;
        Ok(Self {
            status: u16::try_from(status).unwrap_or(999),
            headers: fields.headers("headers")?,
            body: fields.text("body")?,
            content_type: fields.text("content_type")?.unwrap_or_else(|| "application/json".into()),
            retry_after_date_in: fields.int("retry_after_date_in")?,
        })
    }
}
