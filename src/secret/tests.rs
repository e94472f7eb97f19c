//! How a message shows a peer's text.

use super::*;

fn secrets(texts: &[&str]) -> Secrets {
    let mut secrets = Secrets::default();
    texts.iter().for_each(|text| secrets.add(text));
    secrets
}

fn quoted(text: &str, texts: &[&str]) -> String {
    quote(text, &[&secrets(texts)])
}

#[test]
fn a_secret_has_no_readable_debug_form() {
    assert_eq!(format!("{:?}", Secret::new("canary".into())), "[secret]");
}

#[test]
fn a_quoted_text_has_no_secret_no_control_character_and_a_bounded_length() {
    let text = format!("no hunter2\r\nfor you {}", "x".repeat(500));
    let quoted = quoted(&text, &["hunter2", ""]);
    assert!(quoted.starts_with("no [redacted]  for you xxx"), "{quoted}");
    assert_eq!(quoted.chars().count(), QUOTE_MAX + 1);
    assert!(quoted.ends_with('…'));
}

#[test]
fn a_secret_that_contains_another_one_is_redacted_completely() {
    assert_eq!(quoted("bot-hunter2 for bot", &["bot", "bot-hunter2"]), "[redacted] for [redacted]");
}

#[test]
fn a_secret_is_redacted_in_upper_and_lower_case_and_in_the_encoding_of_urls() {
    assert_eq!(
        quoted("BOT@X or bot%40x with a%20b%2F%C3%BC", &["Bot@x", "a b/ü"]),
        "[redacted] or [redacted] with [redacted]"
    );
}

#[test]
fn text_in_the_form_of_a_jwt_is_redacted() {
    let said = "token eyJhbGciOi.eyJleHAiOjF9.c2ln-_ ended; \"eyJ\" too";
    assert_eq!(quoted(said, &[]), "token [redacted] ended; \"[redacted]\" too");
}

#[test]
fn a_quoted_text_is_one_line_in_one_direction() {
    assert_eq!(quoted("a\u{2028}b\u{202e}c\u{2066}d\u{7f}e", &[]), "a b c d e");
}

#[test]
fn a_line_break_instead_of_a_space_hides_no_secret() {
    let password = "so am I or no";
    for said in
        ["so am I\r\nor no", "so\tam I or\u{2028}no", "so+am+I+or+no", "so%0D%0Aam I or no", "so am\\r\\nI or no"]
    {
        assert_eq!(quoted(&format!("with {said}!"), &[password]), "with [redacted]!", "{said}");
    }
    assert_eq!(quoted("with ab cd!", &["ab\ncd"]), "with [redacted]!");
    assert_eq!(quoted("with ab!", &["ab\n"]), "with [redacted]!", "a peer may leave out blanks at the ends");
}

