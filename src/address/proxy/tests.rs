//! Tables of proxy URLs, and of hosts that bypass the proxy because of `NO_PROXY`.

use super::*;

fn login(url: &str) -> Option<String> {
    let authorization = Proxy::parse(url).unwrap().authorization?;
    let encoded = authorization.expose().strip_prefix("Basic ").unwrap().to_owned();
    Some(String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap())
}

#[test]
fn a_proxy_url_gives_a_scheme_a_host_and_a_port() {
    for (url, tls, host, port, shown) in [
        ("http://p.invalid:3128", false, "p.invalid", 3128, "p.invalid:3128"),
        ("http://p.invalid", false, "p.invalid", 80, "p.invalid:80"),
        ("https://p.invalid", true, "p.invalid", 443, "p.invalid:443"),
        ("https://p.invalid:8443/", true, "p.invalid", 8443, "p.invalid:8443"),
        ("HTTP://P.invalid:65535/", false, "P.invalid", 65535, "P.invalid:65535"),
        ("HttpS://10.0.0.1:1", true, "10.0.0.1", 1, "10.0.0.1:1"),
        ("http://[::1]:3128", false, "::1", 3128, "[::1]:3128"),
        ("http://u:p@[2001:db8::1]", false, "2001:db8::1", 80, "[2001:db8::1]:80"),
        ("http://squid_1:3128", false, "squid_1", 3128, "squid_1:3128"),
    ] {
        let proxy = Proxy::parse(url).unwrap();
        assert_eq!(
            (proxy.tls, proxy.host.as_str(), proxy.port, proxy.shown.as_str()),
            (tls, host, port, shown),
            "{url}"
        );
    }
}

#[test]
fn the_user_and_the_password_are_percent_decoded_once() {
    for (url, wanted) in [
        ("http://p.invalid", None),
        ("http://@p.invalid", None),
        ("http://jdoe@p.invalid", Some("jdoe:")),
        ("http://jdoe:@p.invalid", Some("jdoe:")),
        ("http://:secret@p.invalid", Some(":secret")),
        ("http://jdoe:2024@p.invalid:3128", Some("jdoe:2024")),
        ("http://jdoe:a:b@p.invalid", Some("jdoe:a:b")),
        ("http://jdoe:a[b+c&d@p.invalid", Some("jdoe:a[b+c&d")),
        ("http://j%40x:2024%2FSummer%23%3f%25@p.invalid", Some("j@x:2024/Summer#?%")),
        ("http://jdoe:%252F@p.invalid", Some("jdoe:%2F")),
        ("http://jd%C3%B6e:p%20w@p.invalid", Some("jdöe:p w")),
        ("http://jdöe:pw@p.invalid", Some("jdöe:pw")),
        ("http://jdoe:%5B%5D%3A@p.invalid", Some("jdoe:[]:")),
    ] {
        assert_eq!(login(url).as_deref(), wanted, "{url}");
    }
    let latin = Proxy::parse("http://u:%e4@p.invalid").unwrap().authorization.unwrap();
    assert_eq!(latin.expose(), "Basic dTrk", "a password need not be UTF-8");
}

