//! The configuration: one table of keys, and the values that a caller set.
//!
//! Keys are strings so that a new option never changes the ABI. The setter, the environment's reader, the
//! enumeration in C, the README's table and the bindings' options all come from [`KEYS`]. A value that can be judged
//! alone is judged when it is set; what must be judged together, or needs a file, is judged in `settings.rs` when a
//! handle is made.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::time::Duration;

use crate::address::Proxy;
use crate::environ::Environ;
use crate::error::{Error, Status};
use crate::secret::Secret;

/// One option.
#[derive(Debug)]
pub struct Key {
    /// The name, as `dl_auth_config_set` takes it. The environment variable is `DL_AUTH_` + the name in capitals.
    pub c_name: &'static CStr,
    name: &'static str,
    /// The default, as the README words it.
    pub default: &'static str,
    /// What a value must look like, as a message words it.
    pub form: &'static str,
    /// What it does, in a line.
    pub meaning: &'static str,
    check: fn(&str) -> bool,
    why: fn(&str) -> String,
}

impl Key {
    /// The name as a Rust string.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("DL_AUTH_{}", self.name().to_ascii_uppercase())
    }

    /// Checks a value, or says in one line what it must be. `source` says who gave it.
    pub fn accept(&self, value: &str, source: &str) -> Result<(), Error> {
        if (self.check)(value) { Ok(()) } else { Err(self.invalid(source, &(self.why)(value))) }
    }

    /// The same key. `why` says what is wrong with a value that the check refuses, and shows no secret of it.
    const fn explained(self, why: fn(&str) -> String) -> Key {
        Key { why, ..self }
    }

    /// The error for a value of this key: key, form and source, and what else is known. Never the value of a secret.
    pub fn invalid(&self, source: &str, why: &str) -> Error {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        let message = format!("`{}` ({source}) must be {}{why}", self.name(), self.form);
        Error::new(Status::InvalidValue, message)
    }
}

const fn key(
    c_name: &'static CStr,
    default: &'static str,
    form: &'static str,
    check: fn(&str) -> bool,
    meaning: &'static str,
) -> Key {
    // Once for each key, at compile time: `find` compares names, and is called for every option of every handle.
    let name = match c_name.to_str() {
        Ok(name) => name,
        Err(_) => "",
    };
    Key { c_name, name, default, form, meaning, check, why: |_| String::new() }
}

/// Every option there is, in the order of the README's table.
pub static KEYS: [Key; 20] = [
    key(c"username", "none", "text, not empty", is_text, "the user, or bot, to log in as"),
    key(c"password", "none", "text, not empty", is_text, "its password; held zeroised, never logged"),
    key(
        c"password_file",
        "none",
        "the path of a regular file that holds the password",
        is_text,
        "read when a handle is made, before its password is sent, and while that is refused at most once a second; a line end at its end does not count",
    ),
    key(
        c"token",
        "none",
        "a JWT with an `exp` that is not past",
        is_text,
        "a ready token, such as an API key: handed out until its `exp`, never refreshed; excludes the credentials",
    ),
    key(
        c"environment",
        "prod",
        "`prod`, `rc`, `dev`, `new-dev`, `aws` or `local`",
        |value| gate_of(value).is_some(),
        "which gate of the service; `url` wins over it",
    ),
    key(
        c"url",
        "by `environment`",
        "an https URL without credentials: a gate, its API base, or its /token endpoint",
        is_text,
        "the gate to log in at; `http` only to a loopback address and with `allow_http=true`",
    ),
    key(
        c"ca_file",
        "none",
        "the path of a file with at least one certificate: PEM, or one certificate as DER",
        is_text,
        "certificates trusted besides the roots, or a self-signed server certificate itself; read when a handle is made",
    ),
    key(
        c"tls_roots",
        "auto",
        "`auto`, `system`, `bundled` or `ca_file_only`",
        |value| ["auto", "system", "bundled", "ca_file_only"].contains(&value),
        "whom to trust; `auto`: the system's roots, else the bundled ones",
    ),
    key(
        c"proxy",
        "`HTTPS_PROXY`, `NO_PROXY`",
        "an http or https URL, or `none`",
        |value| value == "none" || Proxy::parse(value).is_ok(),
        "the proxy to the gate; percent-encode its user and password; `none`: no proxy, whatever the environment says; `NO_PROXY`, read as curl reads it, lists hosts that `HTTPS_PROXY` is not used for",
    )
    .explained(|value| Proxy::parse(value).err().unwrap_or_default()),
    key(
        c"connect_timeout",
        "10s",
        "a duration from 1ms to 5m, such as 500ms, 30s or 2m",
        |value| duration(value).is_some_and(|time| (MS..=5 * MINUTE).contains(&time)),
        "the most that a connection may take, TLS included",
    ),
    key(
        c"timeout",
        "30s",
        "a duration from 1ms to 10m, such as 500ms, 30s or 2m",
        |value| duration(value).is_some_and(|time| (MS..=10 * MINUTE).contains(&time)),
        "the most that one whole refresh may take, DNS and retries included",
    ),
    key(
        c"wait",
        "30s",
        "a duration from 0s to 10m, such as 500ms, 30s or 2m",
        |value| duration(value).is_some_and(|time| time <= 10 * MINUTE),
        "the most that `dl_auth_token` holds its caller while there is no valid token",
    ),
    key(
        c"refresh",
        "on_demand",
        "`on_demand` or `background`",
        |value| ["on_demand", "background"].contains(&value),
        "what starts a refresh: a caller that finds it due, or with `background` a timer as well, with no call needed",
    ),
    key(
        c"refresh_at",
        "0.8",
        "a number from 0.1 to 0.9",
        |value| fraction(value).is_some_and(|part| (0.1..=0.9).contains(&part)),
        "the part of a token's life after which a refresh is due",
    ),
    key(c"refresh_grant", "true", "`true` or `false`", is_bool, "use the refresh token before the password"),
    key(
        c"max_attempts",
        "3",
        "a whole number from 1 to 10",
        |value| count(value).is_some_and(|count| (1..=10).contains(&count)),
        "tries within one refresh, of what may pass by itself",
    ),
    key(
        c"store",
        "none",
        "`none`, `file:DIR` or `redis://HOST`",
        |value| value == "none" || ["file:", "redis://", "rediss://"].iter().any(|form| value.starts_with(form)),
        "where processes share a token; any but `none` is not built yet: `DL_AUTH_E_UNSUPPORTED`",
    ),
    key(
        c"store_required",
        "false",
        "`true` or `false`",
        is_bool,
        "fail rather than log in unshared; without a `store` it changes nothing",
    ),
    key(
        c"user_agent",
        "none",
        "visible ASCII characters and spaces, at most 200",
        |value| value.len() <= 200 && !value.is_empty() && value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()),
        "appended to `dl_auth/VERSION` in each request",
    ),
    key(c"allow_http", "false", "`true` or `false`", is_bool, "take an `http` URL to a loopback address, for tests"),
];

