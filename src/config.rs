//! The configuration: the values that a caller set, parsed.
//!
//! Names are strings, so that a new option never changes the ABI. [`parse`] turns the text of an option into a
//! [`Value`], by the kind in the table of [`crate::options`]. It is called once for each text: when a caller sets it,
//! or when a handle is made and the text comes from the environment. `settings.rs` checks what depends on more than one
//! option or on a file.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::address::Proxy;
use crate::environ::Environ;
use crate::error::{Error, Status};
use crate::options::{Choice, Kind, OPTIONS, OptionRow};
use crate::secret::Secret;
use crate::store;

/// The value of an option.
#[derive(Clone)]
pub enum Value {
    /// Text, a path, a token or a URL. It may be a secret, also by mistake.
    Text(Secret),
    /// A proxy; `None`: no proxy.
    Proxy(Option<Box<Proxy>>),
    /// A time.
    Duration(Duration),
    /// A fraction.
    Fraction(f64),
    /// A number.
    Count(u32),
    /// One of the words of the option.
    Choice(&'static Choice),
    /// Yes or no.
    Flag(bool),
    /// A store; `None`: no store.
    Store(Option<store::Place>),
}

/// For each kind of value, a function that takes it; `None`: the value is of another kind.
macro_rules! take {
    ($($name:ident: $variant:ident($kind:ty);)*) => {
        impl Value {
            $(#[doc = concat!("Takes a `", stringify!($variant), "`.")]
            pub fn $name(self) -> Option<$kind> {
                if let Value::$variant(value) = self { Some(value) } else { None }
            })*
        }
    };
}

take! {
    text: Text(Secret);
    proxy: Proxy(Option<Box<Proxy>>);
    duration: Duration(Duration);
    fraction: Fraction(f64);
    count: Count(u32);
    choice: Choice(&'static Choice);
    flag: Flag(bool);
    store: Store(Option<store::Place>);
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[value]")
    }
}

/// The source of a value that `Config::set` gets, as messages name it.
pub const SET_BY_CALL: &str = "set by call";

/// Parses the text of an option. The error names the option, the source and what a value must be.
pub fn parse(option: &OptionRow, text: &str, source: &str) -> Result<Value, Error> {
    parse_kind(&option.kind, text).map_err(|why| invalid(option, source, &why))
}

fn parse_kind(kind: &Kind, text: &str) -> Result<Value, String> {
    let value = match kind {
        Kind::Text | Kind::Path(_) | Kind::Token | Kind::Url => is_text(text).then(|| secret(text)),
        Kind::Proxy if text == "none" => Some(Value::Proxy(None)),
        Kind::Proxy => return Proxy::parse(text).map(|proxy| Value::Proxy(Some(Box::new(proxy)))),
        Kind::Duration { min, max, .. } => {
            duration(text).filter(|time| (*min..=*max).contains(time)).map(Value::Duration)
        }
        Kind::Tenths { min, max, .. } => {
            fraction(text).filter(|part| (tenths(*min)..=tenths(*max)).contains(part)).map(Value::Fraction)
        }
        Kind::Count { min, max, .. } => count(text).filter(|count| (*min..=*max).contains(count)).map(Value::Count),
        Kind::Choice(choices) => choices.iter().find(|choice| choice.value == text).map(Value::Choice),
        Kind::Flag { .. } => text.parse().ok().map(Value::Flag),
        Kind::Store if text == "none" => Some(Value::Store(None)),
        Kind::Store => return store(text).map(|place| Value::Store(Some(place))),
        Kind::Ascii { max } => {
            let is_visible = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
            (is_visible && (1..=*max).contains(&text.len())).then(|| secret(text))
        }
    };
    value.ok_or_else(String::new)
}

/// The value of an option that is not set; `None`: it has no default.
pub fn default(option: &OptionRow) -> Option<Value> {
    match option.kind {
        Kind::Text | Kind::Path(_) | Kind::Token | Kind::Url | Kind::Proxy | Kind::Ascii { .. } => None,
        Kind::Duration { default, .. } => Some(Value::Duration(default)),
        Kind::Tenths { default, .. } => Some(Value::Fraction(tenths(default))),
        Kind::Count { default, .. } => Some(Value::Count(default)),
        Kind::Choice(choices) => choices.first().map(Value::Choice),
        Kind::Flag { default } => Some(Value::Flag(default)),
        Kind::Store => Some(Value::Store(None)),
    }
}

/// The error for a value of this option: the option, its source, what a value must be, and `why` if it is not empty. It
/// never shows the value, because the value may be a secret.
pub fn invalid(option: &OptionRow, source: &str, why: &str) -> Error {
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    Error::new(Status::InvalidValue, format!("`{}` ({source}) must be {}{why}", option.name, option.form()))
}

/// The option of that name. The error names the most similar one.
pub fn find(name: &str) -> Result<&'static OptionRow, Error> {
    if let Some(option) = OPTIONS.iter().find(|option| option.name == name) {
        return Ok(option);
    }
    // The distance takes time in proportion to the length of the text, which may be any text. The start is enough.
    let start: String = name.chars().take(64).collect();
    let nearest = OPTIONS.iter().min_by_key(|option| strsim::osa_distance(option.name, &start));
    let nearest = nearest.map_or("", |option| option.name);
    // Text that does not look like a name is not repeated: it may be a value, set by mistake.
    let looks_like_one = name.len() <= 24 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let shown = if looks_like_one { format!("option `{name}`") } else { "such option".to_owned() };
    Err(Error::new(Status::UnknownKey, format!("there is no {shown}; the nearest is `{nearest}`")))
}

