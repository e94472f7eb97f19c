//! The table of options: one row per option.
//!
//! This file uses no other file of the library, because `build.rs` includes it too. From these rows come the setter,
//! the environment's reader, the enumeration in C, the tables of the README and of the header, and the names in the
//! bindings. To add an option, add a row, use its value in `settings.rs`, and run `make generate`.

use std::ffi::CStr;
use std::time::Duration;

/// One option.
#[derive(Debug)]
pub struct OptionRow {
    /// The name, as `dl_auth_config_key` returns it.
    pub c_name: &'static CStr,
    /// The name.
    pub name: &'static str,
    /// What a value is, its range and its default.
    pub kind: Kind,
    /// What the option does, in sentences.
    pub doc: &'static str,
}

/// What the value of an option is.
#[derive(Debug)]
pub enum Kind {
    /// Text that is not empty.
    Text,
    /// The path of a file. The text says which file.
    Path(&'static str),
    /// A JWT.
    Token,
    /// The URL of the gate.
    Url,
    /// The URL of a proxy, or `none`.
    Proxy,
    /// A whole number and `ms`, `s` or `m`.
    Duration {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
        /// If it is not set.
        default: Duration,
    },
    /// A decimal fraction. All numbers are tenths.
    Tenths {
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
        /// If it is not set.
        default: u32,
    },
    /// A whole number.
    Count {
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
        /// If it is not set.
        default: u32,
    },
    /// One of these words. The first one is the default.
    Choice(&'static [Choice]),
    /// `true` or `false`.
    Flag {
        /// If it is not set.
        default: bool,
    },
    /// A store that processes share.
    Store,
    /// Visible ASCII characters and spaces.
    Ascii {
        /// The largest number of characters.
        max: usize,
    },
}

/// A word that an option accepts, and what it means.
#[derive(Debug)]
pub struct Choice {
    /// The value.
    pub value: &'static str,
    /// What it means. For `environment`: the URL of the gate.
    pub meaning: &'static str,
}

impl OptionRow {
    /// The environment variable that sets the option.
    pub fn variable(&self) -> String {
        format!("DL_AUTH_{}", self.name.to_ascii_uppercase())
    }

    /// What a value must be: the end of a sentence.
    pub fn form(&self) -> String {
        match self.kind {
            Kind::Text => "text, not empty".to_owned(),
            Kind::Path(file) => format!("the path of {file}"),
            Kind::Token => "a JWT with an `exp` in the future".to_owned(),
            Kind::Url => "an https URL without credentials: of a gate, with no path, `/api/v1` or `/token`".to_owned(),
            Kind::Proxy => "an http or https URL, or `none`".to_owned(),
            Kind::Duration { min, max, .. } => {
                format!("a duration from {} to {}, such as 500ms, 30s or 2m", duration(min), duration(max))
            }
            Kind::Tenths { min, max, .. } => format!("a number from {} to {}", tenths(min), tenths(max)),
            Kind::Count { min, max, .. } => format!("a whole number from {min} to {max}"),
            Kind::Choice(choices) => {
                let words: Vec<String> = choices.iter().map(|choice| format!("`{}`", choice.value)).collect();
                match words.split_last() {
                    Some((last, [])) => last.clone(),
                    Some((last, others)) => format!("{} or {last}", others.join(", ")),
                    None => String::new(),
                }
            }
            Kind::Flag { .. } => "`true` or `false`".to_owned(),
            Kind::Store => {
                "`none`, `file:DIR` or `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]` (with TLS: `rediss://`)"
                    .to_owned()
            }
            Kind::Ascii { max } => format!("visible ASCII characters and spaces, at most {max}"),
        }
    }

    /// The default as the documentation words it.
    pub fn default(&self) -> String {
        match self.kind {
            Kind::Text | Kind::Path(_) | Kind::Token | Kind::Ascii { .. } => "none".to_owned(),
            Kind::Url => "by `environment`".to_owned(),
            Kind::Proxy => "`HTTPS_PROXY`, `NO_PROXY`".to_owned(),
            Kind::Duration { default, .. } => format!("`{}`", duration(default)),
            Kind::Tenths { default, .. } => format!("`{}`", tenths(default)),
            Kind::Count { default, .. } => format!("`{default}`"),
            Kind::Choice(choices) => format!("`{}`", choices.first().map_or("", |choice| choice.value)),
            Kind::Flag { default } => format!("`{default}`"),
            Kind::Store => "`none`".to_owned(),
        }
    }

    /// What the option does and what each word means, in sentences.
    pub fn description(&self) -> String {
        let Kind::Choice(choices) = self.kind else { return self.doc.to_owned() };
        let words: Vec<String> =
            choices.iter().map(|choice| format!("`{}`: {}", choice.value, choice.meaning)).collect();
        format!("{} {}.", self.doc, words.join("; "))
    }
}

fn duration(time: Duration) -> String {
    match time.as_millis() {
        ms if ms > 0 && ms % 60_000 == 0 => format!("{}m", ms / 60_000),
        ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
        ms => format!("{ms}ms"),
    }
}

fn tenths(number: u32) -> String {
    format!("{}.{}", number / 10, number % 10)
}

const fn row(c_name: &'static CStr, kind: Kind, doc: &'static str) -> OptionRow {
    // At compile time: `config::find` compares names and is called for every option of every handle.
    let name = match c_name.to_str() {
        Ok(name) => name,
        Err(_) => "",
    };
    OptionRow { c_name, name, kind, doc }
}

const fn choice(value: &'static str, meaning: &'static str) -> Choice {
    Choice { value, meaning }
}

const MS: Duration = Duration::from_millis(1);

const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

const fn minutes(number: u64) -> Duration {
    Duration::from_secs(60 * number)
}

/// All options, in the order of the README's table.
pub static OPTIONS: &[OptionRow] = &[
    row(c"username", Kind::Text, "The user or the bot to log in as."),
    row(c"password", Kind::Text, "The password of `username`. The library wipes its copies of it and never logs it."),
    row(
        c"password_file",
        Kind::Path("a regular file that holds the password"),
        "A file with the password. It is read when a handle is made and each time before its password is sent. While \
         the gate refuses the password, it is read at most once per second. A line end at the end of the file is not \
         part of the password.",
    ),
    row(
        c"token",
        Kind::Token,
        "A ready token, such as an API key. It is returned until its `exp` and is never refreshed. It cannot be set \
         together with the credentials.",
    ),
    row(
        c"environment",
        Kind::Choice(&[
            choice("prod", "https://gate.dataloop.ai"),
            choice("rc", "https://rc-gate.dataloop.ai"),
            choice("dev", "https://dev-gate.dataloop.ai"),
            choice("new-dev", "https://custom1-gate.dataloop.ai"),
            choice("aws", "https://poc-gate.dataloop.ai"),
            choice("local", "https://localhost:8443"),
        ]),
        "The environment of the service: it selects the gate. `url` has priority over it.",
    ),
    row(
        c"url",
        Kind::Url,
        "The gate to log in at. An `http` URL is accepted only with a loopback address and with `allow_http=true`.",
    ),
    row(
        c"ca_file",
        Kind::Path("a file with at least one certificate: PEM, or one certificate as DER"),
        "Certificates to trust in addition to the roots, or a self-signed server certificate itself. The file is read \
         when a handle is made.",
    ),
    row(
        c"tls_roots",
        Kind::Choice(&[
            choice(
                "auto",
                "the system's roots; the bundled roots if the system has none, and on Windows also if it lacks the issuer",
            ),
            choice("system", "only the system's roots"),
            choice("bundled", "only the roots in this library"),
            choice("ca_file_only", "only the certificates in `ca_file`"),
        ]),
        "The root certificates to trust.",
    ),
    row(
        c"proxy",
        Kind::Proxy,
        "The proxy to the gate. Percent-encode special characters of user and password. `none`: no proxy, even if the \
         environment sets one. `NO_PROXY` is a list of hosts, read as curl reads it: the library bypasses the proxy of \
         `HTTPS_PROXY` for these hosts and their subdomains.",
    ),
    row(
        c"connect_timeout",
        Kind::Duration { min: MS, max: minutes(5), default: seconds(10) },
        "The maximum time for one connection, TLS included and DNS not included.",
    ),
    row(
        c"timeout",
        Kind::Duration { min: MS, max: minutes(10), default: seconds(30) },
        "The maximum time for one whole refresh, DNS and retries included.",
    ),
    row(
        c"wait",
        Kind::Duration { min: Duration::ZERO, max: minutes(10), default: seconds(30) },
        "The maximum time that `dl_auth_token` blocks while there is no valid token.",
    ),
    row(
        c"refresh",
        Kind::Choice(&[
            choice("on_demand", "a call that finds that a refresh is due"),
            choice("background", "such a call, and also a timer, which needs no call"),
        ]),
        "What starts a refresh.",
    ),
    row(
        c"refresh_at",
        Kind::Tenths { min: 1, max: 9, default: 8 },
        "The part of a token's life after which a refresh is due.",
    ),
    row(c"refresh_grant", Kind::Flag { default: true }, "Whether to use the refresh token before the password."),
    row(
        c"max_attempts",
        Kind::Count { min: 1, max: 10, default: 3 },
        "The maximum number of attempts in one refresh. Only failures that may be temporary are retried.",
    ),
    row(
        c"store",
        Kind::Store,
        "Where processes share a token, a failure and a refusal. `file:DIR`: a directory (an absolute path) that the \
         processes of one user on one machine use. `redis://`, or `rediss://` with TLS: a Redis server that the machines of a fleet use. What is \
         shared is encrypted with the credentials. A library that was built without Redis refuses such a URL with \
         `DL_AUTH_E_UNSUPPORTED`.",
    ),
    row(
        c"store_required",
        Kind::Flag { default: false },
        "Whether a refresh fails with `DL_AUTH_E_STORE` if the store cannot be used, instead of a login that is not \
         shared. It has no effect without a `store`.",
    ),
    row(c"user_agent", Kind::Ascii { max: 200 }, "Text that is appended to `dl_auth/VERSION` in each request."),
    row(
        c"allow_http",
        Kind::Flag { default: false },
        "Whether to accept an `http` URL with a loopback address. This is for tests.",
    ),
];
