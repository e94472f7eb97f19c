//! Which source of a value has priority, which value hides another one, and the messages for values that are refused.

use std::collections::HashMap;

use super::*;
use crate::store::Place;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

const NOW: i64 = 1_700_000_000;

fn resolve(call: &[(&str, &str)], env: &[(&str, &str)]) -> Result<Settings, Error> {
    let mut config = Config::new();
    for (key, value) in call {
        config.set(key, value).unwrap();
    }
    let env: HashMap<String, OsString> = env.iter().map(|(name, value)| (name.to_string(), value.into())).collect();
    Settings::resolve(&config, |name| env.get(name).cloned(), NOW)
}

fn credentials(settings: Settings) -> (String, String) {
    match settings.origin {
        Origin::Login(credentials) => {
            (credentials.username.expose().to_owned(), credentials.password.expose().to_owned())
        }
        Origin::Ready(jwt) => ("ready".to_owned(), jwt.text().to_owned()),
    }
}

fn refused(call: &[(&str, &str)], env: &[(&str, &str)]) -> (Status, String) {
    let error = resolve(call, env).err().expect("an error");
    (error.status(), error.message().to_owned())
}

fn jwt(exp: i64) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2ln", part("{}"), part(&format!("{{\"exp\":{exp}}}")))
}

const USER: [(&str, &str); 2] = [("username", "u"), ("password", "p")];
const USER_ENV: [(&str, &str); 2] = [("DL_AUTH_USERNAME", "eu"), ("DL_AUTH_PASSWORD", "ep")];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    USER.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn a_call_has_priority_over_the_environment_and_the_environment_over_the_default() {
    let settings = resolve(
        &with(&[("timeout", "1s")]),
        &[("DL_AUTH_TIMEOUT", "2s"), ("DL_AUTH_WAIT", "3s"), ("DL_AUTH_REFRESH_AT", "")],
    )
    .unwrap();
    let seconds = Duration::from_secs;
    assert_eq!((settings.timeout, settings.wait, settings.connect_timeout), (seconds(1), seconds(3), seconds(10)));
    assert_eq!((settings.refresh_at, settings.refresh_grant, settings.max_attempts), (0.8, true, 3));
    assert_eq!(settings.endpoint, "https://gate.dataloop.ai/token?default");
    assert_eq!(settings.user_agent, concat!("dl_auth/", env!("CARGO_PKG_VERSION")));
    assert_eq!(credentials(resolve(&[], &USER_ENV).unwrap()), ("eu".into(), "ep".into()));
    assert_eq!(credentials(resolve(&[("password", "p")], &USER_ENV).unwrap()), ("eu".into(), "p".into()));
}

#[test]
fn the_message_names_the_missing_credentials() {
    for (call, env, word) in [
        (&[][..], &[][..], "no credentials"),
        (&USER[..1], &[], "no password"),
        (&USER[1..], &[], "no username"),
        (&[], &USER_ENV[..1], "no password"),
        (&[], &[("DL_AUTH_USERNAME", ""), ("DL_AUTH_PASSWORD", "")], "no credentials"),
    ] {
        let (status, message) = refused(call, env);
        assert_eq!(status, Status::NoCredentials);
        assert!(message.starts_with(word), "{message}");
    }
}

