//! From a configuration to what a handle runs on: values by call over the environment over the defaults, judged
//! together.
//!
//! Two options that mean one thing are a pair: a source that sets either hides the other source's pair, so that
//! credentials never go to a gate they were not meant for, nor a token beside credentials. The environment is read
//! here, once, and never again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::Uri;
use zeroize::Zeroizing;

use crate::address::{self, Proxy};
use crate::config::{self, Config, Key};
use crate::credentials::{self, Credentials};
use crate::environ::Value;
use crate::error::{Error, Status};
use crate::jwt::Jwt;
use crate::secret::Secret;
use crate::trust::{Base, Roots, SystemPaths};

/// Where a handle's first token comes from.
#[derive(Debug)]
pub enum Origin {
    /// The gate, in exchange for these.
    Login(Credentials),
    /// The configuration: it is handed out until it ends.
    Ready(Box<Jwt>),
}

/// All that a handle needs to know.
pub struct Settings {
    /// Credentials or a ready token.
    pub origin: Origin,
    /// The token endpoint.
    pub endpoint: String,
    /// Whom to trust.
    pub roots: Roots,
    /// The proxy that the gate is reached through.
    pub proxy: Option<Proxy>,
    /// The most that a connection may take.
    pub connect_timeout: Duration,
    /// The most that a refresh may take.
    pub timeout: Duration,
    /// The most that a caller is held.
    pub wait: Duration,
    /// The part of a token's life after which a refresh is due.
    pub refresh_at: f64,
    /// Whether a timer starts refreshes as well.
    pub background: bool,
    /// Whether the refresh token is used.
    pub refresh_grant: bool,
    /// Tries within one refresh.
    pub max_attempts: u32,
    /// The whole `User-Agent`.
    pub user_agent: String,
}

impl Settings {
    /// Judges a configuration together with the environment that `env` reads. `now` is the wall clock, Unix seconds.
    pub fn resolve(config: &Config, env: impl Fn(&str) -> Option<OsString>, now: i64) -> Result<Settings, Error> {
        let sources = Sources { config, env: &env };
        let text = |name| sources.lookup(name, &[]);
        let allow_http = sources.parsed("allow_http", config::boolean)?;
        if text("store")?.is_some_and(|given| !given.is("none")) {
            return Err(Error::new(
                Status::Unsupported,
                "this version of dl_auth is built without shared stores: `store` can only be `none`",
            ));
        }
        sources.parsed("store_required", config::boolean)?;
        let endpoint = sources.endpoint(allow_http)?;
        Ok(Settings {
            origin: sources.origin(now)?,
            roots: sources.roots()?,
            proxy: sources.proxy(&endpoint)?,
            endpoint,
            connect_timeout: sources.parsed("connect_timeout", config::duration)?,
            timeout: sources.parsed("timeout", config::duration)?,
            wait: sources.parsed("wait", config::duration)?,
            refresh_at: sources.parsed("refresh_at", config::fraction)?,
            background: text("refresh")?.is_some_and(|given| given.is("background")),
            refresh_grant: sources.parsed("refresh_grant", config::boolean)?,
            max_attempts: sources.parsed("max_attempts", config::count)?,
            user_agent: match text("user_agent")? {
                Some(more) => format!("dl_auth/{} {}", env!("CARGO_PKG_VERSION"), more.value.as_str()),
                None => format!("dl_auth/{}", env!("CARGO_PKG_VERSION")),
            },
        })
    }
}

/// A value and who gave it.
struct Given {
    key: &'static Key,
    value: Zeroizing<String>,
    by_call: bool,
}

impl Given {
    fn is(&self, text: &str) -> bool {
        self.value.as_str() == text
    }

    fn source(&self) -> String {
        if self.by_call { "set by call".to_owned() } else { format!("from {}", self.key.variable()) }
    }