#[test]
fn the_error_of_an_invalid_url_says_why_and_shows_no_part_after_the_scheme() {
    let encode = "percent-encode";
    for (url, words) in [
        // Because of an unencoded character in the password, the parser finds a wrong host.
        ("http://jdoe:2024/Summer@127.0.0.1:3128", encode),
        ("http://jdoe:2024#Summer@127.0.0.1:3128", encode),
        ("http://jdoe:2024?Summer@127.0.0.1:3128", encode),
        ("http://jdoe:/Summer@127.0.0.1:3128", encode),
        ("http://jdoe/Summer:2024@127.0.0.1:3128", encode),
        ("http://jdoe:Sum@mer@127.0.0.1:3128", encode),
        ("http://jdoe:Summer@2024/x@127.0.0.1:3128", encode),
        ("http://jdoe:Sum mer@127.0.0.1:3128", encode),
        ("http://jdoe:Summer\n@127.0.0.1:3128", encode),
        ("http://127.0.0.1:3128/Summer", "path"),
        ("http://127.0.0.1:3128//", "path"),
        ("http://127.0.0.1:3128?Summer", "query"),
        ("http://127.0.0.1:3128/#Summer", "fragment"),
        ("https://127.0.0.1:3128#", "fragment"),
        // Host and port.
        ("http://", "no valid host and port"),
        ("http:///", "no valid host and port"),
        ("http://:3128", "no valid host and port"),
        ("http://jdoe:Summer@", "no valid host and port"),
        ("http://jdoe:Summer@:3128", "no valid host and port"),
        ("http://jdoe:Summer", "no valid host and port"),
        ("http://Summer:", "no valid host and port"),
        ("http://Summer:0", "no valid host and port"),
        ("http://Summer:65536", "no valid host and port"),
        ("http://Summer:+80", "no valid host and port"),
        ("http://Summer:80:81", "no valid host and port"),
        ("http://[Summer]:80", "no valid host and port"),
        ("http://[::1:80", "no valid host and port"),
        ("http://::1:80", "no valid host and port"),
        ("http://[::1]Summer:80", "no valid host and port"),
        ("http://jdoe:Summer@a%20b:80", "no valid host and port"),
        ("http://jdoe:Summer@[fe80::1%25eth0]:80", "no valid host and port"),
        ("http://Sümmer:80", "no valid host and port"),
        // Invalid percent-encoding, and characters that Basic authentication does not allow.
        ("http://jdoe:Summer%@p.invalid", "`%25`"),
        ("http://jdoe:Summer%2@p.invalid", "`%25`"),
        ("http://jdoe:100%Summer@p.invalid", "`%25`"),
        ("http://jd%zze:Summer@p.invalid", "`%25`"),
        ("http://jdoe:Summer%ö@p.invalid", "`%25`"),
        ("http://jdoe:Summer%0A@p.invalid", "control character"),
        ("http://jdoe%00:Summer@p.invalid", "control character"),
        ("http://jdoe%3Ax:Summer@p.invalid", "`:`"),
        // Schemes.
        ("socks5h://jdoe:Summer@p.invalid", "the scheme `socks5h` is not supported; only `http` and `https` are"),
        ("socks4://p.invalid", "`socks4`"),
        ("FTP://jdoe:Summer@p.invalid", "`FTP`"),
        ("jdoe:Summer://x@p.invalid", "no scheme"),
        ("jdoe:Summer@p.invalid:3128", "no scheme"),
        ("Summer:3128", "no scheme"),
        ("http:/Summer", "no scheme"),
        ("None", "no scheme"),
        ("", "no scheme"),
    ] {
        let why = Proxy::parse(url).err().unwrap_or_else(|| panic!("{url} is accepted"));
        assert!(why.contains(words), "{url}: {why}");
        for part in ["jdoe", "jd", "Sum", "2024", "127.0.0.1", "invalid:"] {
            assert!(!why.contains(part), "{url}: {why}");
        }
        assert!(why.len() < 300 && !why.contains('\n'), "{url}: {why}");
    }
}

const PROXY: bool = false;
const DIRECT: bool = true;

