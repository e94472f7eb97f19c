//! The settings of a handle. A value by call has priority over the environment, which has priority over the default.
//! This file checks what depends on more than one option or on a file.
//!
//! Two options with the same purpose are a pair. If a call sets one of them, the environment's value of the other one
//! is not used. So credentials never go to a gate that they are not meant for, and a token is never combined with
//! credentials. The environment is read only here, once per handle.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use ureq::http::Uri;
use zeroize::Zeroizing;

use crate::address::{self, Proxy};
use crate::config::{self, Config, Value};
use crate::credentials::{self, Credentials};
use crate::environ::Value as Variable;
use crate::error::{Error, Status};
use crate::jwt::Jwt;
use crate::options::OptionRow;
use crate::secret::Secret;
use crate::trust::{Base, Roots, SystemPaths};

/// The source of a handle's first token.
#[derive(Debug)]
pub enum Origin {
    /// A login at the gate with these credentials.
    Login(Credentials),
    /// A ready token of the configuration. It is returned until it expires.
    Ready(Box<Jwt>),
}

/// The settings of a handle.
pub struct Settings {
    /// Credentials or a ready token.
    pub origin: Origin,
    /// The token endpoint.
    pub endpoint: String,
    /// The root certificates to trust.
    pub roots: Roots,
    /// The proxy to the gate.
    pub proxy: Option<Proxy>,
    /// The maximum time for one connection.
    pub connect_timeout: Duration,
    /// The maximum time for one refresh.
    pub timeout: Duration,
    /// The maximum time that a call blocks.
    pub wait: Duration,
    /// The part of a token's life after which a refresh is due.
    pub refresh_at: f64,
    /// Whether a timer also starts refreshes.
    pub background: bool,
    /// Whether the refresh token is used.
    pub refresh_grant: bool,
    /// The maximum number of attempts in one refresh.
    pub max_attempts: u32,
    /// The store that the handle shares with other processes.
    pub store: Option<crate::store::Place>,
    /// Whether a refresh fails if the store cannot be used.
    pub store_required: bool,
    /// The whole `User-Agent`.
    pub user_agent: String,
}

impl Settings {
    /// Combines a configuration with the environment that `env` reads. `now` is the wall clock, in Unix seconds.
    pub fn resolve(config: &Config, env: impl Fn(&str) -> Option<OsString>, now: i64) -> Result<Settings, Error> {
        let sources = Sources { config, env: &env };
        let allow_http = sources.value("allow_http", Value::flag)?;
        let endpoint = sources.endpoint(allow_http)?;
        Ok(Settings {
            origin: sources.origin(now)?,
            roots: sources.roots()?,
            proxy: sources.proxy(&endpoint)?,
            endpoint,
            connect_timeout: sources.value("connect_timeout", Value::duration)?,
            timeout: sources.value("timeout", Value::duration)?,
            wait: sources.value("wait", Value::duration)?,
            refresh_at: sources.value("refresh_at", Value::fraction)?,
            background: sources.value("refresh", Value::choice)?.value == "background",
            refresh_grant: sources.value("refresh_grant", Value::flag)?,
            max_attempts: sources.value("max_attempts", Value::count)?,
            store: sources.value("store", Value::store)?,
            store_required: sources.value("store_required", Value::flag)?,
            user_agent: match sources.text("user_agent", &[])? {
                Some(more) => format!("dl_auth/{} {}", env!("CARGO_PKG_VERSION"), more.value.expose()),
                None => format!("dl_auth/{}", env!("CARGO_PKG_VERSION")),
            },
        })
    }
}

/// A value and its source.
struct Given<T> {
    option: &'static OptionRow,
    value: T,
    source: Cow<'static, str>,
}

impl<T> Given<T> {
    fn invalid(&self, why: impl AsRef<str>) -> Error {
        config::invalid(self.option, &self.source, why.as_ref())
    }
}

impl Given<Secret> {
    fn path(&self) -> &Path {
        Path::new(self.value.expose())
    }
}