#[test]
fn a_pair_that_a_call_sets_hides_the_pair_of_the_environment() {
    let dir = std::env::temp_dir().join(format!("dl_auth-settings-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("password");
    std::fs::write(&file, "from file\r\n").unwrap();
    let file = file.to_str().unwrap();

    let by_file = resolve(&[("username", "u"), ("password_file", file)], &USER_ENV).unwrap();
    assert_eq!(credentials(by_file).1, "from file");
    let by_call = resolve(&USER, &[("DL_AUTH_PASSWORD_FILE", "/nowhere")]).unwrap();
    assert_eq!(credentials(by_call).1, "p");
    let (status, message) = refused(&with(&[("password_file", file)]), &[]);
    assert_eq!(status, Status::InvalidValue);
    assert!(message.contains("password_file"), "{message}");

    let by_environment =
        resolve(&with(&[("environment", "rc")]), &[("DL_AUTH_URL", "https://elsewhere.invalid")]).unwrap();
    assert_eq!(by_environment.endpoint, "https://rc-gate.dataloop.ai/token?default");
    let by_url = resolve(&with(&[("url", "https://here.invalid")]), &[("DL_AUTH_ENVIRONMENT", "rc")]).unwrap();
    assert_eq!(by_url.endpoint, "https://here.invalid/token?default");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_ready_token_excludes_the_credentials() {
    let good = jwt(NOW + 10);
    assert_eq!(credentials(resolve(&[("token", &good)], &USER_ENV).unwrap()), ("ready".into(), good.clone()));
    assert_eq!(credentials(resolve(&USER, &[("DL_AUTH_TOKEN", &good)]).unwrap()).0, "u");
    for more in USER {
        let (status, message) = refused(&[("token", &good), more], &[]);
        assert_eq!(status, Status::InvalidValue);
        assert!(message.contains(more.0), "{message}");
    }
}

#[test]
fn an_invalid_ready_token_is_refused_and_not_repeated() {
    let long = format!("{}{}", jwt(NOW + 10), "A".repeat(8192));
    for (token, word) in [
        ("canary", "three parts"),
        (jwt(NOW).as_str(), "expired 0 s ago"),
        (jwt(NOW - 60).as_str(), "expired 60 s ago"),
        (jwt(-1).as_str(), "exp"),
        (long.as_str(), "8191"),
    ] {
        let (status, message) = refused(&[("token", token)], &[]);
        assert_eq!(status, Status::InvalidValue);
        assert!(message.contains(word) && !message.contains(token), "{message}");
    }
}

#[test]
fn a_url_becomes_the_endpoint_by_the_rules_of_the_gate() {
    for (url, wanted) in [
        ("https://g.invalid", "https://g.invalid/token?default"),
        ("https://g.invalid/", "https://g.invalid/token?default"),
        ("https://g.invalid:8443", "https://g.invalid:8443/token?default"),
        ("https://g.invalid/api/v1", "https://g.invalid/token?default"),
        ("https://g.invalid/api/v1/", "https://g.invalid/token?default"),
        ("https://g.invalid/token?default", "https://g.invalid/token?default"),
        ("https://g.invalid/token", "https://g.invalid/token"),
        ("https://g.invalid/prefix/token?default", "https://g.invalid/prefix/token?default"),
        ("https://[::1]:8443", "https://[::1]:8443/token?default"),
    ] {
        assert_eq!(resolve(&with(&[("url", url)]), &[]).unwrap().endpoint, wanted);
    }
}

#[test]
fn an_invalid_url_is_refused_and_the_message_says_why() {
    for (url, word) in [
        ("gate", "not a URL"),
        ("gate.dataloop.ai", "not a URL"),
        ("https://", "not a URL"),
        ("https:///token", "not a URL"),
        ("not a url", "not a URL"),
        ("ftp://g.invalid", "scheme"),
        ("https://canary:canary@g.invalid", "credentials"),
        ("https://canary@g.invalid", "credentials"),
        ("https://g.invalid:99999", "port"),
        ("https://g.invalid:0", "port"),
        ("https://g.invalid:", "port"),
        ("https://g.invalid/api/v1?x=1", "query"),
        ("https://g.invalid/api/v2", "path"),
        ("https://g.invalid/#x", "fragment"),
        ("http://127.0.0.1:80", "allow_http"),
        ("http://g.invalid", "allow_http"),
    ] {
        for (call, env, source) in [
            (with(&[("url", url)]), vec![], "set by call"),
            (USER.to_vec(), vec![("DL_AUTH_URL", url)], "from DL_AUTH_URL"),
        ] {
            let (status, message) = refused(&call, &env);
            assert_eq!(status, Status::InvalidValue, "{url}");
            assert!(message.starts_with(&format!("`url` ({source})")) && message.contains(word), "{url}: {message}");
            assert!(!message.contains("canary"), "{message}");
        }
    }
}

#[test]
fn http_is_accepted_only_to_this_machine_and_if_it_is_allowed() {
    for url in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"] {
        resolve(&with(&[("url", url), ("allow_http", "true")]), &[]).unwrap();
    }
    for url in ["http://10.0.0.1", "http://g.invalid", "http://127.0.0.1.g.invalid", "http://localhost.g.invalid"] {
        let (_, message) = refused(&with(&[("url", url), ("allow_http", "true")]), &[]);
        assert!(message.contains("loopback"), "{message}");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_its_path() {
    let dir = std::env::temp_dir().join(format!("dl_auth-files-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = |name: &str, content: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let cut = path("cut.pem", b"-----BEGIN CERTIFICATE-----\nTUlJQg==\n");
    let (empty, binary, text) = (path("empty", b""), path("binary", b"\xff\xfe"), path("text", b"hello"));
    for (key, file, word) in [
        ("ca_file", "/nowhere/ca.pem", "No such file"),
        ("ca_file", dir.to_str().unwrap(), "not a regular file"),
        ("ca_file", "/dev/zero", "not a regular file"),
        ("ca_file", &empty, "no certificate"),
        ("ca_file", &text, "no certificate"),
        ("ca_file", &cut, "block 1 (CERTIFICATE) is cut off"),
        ("password_file", "canary", "No such file"),
        ("password_file", "/dev/stdin", "not a regular file"),
        ("password_file", &empty, "empty"),
        ("password_file", &binary, "not UTF-8"),
    ] {
        let (status, message) =
            refused(&[("username", "u"), if key == "ca_file" { USER[1] } else { USER[0] }, (key, file)], &[]);
        assert_eq!(status, Status::InvalidValue);
        assert!(message.starts_with(&format!("`{key}` (set by call)")) && message.contains(word), "{message}");
        assert!(!message.contains("canary"), "{message}");
    }
    let ssl = [("SSL_CERT_FILE", cut.as_str())];
    for roots in ["auto", "system"] {
        let (status, message) = refused(&with(&[("tls_roots", roots)]), &ssl);
        assert_eq!(status, Status::InvalidValue);
        assert!(message.contains("SSL_CERT_FILE") && message.contains("block 1 (CERTIFICATE)"), "{message}");
    }
    resolve(&with(&[("tls_roots", "bundled")]), &ssl).unwrap();
    std::fs::remove_dir_all(dir).unwrap();
    let (_, message) = refused(&with(&[("tls_roots", "ca_file_only")]), &[]);
    assert!(message.contains("needs a `ca_file`"), "{message}");
}

#[test]
fn the_message_names_an_invalid_variable() {
    let not_utf8: OsString = std::os::unix::ffi::OsStringExt::from_vec(b"\xff".to_vec());
    let read = |name: &str| (name == "DL_AUTH_WAIT").then(|| not_utf8.clone());
    let mut config = Config::new();
    USER.iter().for_each(|(key, value)| config.set(key, value).unwrap());
    let error = Settings::resolve(&config, read, NOW).err().unwrap();
    assert!(error.message().starts_with("`wait` (from DL_AUTH_WAIT)") && error.message().contains("UTF-8"), "{error}");
    let read = |name: &str| match name {
        "HTTPS_PROXY" => Some("http://p.invalid".into()),
        "NO_PROXY" => Some(not_utf8.clone()),
        _ => None,
    };
    let error = Settings::resolve(&config, read, NOW).err().unwrap();
    assert_eq!((error.status(), error.message()), (Status::InvalidValue, "NO_PROXY cannot be used: it is not UTF-8"));
    Settings::resolve(&config, |name| read(name).filter(|_| name == "NO_PROXY"), NOW).unwrap();
    let (_, message) = refused(&USER, &[("DL_AUTH_TIMEOUT", "soon")]);
    assert!(message.starts_with("`timeout` (from DL_AUTH_TIMEOUT) must be a duration"), "{message}");
}

#[test]
fn a_store_is_read_by_its_form() {
    let place = |text: &str| resolve(&with(&[("store", text)]), &[]).unwrap().store;
    assert!(place("none").is_none());
    assert!(matches!(place("file:/var/robot"), Some(Place::File(path)) if path == Path::new("/var/robot")));
    for (bad, why) in [
        ("file:", "the absolute path of a directory"),
        ("file:canary", "the absolute path of a directory"),
        ("file:~/canary", "the absolute path of a directory"),
        ("file:///var/canary", "the absolute path of a directory"),
        ("redis:canary", "no scheme"),
        ("redis+sentinel://canary", "is not supported"),
        ("rediss://canary:0", "no valid host and port"),
        ("redis://u:canary/x@h", "percent-encode"),
        ("memcached://canary", "`none`, `file:DIR` or `redis://"),
    ] {
        let (status, message) = refused(&with(&[]), &[("DL_AUTH_STORE", bad)]);
        assert_eq!(status, Status::InvalidValue, "{bad}");
        assert!(message.contains(why) && message.contains("DL_AUTH_STORE"), "{message}");
        assert!(!message.contains("canary"), "{message}");
    }
}

#[test]
fn the_way_of_a_refresh_is_a_choice() {
    for (value, background) in [("on_demand", false), ("background", true)] {
        assert_eq!(resolve(&with(&[("refresh", value)]), &[]).unwrap().background, background);
    }
}

/// The proxy of the settings: host and port, and the login.
fn proxy(call: &[(&str, &str)], env: &[(&str, &str)]) -> Option<(String, Option<String>)> {
    let proxy = resolve(&with(call), env).unwrap().proxy?;
    Some((proxy.shown, proxy.authorization.map(|login| login.expose().to_owned())))
}

#[test]
fn the_option_has_priority_over_https_proxy() {
    let env = [("HTTPS_PROXY", "http://user:canary@p.invalid:3128"), ("NO_PROXY", "a.invalid, .b.invalid")];
    let login = Some(format!("Basic {}", STANDARD.encode("user:canary")));
    assert_eq!(proxy(&[], &[]), None);
    assert_eq!(proxy(&[("proxy", "none")], &env), None);
    assert_eq!(proxy(&[("proxy", "http://q.invalid")], &env), Some(("q.invalid:80".to_owned(), None)));
    assert_eq!(proxy(&[], &env), Some(("p.invalid:3128".to_owned(), login)));
    for (url, direct) in [
        ("https://a.invalid/", true),
        ("https://x.a.invalid/", true),
        ("https://ba.invalid/", false),
        ("https://x.b.invalid/", true),
        ("https://c.invalid/", false),
    ] {
        assert_eq!(proxy(&[("url", url)], &env).is_none(), direct, "{url}");
        assert!(
            proxy(&[("url", url), ("proxy", "http://q.invalid")], &env).is_some(),
            "NO_PROXY applies only to HTTPS_PROXY"
        );
    }
    assert_eq!(proxy(&[], &[("https_proxy", "p.invalid:3128")]).unwrap().0, "p.invalid:3128");
    assert_eq!(proxy(&[], &[("https_proxy", "[::1]")]).unwrap().0, "[::1]:80");
    assert_eq!(proxy(&[], &[("HTTP_PROXY", "http://p.invalid"), ("ALL_PROXY", "http://p.invalid")]), None);
    let here = [("url", "http://127.0.0.1:1"), ("allow_http", "true")];
    assert_eq!(proxy(&here, &env), None, "an unencrypted request uses no proxy");
    let (_, message) = refused(&with(&[here[0], here[1], ("proxy", "http://canary@q.invalid")]), &[]);
    assert!(message.contains("set `none`") && !message.contains("canary"), "{message}");
}

#[test]
fn no_proxy_is_compared_with_the_host_and_the_port_of_the_gate() {
    for (no_proxy, url, direct) in [
        ("gate.dataloop.ai:443", "https://gate.dataloop.ai", true),
        ("gate.dataloop.ai:8443", "https://gate.dataloop.ai", false),
        ("[::1]:8443", "https://[::1]:8443", true),
        ("10.0.0.0/8", "https://10.1.2.3/token", true),
        ("*", "https://c.invalid", true),
    ] {
        let env = [("HTTPS_PROXY", "http://p.invalid"), ("NO_PROXY", no_proxy)];
        assert_eq!(proxy(&[("url", url)], &env).is_none(), direct, "{no_proxy} {url}");
        assert_eq!(proxy(&[("url", url)], &[env[0], ("no_proxy", no_proxy)]).is_none(), direct, "{no_proxy} {url}");
    }
}

#[test]
fn an_invalid_https_proxy_is_an_error_only_if_it_would_be_used() {
    for (url, words) in [
        ("socks5h://canary@p.invalid", "`socks5h`"),
        ("http://jdoe:2024/canary@127.0.0.1:3128", "percent-encode"),
        ("jdoe:2024/canary@127.0.0.1:3128", "percent-encode"),
        ("jdoe:2024://canary@127.0.0.1:3128", "percent-encode"),
        ("jdoe:canary@p.invalid:0", "host and port"),
    ] {
        let (status, message) = refused(&USER, &[("HTTPS_PROXY", url)]);
        assert_eq!(status, Status::InvalidValue);
        assert!(message.contains("from HTTPS_PROXY") && message.contains(words), "{message}");
        for part in ["canary", "jdoe", "2024", "127.0.0.1"] {
            assert!(!message.contains(part), "{message}");
        }
        let call = [("url", "https://a.invalid")];
        assert_eq!(proxy(&call, &[("HTTPS_PROXY", url), ("NO_PROXY", "a.invalid")]), None);
        assert_eq!(proxy(&[("proxy", "none")], &[("HTTPS_PROXY", url)]), None);
    }
}
