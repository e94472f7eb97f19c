//! Addresses: the token endpoint that a URL names, hosts and ports, and the proxy.
//!
//! No I/O and no DNS.

use std::net::IpAddr;

use ureq::http::Uri;
use ureq::http::uri::Authority;

mod proxy;
#[cfg(feature = "redis")]
mod redis;
pub use proxy::{Proxy, bypasses, split_scheme};
#[cfg(feature = "redis")]
pub use redis::RedisUrl;

/// The token endpoint of a URL. The error says why the URL cannot be used.
pub fn endpoint(url: &str, allow_http: bool) -> Result<String, String> {
    let uri: Uri = url.parse().map_err(|_| "it is not a URL")?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("it is not a URL with a scheme and a host".to_owned());
    };
    if authority.as_str().contains('@') {
        return Err("it contains credentials; give them as `username` and `password`".to_owned());
    }
    if authority.host().is_empty() || !has_valid_port(authority) {
        return Err("it has no valid host and port".to_owned());
    }
    match scheme {
        "https" => {}
        "http" if !allow_http => {
            return Err("`http` would send the password unencrypted; for a gate on this machine set `allow_http=true`"
                .to_owned());
        }
        "http" if is_loopback(authority.host()) => {}
        "http" => return Err("`http` is accepted only with a loopback address, even with `allow_http=true`".to_owned()),
        _ => return Err("its scheme is neither `https` nor `http`".to_owned()),
    }
    if url.contains('#') {
        return Err("it has a fragment".to_owned());
    }
    let path = uri.path();
    if path.ends_with("/token") {
        return Ok(uri.to_string());
    }
    if uri.query().is_some() {
        return Err("it has a query, and its path is not `…/token`".to_owned());
    }
    match path.trim_end_matches('/') {
        "" | "/api/v1" => Ok(format!("{scheme}://{authority}/token?default")),
        _ => Err("its path is not `/`, `/api/v1` or `…/token`".to_owned()),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || bare(host).parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Whether an authority has a valid port or no port.
fn has_valid_port(authority: &Authority) -> bool {
    host_and_port(authority) == authority.host() || authority.port_u16().is_some_and(|port| port != 0)
}

/// An authority without its user.
fn host_and_port(authority: &Authority) -> &str {
    authority.as_str().rsplit('@').next().unwrap_or_default()
}

/// The host of a URL as the resolver and TLS need it: an IPv6 address has no brackets.
pub fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}
