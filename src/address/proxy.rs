//! The proxy to the gate: the parser for its URL, and the hosts that bypass it because of `NO_PROXY`.
//!
//! No I/O and no DNS. User and password are not given to a URL parser, because the parser would not wipe its copies.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use ureq::http::uri::Authority;
use zeroize::Zeroizing;

use super::bare;
use crate::secret::Secret;

/// The proxy to the gate.
#[derive(Clone)]
pub struct Proxy {
    /// Whether the connection to the proxy uses TLS (`https://`).
    pub tls: bool,
    /// Its host, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Host and port (IPv6 in brackets), which a message may show.
    pub shown: String,
    /// The value of `Proxy-Authorization` ("Basic ..."), if the URL has a user. Wiped when dropped.
    pub authorization: Option<Secret>,
}

/// The advice for a URL whose parts cannot be separated.
const ADVICE: &str =
    "percent-encode special characters of its user and password, such as `/` as `%2F`, `#` as `%23` and `@` as `%40`";

impl Proxy {
    /// Parses a proxy URL. The error says why the URL is not valid and shows no part of the URL after the scheme.
    pub fn parse(url: &str) -> Result<Proxy, String> {
        let (scheme, rest) = split_scheme(url).ok_or("it has no scheme; put `http://` before the host")?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(format!("the scheme `{scheme}` is not supported; only `http` and `https` are")),
        };
        if rest.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(format!("it contains a space or a control character; {ADVICE}"));
        }
        // A URL without `@` has no password that needs percent-encoding.
        let advice = if rest.contains('@') { ADVICE } else { "write it as `http://host:port`" };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(format!("it has a path, a query or a fragment; {advice}"));
        }
        let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        if user.contains('@') {
            return Err(format!("it has more than one `@`; {ADVICE}"));
        }
        let (host, port, shown) = server(place, if tls { 443 } else { 80 })
            .ok_or_else(|| format!("it has no valid host and port; {advice}"))?;
        Ok(Proxy { tls, host, port, shown, authorization: if user.is_empty() { None } else { Some(basic(user)?) } })
    }
}

/// The scheme of a URL and what follows `://`. A password may contain `://`, so the scheme is checked (RFC 3986, 3.1).
pub fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.len() <= 16
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    valid.then_some((scheme, rest))
}

/// The host without brackets, the port, and both in the form for a message; `None`: they are not valid.
pub fn server(place: &str, default_port: u16) -> Option<(String, u16, String)> {
    let place = place.parse::<Authority>().ok().filter(has_host_and_port)?;
    let port = place.port_u16().unwrap_or(default_port);
    Some((bare(place.host()).to_owned(), port, format!("{}:{port}", place.host())))
}

/// [`Authority`] accepts any text in and after brackets, and a sign before the port.
fn has_host_and_port(place: &Authority) -> bool {
    let host = place.host();
    let valid_host =
        if host.starts_with('[') { bare(host).parse::<IpAddr>().is_ok() } else { (1..=253).contains(&host.len()) };
    let valid_port = match place.as_str().strip_prefix(host) {
        Some("") => true,
        Some(port) => port.strip_prefix(':').and_then(number).is_some_and(|port| port != 0),
        None => false,
    };
    valid_host && valid_port
}

/// The value of `Proxy-Authorization` for `user:password`, percent-encoded (RFC 7617).
fn basic(user: &str) -> Result<Secret, String> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    // Sized in advance: a buffer that grows leaves copies.
    let mut plain = Zeroizing::new(Vec::with_capacity(user.len() + 1));
    plain.extend(decoded(name)?);
    if plain.contains(&b':') {
        return Err("its user contains `:`, which Basic authentication does not allow".to_owned());
    }
    plain.push(b':');
    plain.extend(decoded(password)?);
    if plain.iter().any(u8::is_ascii_control) {
        return Err("its user or password contains a control character".to_owned());
    }
    let encoded = Zeroizing::new(STANDARD.encode(&*plain));
    Ok(Secret::new(["Basic ", encoded.as_str()].concat()))
}

pub fn decoded(text: &str) -> Result<impl Iterator<Item = u8> + '_, String> {
    let escapes_are_valid = text
        .split('%')
        .skip(1)
        .all(|rest| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)));
    if escapes_are_valid {
        return Ok(percent_decode_str(text));
    }
    Err("its user or password contains a `%` that is not followed by two hexadecimal digits; write `%` as `%25`"
        .to_owned())
}

/// Whether connections to this host bypass the proxy because of `NO_PROXY`.
///
/// The rules are those of curl, with two additions: an entry may have a port, and white space also separates entries.
/// The table in the tests lists them.
pub fn bypasses(no_proxy: &str, host: &str, port: u16) -> bool {
    let host = without_dot(bare(host)).to_ascii_lowercase();
    let entries = no_proxy.split(|c: char| c == ',' || c.is_whitespace());
    no_proxy.trim() == "*" || entries.into_iter().any(|entry| covers(&entry.to_ascii_lowercase(), &host, port))
}

/// Whether one entry matches this host. Both are in lower case.
fn covers(entry: &str, host: &str, port: u16) -> bool {
    let (entry, only) = split_port(entry);
    let entry = without_dot(entry);
    if only.is_some_and(|only| only != port) {
        return false;
    }
    match (host.parse(), network(entry)) {
        (Ok(address), Some((network, bits))) => is_inside(address, network, bits),
        (Err(_), None) => {
            let name = entry.strip_prefix('.').unwrap_or(entry);
            let before = host.strip_suffix(name).filter(|_| !name.is_empty());
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        }
        _ => false,
    }
}

/// The fully qualified form of a name ends with a dot.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Separates the host and the port. The last part of an IPv6 address without brackets is not a port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    let split = entry.rsplit_once(':').filter(|(host, _)| host.starts_with('[') || !host.contains(':'));
    match split.and_then(|(host, port)| Some((host, number(port)?))) {
        Some((host, port)) => (host, Some(port)),
        None => (entry, None),
    }
}

/// An address, or a network in CIDR notation, with the number of bits to compare.
fn network(entry: &str) -> Option<(IpAddr, u16)> {
    let (address, bits) = entry.split_once('/').map_or((entry, None), |(address, bits)| (address, Some(bits)));
    let unbracketed = address.strip_prefix('[').and_then(|address| address.strip_suffix(']'));
    let address: IpAddr = unbracketed.unwrap_or(address).parse().ok()?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(all), number)?;
    (bits <= all).then_some((address, bits))
}

fn number(digits: &str) -> Option<u16> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn is_inside(address: IpAddr, network: IpAddr, bits: u16) -> bool {
    // A shift by the whole width returns `None`. Then no bit is compared.
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (a.to_bits() ^ b.to_bits()).checked_shr(32 - u32::from(bits)).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (a.to_bits() ^ b.to_bits()).checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