#[test]
fn a_secret_is_redacted_in_json_escapes() {
    let password = "hünt\"er/2\\😀";
    for said in
        [r#"hünt\"er\/2\\😀"#, r#"h\u00fcnt\u0022er/2\u005C\ud83d\uDE00"#, r#"h\\u00fcnt\\\"er/2\\\\\\ud83d\\ude00"#]
    {
        assert_eq!(quoted(&format!("with {said}!"), &[password]), "with [redacted]!", "{said}");
    }
}

#[test]
fn a_secret_is_redacted_in_the_escapes_of_html_and_of_logs() {
    let password = "a&b<c>d\"e'f\\ü";
    for said in [
        r"a&amp;b&lt;c&gt;d&quot;e&apos;f\ü",
        r"a&#38;b&#x3c;c&#X3E;d&#34;e&#39;f\&#252;",
        r"a&amp;amp;b&amp;lt;c&amp;gt;d&amp;#34;e&amp;#39;f\ü",
        r"a\u0026amp;b\u0026lt;c\u0026gt;d\u0026quot;e\u0026#39;f\ü",
        r"a&b<c>d\x22e'f\x5C\xC3\xBC",
        r"a%26amp%3Bb%26lt%3Bc%26gt%3Bd%26quot%3Be%26%2339%3Bf%5C%C3%BC",
    ] {
        assert_eq!(quoted(&format!("with {said}!"), &[password]), "with [redacted]!", "{said}");
    }
    let none = "AT&T; &#; &#x; &#xD800; &#9999999999; &unknown; \\x4";
    assert_eq!(quoted(none, &[password]), none);
}

/// Each character is encoded twice, in each combination of two encodings.
#[test]
fn a_secret_is_redacted_in_a_mix_of_encodings() {
    let mixed = r"%2568%5Cu0075\u0025\u0036e\\u0074%2565%5cu0072\u00252d\\u0074%2577%5Cu006f";
    assert_eq!(quoted(&format!("with {mixed}!"), &["hunter-two"]), "with [redacted]!");
    assert_eq!(quoted("with h%FCnter-zwei!", &["hünter-zwei"]), "with [redacted]!", "Latin-1");
    let literal = "%68%75%6e%74";
    assert_eq!(quoted("with %2568%2575%256e!", &[literal]), "with [redacted]!", "a secret that itself looks encoded");
}

#[test]
fn base64_of_user_and_password_is_redacted() {
    let mut secrets = Secrets::default();
    secrets.add_login(&Secret::new("bot?".into()), &Secret::new("h~~?ter>2".into()));
    secrets.add_basic(&Secret::new("Basic cHJveHk6bTQ2cXU4".into())); // proxy:m46qu8
    for said in [
        "Ym90P2JvdD86aH5+P3Rlcj4y", // bot?bot?:h~~?ter>2
        "Ym90PzpofX4_dGVyPjI=",     // a password that differs in one character
    ] {
        assert_ne!(quote(said, &[&secrets]), said);
    }
    for said in [
        "Ym90Pzpofn4/dGVyPjI",
        "Ym90Pzpofn4_dGVyPjI",
        "ym90pzpofn4/dgvypji",
        "Ym90Pzpofn4%2FdGVyPjI",
        "Ym90Pzpofn4\\/dGVyPjI",
        "cHJveHk6bTQ2cXU4",
        "proxy:m46qu8",
        "m46qu8",
        "m4%36qu8",
    ] {
        assert!(quote(said, &[&secrets]).replace("[redacted]", "").len() <= 1, "{said}: {}", quote(said, &[&secrets]));
    }
}

#[test]
fn a_piece_of_a_secret_is_redacted_and_a_short_secret_as_a_whole() {
    assert_eq!(quoted("cut: correct horse ba", &["correct horse battery staple"]), "cut: [redacted]");
    assert_eq!(quoted("cut: 3456789012", &["12345678901234567890"]), "cut: [redacted]");
    assert_eq!(
        quoted("robot says pw: hunt, hunter", &["bot", "pw", "hunter"]),
        "ro[redacted] says [redacted]: hunt, [redacted]"
    );
    assert_eq!(
        quoted("a spa is a place", &["a"]),
        "[redacted] spa is [redacted] place",
        "a short secret is not redacted inside words"
    );
}

#[test]
fn each_form_of_a_jwt_is_redacted() {
    let payload = "eyJleHAiOjF9";
    for jwt in [
        format!("eyAiYWxnIjoiUlMyNTYifQ.{payload}.c2ln"),     // { "alg"
        format!("ewogImFsZyI6IlJTMjU2In0.{payload}.c2ln"),    // {, line feed
        format!("IHsiYWxnIjoiUlMyNTYifQ.{payload}.c2ln"),     // space, {
        format!("DQp7CQkiYWxnIjoiUlMyNTYifQ.{payload}.c2ln"), // a line, {, tabs
        format!("bm90IGpzb24.{payload}.c2ln"),                // not JSON
        "AAECAwQFBgcICQ.Wm9vbVpvb21ab29t.3q2-7_3q2-7_3q2-7".to_owned(), // nothing is JSON
        "eyAiYWxnIjoiUlMyNTYifQ".to_owned(),                  // cut
    ] {
        for said in [jwt.clone(), jwt.replace('.', "%2E"), jwt.replace('.', r"\u002e"), jwt.replace(['e', 'I'], "%65")]
        {
            let said = if said.contains("%65") { jwt.replace('e', "%65") } else { said };
            assert_eq!(quoted(&format!("token={said}, no"), &[]), "token=[redacted], no", "{said}");
        }
    }
}

#[test]
fn names_of_hosts_files_and_versions_do_not_have_the_form_of_a_jwt() {
    for said in [
        "gate.dataloop.ai",
        "authentication-gateway-01.production-cluster-eu.internal-dataloop-services.example.com",
        "version 1.2.3, 10.0.22631.4317, 2024.11.27-rc.1",
        "libdl_auth.so.0.1.0",
        "com.dataloop.authentication.CredentialsException",
        "System.IdentityModel.Tokens.SecurityTokenExpiredException",
        "report.2024-11-27T10.15.30.tar.gz",
        "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        "eyebrow, eyJ is how a JWT begins",
    ] {
        let wanted = said.replace("eyJ", "[redacted]");
        assert_eq!(quoted(said, &[]), wanted);
    }
}

#[test]
fn a_long_text_is_searched_completely_before_it_is_shortened() {
    let mut said = "x".repeat(QUOTE_MAX - 4);
    said += &"correct horse battery staple".replace('e', "%65");
    assert!(quoted(&said, &["correct horse battery staple"]).ends_with("x[red…"));
    let many = "hunter-two ".repeat(6000);
    assert!(!quoted(&many, &["hunter-two"]).contains("hunter"));
}