    fn invalid(&self, why: impl AsRef<str>) -> Error {
        self.key.invalid(&self.source(), why.as_ref())
    }

    fn secret(self) -> Secret {
        Secret::new(self.value.to_string())
    }
}

struct Sources<'a> {
    config: &'a Config,
    env: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Sources<'_> {
    /// A variable of the environment; an empty one counts as unset.
    fn variable(&self, name: &str) -> Option<Value> {
        (self.env)(name).and_then(Value::new)
    }

    fn by_call(&self, name: &str) -> bool {
        self.config.get(name).is_some()
    }

    /// The value of a key: by call, else from the environment unless the call sets one of `hidden_by`.
    #[inline(never)]
    fn lookup(&self, name: &str, hidden_by: &[&str]) -> Result<Option<Given>, Error> {
        let key = config::find(name)?;
        if let Some(value) = self.config.get(name) {
            return Ok(Some(Given { key, value: Zeroizing::new(value.to_owned()), by_call: true }));
        }
        if hidden_by.iter().any(|other| self.by_call(other)) {
            return Ok(None);
        }
        let Some(value) = self.variable(&key.variable()) else { return Ok(None) };
        let value = value.text().ok_or_else(|| key.invalid(&format!("from {}", key.variable()), NOT_UTF8))?;
        let given = Given { key, value, by_call: false };
        key.accept(&given.value, &given.source())?;
        Ok(Some(given))
    }

    /// The value of a key that has a default, parsed.
    #[inline(never)] // as often as it is called, each copy adds to the library's size
    fn parsed<T>(&self, name: &str, parse: fn(&str) -> Option<T>) -> Result<T, Error> {
        let given = self.lookup(name, &[])?;
        let value = given.as_ref().map_or(config::find(name)?.default, |given| given.value.as_str());
        parse(value).ok_or_else(|| Error::new(Status::Internal, format!("the default of `{name}` does not parse")))
    }

    fn origin(&self, now: i64) -> Result<Origin, Error> {
        const CREDENTIALS: [&str; 3] = ["username", "password", "password_file"];
        let token = self.lookup("token", &CREDENTIALS)?;
        let username = self.lookup("username", &["token"])?;
        let password = self.lookup("password", &["token", "password_file"])?;
        let file = self.lookup("password_file", &["token", "password"])?;
        if let Some(token) = token {
            if let Some(other) = [username, password, file].into_iter().flatten().next() {
                let other = other.key.name();
                return Err(
                    token.invalid(format!("it excludes the credentials, and `{other}` is set in the same place"))
                );
            }
            return ready(token, now);
        }
        let password_file = file.as_ref().map(|file| PathBuf::from(file.value.as_str()));
        let password = match (password, file) {
            (Some(password), Some(file)) => {
                let (one, other) = (password.source(), file.source());
                let message =
                    format!("`password` ({one}) and `password_file` ({other}) exclude each other; remove one");
                return Err(Error::new(Status::InvalidValue, message));
            }
            (Some(password), None) => Some(password.secret()),
            (None, Some(file)) => {
                Some(credentials::read_password(Path::new(file.value.as_str())).map_err(|why| file.invalid(why))?)
            }
            (None, None) => None,
        };
        let missing = match (username, password) {
            (Some(username), Some(password)) => {
                return Ok(Origin::Login(Credentials { username: username.secret(), password, password_file }));
            }
            (None, Some(_)) => "no username: set `username` or DL_AUTH_USERNAME",
            (Some(_), None) => {
                "no password: set `password`, `password_file`, DL_AUTH_PASSWORD or DL_AUTH_PASSWORD_FILE"
            }
            (None, None) => {
                "no credentials: set `username` and `password`, or DL_AUTH_USERNAME and DL_AUTH_PASSWORD, or a ready `token`"
            }
        };
        Err(Error::new(Status::NoCredentials, missing))
    }

    fn endpoint(&self, allow_http: bool) -> Result<String, Error> {
        let Some(url) = self.lookup("url", &["environment"])? else {
            let environment = self.lookup("environment", &["url"])?;
            let name = environment.as_ref().map_or("prod", |given| given.value.as_str());
            let gate =
                config::gate_of(name).ok_or_else(|| Error::new(Status::Internal, "an environment has no gate"))?;
            return Ok(format!("{gate}/token?default"));
        };
        address::endpoint(&url.value, allow_http).map_err(|why| url.invalid(why))
    }

    fn roots(&self) -> Result<Roots, Error> {
        let ca = match self.lookup("ca_file", &[])? {
            Some(file) => credentials::read(Path::new(file.value.as_str()))
                .and_then(|pem| crate::trust::read_ca(&pem))
                .map_err(|why| file.invalid(why))?,
            None => Vec::new(),
        };
        let system = || SystemPaths::find(|name| self.variable(name).map(|value| value.path()));
        let base = match self.lookup("tls_roots", &[])? {
            Some(kind) if kind.is("ca_file_only") && ca.is_empty() => {
                return Err(kind.invalid("`ca_file_only` needs a `ca_file`"));
            }
            Some(kind) if kind.is("ca_file_only") => Base::Nothing,
            Some(kind) if kind.is("bundled") => Base::Bundled,
            Some(kind) if kind.is("system") => Base::System(system()),
            _ => Base::SystemElseBundled(system()),
        };
        let roots = Roots { base, ca };
        roots.check()?;
        Ok(roots)
    }

    fn proxy(&self, endpoint: &str) -> Result<Option<Proxy>, Error> {
        let in_clear = endpoint.starts_with("http:");
        if let Some(given) = self.lookup("proxy", &[])? {
            return match given.value.as_str() {
                "none" => Ok(None),
                _ if in_clear => {
                    Err(given
                        .invalid("an `http` URL is of this machine, and a proxy would read the password; set `none`"))
                }
                url => Proxy::parse(url).map(Some).map_err(|why| given.invalid(why)),
            };
        }
        let Some((variable, url)) = self.first_of(["HTTPS_PROXY", "https_proxy"]) else { return Ok(None) };
        if in_clear || self.no_proxy_covers(endpoint)? {
            return Ok(None); // the variable is not used, and may be malformed
        }
        match proxy_of_environment(&url) {
            Ok(proxy) => Ok(Some(proxy)),
            Err(why) => Err(config::find("proxy")?.invalid(&format!("from {variable}"), &why)),
        }
    }

    /// The first of these variables that is set.
    fn first_of(&self, names: [&'static str; 2]) -> Option<(&'static str, Value)> {
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

/// What is wrong with the value of a variable.
const NOT_UTF8: &str = "it is not UTF-8";

/// By custom, the scheme may be left out of `HTTPS_PROXY`.
fn proxy_of_environment(url: &Value) -> Result<Proxy, String> {
    let url = url.text().ok_or(NOT_UTF8)?;
    match address::split_scheme(&url) {
        Some(_) => Proxy::parse(&url),
        None => Proxy::parse(&Zeroizing::new(["http://", url.as_str()].concat())),
    }
}

fn ready(token: Given, now: i64) -> Result<Origin, Error> {
    let jwt = Jwt::decode(Secret::new(token.value.to_string())).map_err(|error| token.invalid(error.message()))?;
    if jwt.text().len() > crate::jwt::TOKEN_MAX {
        return Err(token.invalid("it is longer than 8191 bytes"));
    }
    match jwt.expect_expiry() {
        Err(error) => Err(token.invalid(error.message())),
        Ok(expiry) if expiry <= now => {
            Err(token.invalid(format!("it ended {} s ago by this machine's clock", now.saturating_sub(expiry))))
        }
        Ok(_) => Ok(Origin::Ready(Box::new(jwt))),
    }
}

#[cfg(test)]
mod tests;
