//! Addresses: the token endpoint that a URL names, hosts and ports, and the proxy.
//!
//! No I/O and no DNS.

use std::net::IpAddr;

use ureq::http::Uri;
use ureq::http::uri::Authority;

mod proxy;
pub use proxy::{Proxy, bypasses, split_scheme};

/// The token endpoint of a URL, or why there is none.
pub fn endpoint(url: &str, allow_http: bool) -> Result<String, String> {
    let uri: Uri = url.parse().map_err(|_| "it is no URL")?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("it is no URL with a scheme and a host".to_owned());
    };
    if authority.as_str().contains('@') {
        return Err("it has credentials in it; give them as `username` and `password`".to_owned());
    }
    if authority.host().is_empty() || !has_valid_port(authority) {
        return Err("it has no valid host and port".to_owned());
    }
    match scheme {
        "https" => {}
        "http" if !allow_http => {
            return Err(
                "`http` would send the password in clear; for a gate on this machine set `allow_http=true`".to_owned()
            );
        }
        "http" if is_loopback(authority.host()) => {}
        "http" => return Err("`http` is taken only to a loopback address, even with `allow_http=true`".to_owned()),
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
        _ => Err("its path is none of `/`, `/api/v1` and `…/token`".to_owned()),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || bare(host).parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Whether the port that an authority names is one, or it names none.
fn has_valid_port(authority: &Authority) -> bool {
    host_and_port(authority) == authority.host() || authority.port_u16().is_some_and(|port| port != 0)
}

/// An authority without the user in it.
fn host_and_port(authority: &Authority) -> &str {
    authority.as_str().rsplit('@').next().unwrap_or_default()
}

/// A URL's host as the resolver and TLS take it: an IPv6 address without its brackets.
pub fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}