#[test]
fn the_same_hosts_bypass_the_proxy_as_in_curl() {
    for (list, host, port, bypassed) in [
        // CURLOPT_NOPROXY(3): "ample.com" matches ample.com, ample.com:80, and www.ample.com, but not www.example.com
        // or ample.com.org.
        ("ample.com", "ample.com", 443, DIRECT),
        ("ample.com", "ample.com", 80, DIRECT),
        ("ample.com", "www.ample.com", 443, DIRECT),
        ("ample.com", "www.example.com", 443, PROXY),
        ("ample.com", "ample.com.org", 443, PROXY),
        ("www.ample.com", "ample.com", 443, PROXY),
        ("", "ample.com", 443, PROXY),
        // CURLOPT_NOPROXY(3): a list of names. The only wildcard is a single `*`.
        ("localhost,.example.com,.example.de", "www.example.de", 443, DIRECT),
        ("localhost,example.com,", "example.com", 443, DIRECT),
        ("*", "example.com", 443, DIRECT),
        ("*", "10.0.0.1", 443, DIRECT),
        ("*", "::1", 443, DIRECT),
        ("*,localhost", "example.com", 443, PROXY),
        ("*.example.com", "www.example.com", 443, PROXY),
        ("**", "example.com", 443, PROXY),
        // curl's tests/unit/unit1614.c and curl 7.88: white space also separates entries, even without a comma.
        ("foo,,,,,              bar, ::1/64", "bar", 443, DIRECT),
        ("foo bar", "bar", 443, DIRECT),
        ("foo\tbar", "foo", 443, DIRECT),
        ("foo bar", "foo bar", 443, PROXY),
        (" , ", "example.com", 443, PROXY),
        // unit1614.c: case and dots.
        ("foo, bar", "BAr", 443, DIRECT),
        ("EXAMPLE.com", "www.example.COM", 443, DIRECT),
        (".example.com", "example.com", 443, DIRECT),
        (".example.com", "www.example.com", 443, DIRECT),
        (".example.com", "nonexample.com", 443, PROXY),
        ("example.com", "nonexample.com", 443, PROXY),
        ("example.com", "www.example.com.", 443, DIRECT),
        ("www.example.com.", "www.example.com", 443, DIRECT),
        (".example.com.", "www.example.com.", 443, DIRECT),
        ("..example.com", "www.example.com", 443, PROXY),
        (".", "example.com", 443, PROXY),
        (".", "example.com.", 443, PROXY),
        ("foobar", "barfoo", 443, PROXY),
        // unit1614.c: addresses.
        ("127.0.0.1,localhost", "127.0.0.1", 443, DIRECT),
        ("127.0.0.1,localhost", "localhost", 443, DIRECT),
        ("127.0.0.1", "localhost", 443, PROXY), // names are not resolved
        ("127.0.0.1", "127.0.0.11", 443, PROXY),
        ("1.2.3.4", "11.2.3.4", 443, PROXY),
        ("2.3.4", "1.2.3.4", 443, PROXY),
        (".2.3.4", "1.2.3.4", 443, PROXY),
        ("4", "1.2.3.4", 443, PROXY),
        ("192.168.0.0", "192.168.0.1", 443, PROXY),
        ("127.0.0.1.127.0.0.1", "127.0.0.1", 443, PROXY),
        ("foobar", "192.168.0.1", 443, PROXY),
        // CURLOPT_NOPROXY(3): IPv6 addresses without brackets. dl_auth also accepts brackets.
        ("example.com,::1,localhost", "::1", 443, DIRECT),
        ("example.com,::1,localhost", "[::1]", 443, DIRECT),
        ("[::1]", "::1", 443, DIRECT),
        ("0:0::1", "::1", 443, DIRECT),
        ("2001:DB8:0:0::a", "2001:db8::A", 443, DIRECT),
        ("::1", "::11", 443, PROXY),
        ("1", "::1", 443, PROXY),
        ("::1", "0.0.0.1", 443, PROXY),
        ("[::1", "::1", 443, PROXY),
        ("[127.0.0.1]", "127.0.0.1", 443, DIRECT),
        // CURLOPT_NOPROXY(3): networks in CIDR notation.
        ("192.168.0.0/16", "192.168.255.1", 443, DIRECT),
        ("192.168.0.0/16", "192.169.0.1", 443, PROXY),
        ("foo, bar, 192.168.0.0/24", "192.168.1.1", 443, PROXY),
        ("127.0.0.0/8", "127.0.0.1", 443, DIRECT),
        ("127.0.0.1/28", "127.0.0.15", 443, DIRECT),
        ("127.0.0.1/28", "127.0.0.16", 443, PROXY),
        ("10.0.0.1/32", "10.0.0.1", 443, DIRECT),
        ("10.0.0.0/32", "10.0.0.1", 443, PROXY),
        ("10.0.0.0/31", "10.0.0.1", 443, DIRECT),
        ("0.0.0.0/1", "127.255.255.255", 443, DIRECT),
        ("0.0.0.0/1", "128.0.0.0", 443, PROXY),
        ("fe80::/10", "fe80::1", 443, DIRECT),
        ("fe80::/10", "febf::1", 443, DIRECT),
        ("fe80::/10", "fec0::1", 443, PROXY),
        ("2001:db8::/32", "2001:db8:ffff::1", 443, DIRECT),
        ("[2001:db8::]/32", "2001:db8:ffff::1", 443, DIRECT),
        ("2001:db8::/128", "2001:db8::1", 443, PROXY),
        ("::1/64", "::2", 443, DIRECT),
        ("192.168.0.0/16", "::1", 443, PROXY),
        ("::/8", "0.0.0.1", 443, PROXY),
        ("10.0.0.0/8", "ten.invalid", 443, PROXY),
        // By curl's documentation, 0 network bits mean that no bit is compared. (curl up to 8.x compares all bits.)
        ("0.0.0.0/0", "10.0.0.1", 443, DIRECT),
        ("::/0", "2001:db8::1", 443, DIRECT),
        ("0.0.0.0/0", "::1", 443, PROXY),
        ("::/0", "10.0.0.1", 443, PROXY),
        ("0.0.0.0/0", "example.com", 443, PROXY),
        // unit1614.c: a mask that is too long, or that is not a number, never matches.
        ("10.0.0.1/33", "10.0.0.1", 443, PROXY),
        ("::1/129", "::1", 443, PROXY),
        ("10.0.0.1/", "10.0.0.1", 443, PROXY),
        ("10.0.0.1/x", "10.0.0.1", 443, PROXY),
        ("10.0.0.1/-8", "10.0.0.1", 443, PROXY),
        ("10.0.0.1/+8", "10.0.0.1", 443, PROXY),
        ("10.0.0.1/8/8", "10.0.0.1", 443, PROXY),
        ("10.0.0.1/99999999999", "10.0.0.1", 443, PROXY),
        ("10.0.0.0/255.0.0.0", "10.0.0.1", 443, PROXY),
        ("example.com/8", "example.com", 443, PROXY),
        // An entry with a port matches only this port. (curl has no such entries.)
        ("example.com:8443", "example.com", 8443, DIRECT),
        ("example.com:8443", "www.example.com", 8443, DIRECT),
        ("example.com:8443", "example.com", 443, PROXY),
        (".example.com.:8443", "www.example.com", 8443, DIRECT),
        ("127.0.0.1:8443", "127.0.0.1", 8443, DIRECT),
        ("127.0.0.1:8443", "127.0.0.1", 443, PROXY),
        ("[::1]:8443", "::1", 8443, DIRECT),
        ("[::1]:8443", "::1", 443, PROXY),
        ("::1:8443", "::1", 8443, PROXY), // an address: 0:0:0:0:0:0:1:8443
        ("10.0.0.0/8:8443", "10.1.2.3", 8443, DIRECT),
        ("10.0.0.0/8:8443", "10.1.2.3", 443, PROXY),
        ("[fe80::]/10:8443", "fe80::1", 8443, DIRECT),
        ("example.com:", "example.com", 443, PROXY),
        ("example.com:x", "example.com", 443, PROXY),
        ("example.com:99999", "example.com", 443, PROXY),
        ("*:443", "example.com", 443, PROXY),
        ("https://example.com", "example.com", 443, PROXY),
    ] {
        assert_eq!(bypasses(list, host, port), bypassed, "NO_PROXY={list:?} {host}:{port}");
    }
}