struct Sources<'a> {
    config: &'a Config,
    env: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Sources<'_> {
    /// A variable of the environment. An empty variable counts as unset.
    fn variable(&self, name: &str) -> Option<Variable> {
        (self.env)(name).and_then(Variable::new)
    }

    fn by_call(&self, name: &str) -> bool {
        self.config.get(name).is_some()
    }

    /// The value of an option: by call, or from the environment. If a call sets one of `hidden_by`, the environment is
    /// not used.
    #[inline(never)]
    fn lookup(&self, option: &'static OptionRow, hidden_by: &[&str]) -> Result<Option<Given<Value>>, Error> {
        if let Some(value) = self.config.get(option.name) {
            return Ok(Some(Given { option, value: value.clone(), source: config::SET_BY_CALL.into() }));
        }
        if hidden_by.iter().any(|other| self.by_call(other)) {
            return Ok(None);
        }
        let Some(value) = self.variable(&option.variable()) else { return Ok(None) };
        let source = format!("from {}", option.variable());
        let text = value.text().ok_or_else(|| config::invalid(option, &source, NOT_UTF8))?;
        Ok(Some(Given { option, value: config::parse(option, &text, &source)?, source: source.into() }))
    }

    /// The value of an option that has a default.
    #[inline(never)] // there are many calls: each inlined copy adds to the library's size
    fn given<T>(&self, name: &str, take: fn(Value) -> Option<T>) -> Result<Given<T>, Error> {
        let option = config::find(name)?;
        let (value, source) = match self.lookup(option, &[])? {
            Some(given) => (Some(given.value), given.source),
            None => (config::default(option), "the default".into()),
        };
        let value = value.and_then(take).ok_or_else(|| wrong_kind(name))?;
        Ok(Given { option, value, source })
    }

    fn value<T>(&self, name: &str, take: fn(Value) -> Option<T>) -> Result<T, Error> {
        Ok(self.given(name, take)?.value)
    }

    /// The value of an option that is text and has no default.
    #[inline(never)]
    fn text(&self, name: &str, hidden_by: &[&str]) -> Result<Option<Given<Secret>>, Error> {
        let Some(Given { option, value, source }) = self.lookup(config::find(name)?, hidden_by)? else {
            return Ok(None);
        };
        let value = value.text().ok_or_else(|| wrong_kind(name))?;
        Ok(Some(Given { option, value, source }))
    }

    fn origin(&self, now: i64) -> Result<Origin, Error> {
        const CREDENTIALS: [&str; 3] = ["username", "password", "password_file"];
        let token = self.text("token", &CREDENTIALS)?;
        let username = self.text("username", &["token"])?;
        let password = self.text("password", &["token", "password_file"])?;
        let file = self.text("password_file", &["token", "password"])?;
        if let Some(token) = token {
            if let Some(other) = [username, password, file].into_iter().flatten().next() {
                let other = other.option.name;
                return Err(
                    token.invalid(format!("it excludes the credentials, but `{other}` is set in the same source"))
                );
            }
            return ready(token, now);
        }
        let password_file = file.as_ref().map(|file| file.path().to_owned());
        let password = match (password, file) {
            (Some(password), Some(file)) => {
                let (one, other) = (password.source, file.source);
                let message =
                    format!("`password` ({one}) and `password_file` ({other}) exclude each other; remove one of them");
                return Err(Error::new(Status::InvalidValue, message));
            }
            (Some(password), None) => Some(password.value),
            (None, Some(file)) => Some(credentials::read_password(file.path()).map_err(|why| file.invalid(why))?),
            (None, None) => None,
        };
        let missing = match (username, password) {
            (Some(username), Some(password)) => {
                return Ok(Origin::Login(Credentials { username: username.value, password, password_file }));
            }
            (None, Some(_)) => "no username: set `username` or DL_AUTH_USERNAME",
            (Some(_), None) => {
                "no password: set `password`, `password_file`, DL_AUTH_PASSWORD or DL_AUTH_PASSWORD_FILE"
            }
            (None, None) => {
                "no credentials: set `username`, and `password` or `password_file`; or DL_AUTH_USERNAME, and \
                 DL_AUTH_PASSWORD or DL_AUTH_PASSWORD_FILE; or a ready `token`"
            }
        };
        Err(Error::new(Status::NoCredentials, missing))
    }

    fn endpoint(&self, allow_http: bool) -> Result<String, Error> {
        let Some(url) = self.text("url", &["environment"])? else {
            let gate = self.value("environment", Value::choice)?.meaning;
            return Ok(format!("{gate}/token?default"));
        };
        address::endpoint(url.value.expose(), allow_http).map_err(|why| url.invalid(why))
    }

    fn roots(&self) -> Result<Roots, Error> {
        let ca = match self.text("ca_file", &[])? {
            Some(file) => crate::file::read_configured(file.path())
                .and_then(|pem| crate::trust::read_ca(&pem))
                .map_err(|why| file.invalid(why))?,
            None => Vec::new(),
        };
        let system = || SystemPaths::find(|name| self.variable(name).map(|value| value.path()));
        let kind = self.given("tls_roots", Value::choice)?;
        let base = match kind.value.value {
            "ca_file_only" if ca.is_empty() => return Err(kind.invalid("`ca_file_only` needs a `ca_file`")),
            "ca_file_only" => Base::Nothing,
            "bundled" => Base::Bundled,
            "system" => Base::System(system()),
            _ => Base::SystemElseBundled(system()),
        };
        let roots = Roots { base, ca };
        roots.check()?;
        Ok(roots)
    }

    fn proxy(&self, endpoint: &str) -> Result<Option<Proxy>, Error> {
        let in_clear = endpoint.starts_with("http:");
        let option = config::find("proxy")?;
        if let Some(given) = self.lookup(option, &[])? {
            if in_clear && matches!(given.value, Value::Proxy(Some(_))) {
                return Err(given.invalid(
                    "`url` is an `http` URL, which is for a gate on this machine, and a proxy could read the password; set `none`",
                ));
            }
            return Ok(given.value.proxy().ok_or_else(|| wrong_kind("proxy"))?.map(|proxy| *proxy));
        }
        let Some((variable, url)) = self.first_of(["HTTPS_PROXY", "https_proxy"]) else { return Ok(None) };
        if in_clear || self.no_proxy_covers(endpoint)? {
            return Ok(None); // the variable is not used, and may be malformed
        }
        match proxy_of_environment(&url) {
            Ok(proxy) => Ok(Some(proxy)),
            Err(why) => Err(config::invalid(option, &format!("from {variable}"), &why)),
        }
    }

    /// The first of these variables that is set.
    fn first_of(&self, names: [&'static str; 2]) -> Option<(&'static str, Variable)> {
        names.into_iter().find_map(|name| Some((name, self.variable(name)?)))
    }

    fn no_proxy_covers(&self, endpoint: &str) -> Result<bool, Error> {
        let Some((variable, list)) = self.first_of(["NO_PROXY", "no_proxy"]) else { return Ok(false) };
        let invalid = || Error::new(Status::InvalidValue, format!("{variable} cannot be used: {NOT_UTF8}"));
        let list = list.text().ok_or_else(invalid)?;
        let uri = endpoint.parse::<Uri>().unwrap_or_default();
        Ok(address::bypasses(&list, uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(443)))
    }
}

