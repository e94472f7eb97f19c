//! The URL of a Redis server.
//!
//! User and password are not given to a URL parser, because the parser would not wipe its copies.

use zeroize::Zeroizing;

use super::proxy::{decoded, server};
use super::split_scheme;
use crate::secret::Secret;

/// A Redis server, and how to log in at it.
#[derive(Clone)]
pub struct RedisUrl {
    /// Whether the connection uses TLS (`rediss://`).
    pub tls: bool,
    /// Its host, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Host and port (IPv6 in brackets), which a message may show.
    pub shown: String,
    /// The user; `None`: the default user.
    pub user: Option<Secret>,
    /// The password; `None`: no login.
    pub password: Option<Secret>,
    /// The number of the database.
    pub database: u32,
}

/// The advice for a URL whose parts cannot be separated.
const ADVICE: &str =
    "percent-encode special characters of its user and password, such as `/` as `%2F` and `@` as `%40`";

impl RedisUrl {
    /// Parses `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`. The error says why the URL is not valid and shows no
    /// part of the URL after the scheme.
    pub fn parse(url: &str) -> Result<RedisUrl, String> {
        let (scheme, rest) = split_scheme(url).ok_or("it has no scheme")?;
        let tls = match scheme {
            "redis" => false,
            "rediss" => true,
            _ => return Err(format!("the scheme `{scheme}` is not supported; only `redis` and `rediss` are")),
        };
        if rest.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(format!("it contains a space or a control character; {ADVICE}"));
        }
        let (login, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        if login.contains(['@', '/', '?', '#']) || place.contains(['?', '#']) {
            return Err(format!(
                "it has a query, a fragment, or a special character in its user or password; {ADVICE}"
            ));
        }
        let (place, database) = place.split_once('/').unwrap_or((place, ""));
        let database = match database {
            "" => 0,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| "the number of its database is too large")?
            }
            _ => return Err("what follows the host is not the number of a database".to_owned()),
        };
        let (host, port, shown) =
            server(place, 6379).ok_or("it has no valid host and port; write it as `redis://host:port`")?;
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, password),
            None if login.is_empty() => ("", ""),
            None => return Err("its user has no password; write it as `redis://user:password@host`".to_owned()),
        };
        Ok(RedisUrl { tls, host, port, shown, user: text(user)?, password: text(password)?, database })
    }
}

/// A percent-encoded part; `None`: it is empty.
fn text(part: &str) -> Result<Option<Secret>, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(part.len()));
    bytes.extend(decoded(part)?);
    let text = Secret::from_utf8(bytes).ok_or("its user or password is not UTF-8")?;
    Ok(Some(text).filter(|text| !text.expose().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts = (bool, String, u16, Option<String>, Option<String>, u32);

    fn parsed(url: &str) -> Result<Parts, String> {
        let text = |secret: Option<Secret>| secret.map(|secret| secret.expose().to_owned());
        RedisUrl::parse(url).map(|url| (url.tls, url.host, url.port, text(url.user), text(url.password), url.database))
    }

    #[test]
    fn the_parts_of_a_url() {
        let some = |text: &str| Some(text.to_owned());
        for (url, wanted) in [
            ("redis://h", (false, "h".to_owned(), 6379, None, None, 0)),
            ("rediss://h:1/2", (true, "h".to_owned(), 1, None, None, 2)),
            ("redis://:p@h/", (false, "h".to_owned(), 6379, None, some("p"), 0)),
            ("redis://u:p%40%2f@[::1]:7/15", (false, "::1".to_owned(), 7, some("u"), some("p@/"), 15)),
        ] {
            assert_eq!(parsed(url), Ok(wanted), "{url}");
        }
    }

    #[test]
    fn a_url_that_is_not_valid_is_refused_and_not_shown() {
        for (url, why) in [
            ("redis+sentinel://canary", "is not supported"),
            ("redis://", "host and port"),
            ("redis://canary:0", "host and port"),
            ("redis://canary:99999", "host and port"),
            ("redis://h/canary", "number of a database"),
            ("redis://h/99999999999", "too large"),
            ("redis://canary@h", "has no password"),
            ("redis://u:can/ary@h", "special character"),
            ("redis://u:%-canary@h", "hexadecimal"),
            ("redis://h?canary", "query"),
            ("redis://can ary", "space"),
        ] {
            let error = parsed(url).unwrap_err();
            assert!(error.contains(why) && !error.contains("canary"), "{url}: {error}");
        }
    }
}