/// Parses the text of an option whose value is text, given by a call.
pub fn text_by_call(name: &str, text: &str) -> Result<Secret, Error> {
    let option = find(name)?;
    let not_text = || Error::new(Status::Internal, format!("the value of `{name}` is not text"));
    parse(option, text, SET_BY_CALL)?.text().ok_or_else(not_text)
}

/// The values that a caller set, and the environment that the caller passed.
#[derive(Clone, Debug, Default)]
pub struct Config {
    values: BTreeMap<&'static str, Value>,
    environ: Option<Environ>,
}

impl Config {
    /// An empty configuration: each value comes from the environment or is the default.
    pub fn new() -> Config {
        Config::default()
    }

    /// Sets one option. A second value replaces the first one. After an error, nothing has changed.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let option = find(name).map_err(|error| match find(value) {
            Ok(option) => {
                let message = format!("key and value are in the wrong order: `{}` is a key", option.name);
                Error::new(Status::UnknownKey, message)
            }
            Err(_) => error,
        })?;
        self.values.insert(option.name, parse(option, value, SET_BY_CALL)?);
        Ok(())
    }

    /// Uses these `NAME=VALUE` entries instead of the process's environment. Replaces those of an earlier call. If an
    /// entry has no `=`, nothing changes.
    pub fn set_environ<'a>(&mut self, entries: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Error> {
        self.environ = Some(Environ::new(entries.into_iter())?);
        Ok(())
    }

    /// The environment that the caller passed.
    pub fn environ(&self) -> Option<&Environ> {
        self.environ.as_ref()
    }

    /// The value that the caller set for this option.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && !text.contains('\0')
}

fn secret(text: &str) -> Value {
    Value::Text(Secret::new(text.to_owned()))
}

/// A store.
fn store(text: &str) -> Result<store::Place, String> {
    if let Some(directory) = text.strip_prefix("file:") {
        let directory = std::path::Path::new(directory);
        // Not a URL: `file:///tmp` would be a directory with two slashes too many. A relative path would be another
        // directory in each process.
        if !directory.is_absolute() || text.starts_with("file://") || text.contains('\0') {
            return Err(
                "after `file:`, write the absolute path of a directory, such as `file:/var/lib/robot`; a `~`, a \
                        variable or `//` is not replaced"
                    .to_owned(),
            );
        }
        return Ok(store::Place::File(directory.to_owned()));
    }
    if !["redis:", "rediss:", "redis+"].iter().any(|form| text.starts_with(form)) {
        return Err(String::new());
    }
    #[cfg(feature = "redis")]
    return crate::address::RedisUrl::parse(text).map(|url| store::Place::Redis(crate::sync::Arc::new(url)));
    #[cfg(not(feature = "redis"))]
    return Ok(store::Place::NotBuilt);
}