const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

/// The key of that name, or an error that names the nearest one.
pub fn find(name: &str) -> Result<&'static Key, Error> {
    if let Some(key) = KEYS.iter().find(|key| key.name() == name) {
        return Ok(key);
    }
    let nearest = KEYS.iter().min_by_key(|key| strsim::osa_distance(key.name(), name)).map_or("", |key| key.name());
    // What does not look like a key is not repeated: it may be a value, set by mistake.
    let looks_like_one = name.len() <= 24 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let shown = if looks_like_one { format!("option `{name}`") } else { "such option".to_owned() };
    Err(Error::new(Status::UnknownKey, format!("there is no {shown}; the nearest is `{nearest}`")))
}

/// The values that a caller set, each in its form, and the environment that it handed over.
#[derive(Clone, Debug, Default)]
pub struct Config {
    values: BTreeMap<&'static str, Secret>,
    environ: Option<Environ>,
}

impl Config {
    /// Nothing set: all comes from the environment and the defaults.
    pub fn new() -> Config {
        Config::default()
    }

    /// Sets one option. A value set again replaces the first; one that is refused changes nothing.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let key = find(name).map_err(|error| match find(value) {
            Ok(key) => {
                let message = format!("key and value are in the wrong order: `{}` is a key", key.name());
                Error::new(Status::UnknownKey, message)
            }
            Err(_) => error,
        })?;
        key.accept(value, "set by call")?;
        self.values.insert(key.name(), Secret::new(value.to_owned()));
        Ok(())
    }

    /// Uses these `NAME=VALUE` entries in place of the process's environment. Replaces those of an earlier call. If an
    /// entry has no `=`, nothing changes.
    pub fn set_environ<'a>(&mut self, entries: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Error> {
        self.environ = Some(Environ::new(entries.into_iter())?);
        Ok(())
    }

    /// The environment that was handed over.
    pub fn environ(&self) -> Option<&Environ> {
        self.environ.as_ref()
    }

    /// What was set for this key.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(Secret::expose)
    }
}

fn is_text(value: &str) -> bool {
    !value.is_empty() && !value.contains('\0')
}

fn is_bool(value: &str) -> bool {
    boolean(value).is_some()
}

/// `true` or `false`.
pub fn boolean(value: &str) -> Option<bool> {
    value.parse().ok()
}

/// A whole number in decimal digits.
pub fn count(value: &str) -> Option<u32> {
    value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse().ok())?
}

/// A decimal fraction, such as `0.8`.
pub fn fraction(value: &str) -> Option<f64> {
    value.bytes().all(|b| b.is_ascii_digit() || b == b'.').then(|| value.parse().ok())?
}

/// A duration: a whole number and `ms`, `s` or `m`.
pub fn duration(value: &str) -> Option<Duration> {
    let digits = value.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = value.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}

/// The gate of an environment's name, as the service lists them.
pub fn gate_of(environment: &str) -> Option<&'static str> {
    match environment {
        "prod" => Some("https://gate.dataloop.ai"),
        "rc" => Some("https://rc-gate.dataloop.ai"),
        "dev" => Some("https://dev-gate.dataloop.ai"),
        "new-dev" => Some("https://custom1-gate.dataloop.ai"),
        "aws" => Some("https://poc-gate.dataloop.ai"),
        "local" => Some("https://localhost:8443"),
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
    fn a_value_in_the_place_of_a_key_is_not_repeated() {
        for (key, value, word) in [("canary", "password", "wrong order"), ("Canary7", "x", "no such option")] {
            let error = Config::new().set(key, value).unwrap_err();
            assert_eq!(error.status(), Status::UnknownKey);
            assert!(error.message().contains(word) && !error.message().to_lowercase().contains("canary"), "{error}");
        }
    }

    #[test]
    fn each_malformed_value_names_key_form_and_source_and_never_the_value() {
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
                assert_eq!(config.get(key), None);
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