fn wrong_kind(name: &str) -> Error {
    Error::new(Status::Internal, format!("the value of `{name}` has the wrong kind"))
}

/// The problem of a variable that is not text.
const NOT_UTF8: &str = "it is not UTF-8";

/// Parses `HTTPS_PROXY`. By custom, it may have no scheme.
fn proxy_of_environment(url: &Variable) -> Result<Proxy, String> {
    let url = url.text().ok_or(NOT_UTF8)?;
    match address::split_scheme(&url) {
        Some(_) => Proxy::parse(&url),
        None => Proxy::parse(&Zeroizing::new(["http://", url.as_str()].concat())),
    }
}

fn ready(token: Given<Secret>, now: i64) -> Result<Origin, Error> {
    let jwt = Jwt::decode(token.value.clone()).map_err(|error| token.invalid(error.message()))?;
    if jwt.text().len() > crate::jwt::TOKEN_MAX {
        return Err(token.invalid("it is longer than 8191 bytes"));
    }
    match jwt.expect_expiry() {
        Err(error) => Err(token.invalid(error.message())),
        Ok(expiry) if expiry <= now => {
            Err(token.invalid(format!("it expired {} s ago by this machine's clock", now.saturating_sub(expiry))))
        }
        Ok(_) => Ok(Origin::Ready(Box::new(jwt))),
    }
}

#[cfg(test)]
mod tests;