/// A whole number in decimal digits.
fn count(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A decimal fraction, such as `0.8`.
fn fraction(text: &str) -> Option<f64> {
    text.bytes().all(|b| b.is_ascii_digit() || b == b'.').then(|| text.parse().ok())?
}

fn tenths(number: u32) -> f64 {
    f64::from(number) / 10.0
}

/// A duration: a whole number and `ms`, `s` or `m`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_names_the_nearest() {
        for (wrong, right) in [("usrename", "username"), ("pasword", "password"), ("time_out", "timeout"), ("", "url")]
        {
            let error = Config::new().set(wrong, "x").unwrap_err();
            assert_eq!(error.status(), Status::UnknownKey, "{wrong}");
            assert!(error.message().contains(&format!("nearest is `{right}`")), "{error}");
        }
    }

    #[test]
    fn a_value_that_is_given_as_a_key_is_not_repeated() {
        for (key, value, word) in [("canary", "password", "wrong order"), ("Canary7", "x", "no such option")] {
            let error = Config::new().set(key, value).unwrap_err();
            assert_eq!(error.status(), Status::UnknownKey);
            assert!(error.message().contains(word) && !error.message().to_lowercase().contains("canary"), "{error}");
        }
    }

    #[test]
    fn the_error_of_an_invalid_value_names_the_key_the_form_and_the_source_but_not_the_value() {
        for (key, bad) in [
            ("username", &[""][..]),
            ("password", &[""]),
            ("password_file", &[""]),
            ("token", &[""]),
            ("environment", &["", "canary", "PROD"]),
            ("url", &[""]),
            ("ca_file", &[""]),
            ("tls_roots", &["", "canary", "none"]),
            (
                "proxy",
                &[
                    "",
                    "None",
                    "canary:3128",
                    "http://h:canary",
                    "http://h:99999",
                    "http://u:p@h:0",
                    "socks5://canary",
                    "http://",
                    "ftp://canary",
                    "http://canary@",
                    "http://u:p/canary@h:1",
                    "http://u:%_canary@h:1",
                    "a b",
                ],
            ),
            (
                "connect_timeout",
                &["", "10", "s", "-1s", "1.5s", "0ms", "6m", "1h", "10 s", "10S", "99999999999999999999s"],
            ),
            ("timeout", &["", "30", "0s", "11m", "18446744073709551615h"]),
            ("wait", &["", "30", "11m", "canary"]),
            ("refresh", &["", "on-demand", "canary"]),
            ("refresh_at", &["", "0", "0.09", "0.91", "1", "NaN", "inf", "1e-1", "-0.5", "80%", "0,8"]),
            ("refresh_grant", &["", "yes", "1", "True"]),
            ("max_attempts", &["", "0", "11", "-1", "3.0", "canary", "99999999999"]),
            ("store", &["", "canary", "file", "redis:"]),
            ("store_required", &["", "0", "canary"]),
            ("user_agent", &["", "a\r\nb", "ü", "\u{7f}"]),
            ("allow_http", &["", "yes"]),
        ] {
            for value in bad {
                let mut config = Config::new();
                let error = config.set(key, value).unwrap_err();
                assert_eq!(error.status(), Status::InvalidValue, "{key}={value}");
                let message = error.message();
                assert!(message.starts_with(&format!("`{key}` (set by call) must be ")), "{message}");
                assert!(!message.contains("canary"), "{message}");
                assert!(config.get(key).is_none());
            }
        }
    }

    #[test]
    fn each_key_has_a_valid_value() {
        for (key, value) in [
            ("wait", "0s"),
            ("wait", "500ms"),
            ("timeout", "10m"),
            ("connect_timeout", "1ms"),
            ("refresh_at", "0.1"),
            ("refresh_at", ".9"),
            ("max_attempts", "10"),
            ("proxy", "none"),
            ("proxy", "http://u:p@proxy.invalid:3128"),
            ("user_agent", "robot/1 (x)"),
            ("store", "file:/tmp"),
            ("token", "x"),
        ] {
            Config::new().set(key, value).unwrap();
        }
    }

    #[test]
    fn a_configuration_has_no_readable_debug_form() {
        let mut config = Config::new();
        config.set("password", "canary").unwrap();
        assert!(!format!("{config:?}").contains("canary"));
    }
}
