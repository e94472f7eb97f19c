//! Decodes a JWT (RFC 7519, in the compact form of RFC 7515) to read its expiry and its claims.
//!
//! The signature is not checked. The library gets the token over TLS from the gate that made it, and has no key of the
//! gate. The platform that receives the token checks the signature. So `dl_auth_jwt_*` return what a token claims, but
//! do not prove that the token is genuine.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Number;
use zeroize::Zeroizing;

use crate::error::{Error, Status};
use crate::json::Object;
use crate::secret::Secret;

/// The maximum length of a token from the gate, in bytes. With its NUL it fills `DL_AUTH_TOKEN_MAX`.
pub const TOKEN_MAX: usize = 8191;

/// The last second of the year 9999. The usual date formats end there.
const LAST_SECOND: i64 = 253_402_300_799;

/// A JWT, its payload, and the two claims that give its lifetime.
#[derive(Clone, Debug)]
pub struct Jwt {
    text: Secret,
    claims: Secret,
    expiry: Option<i64>,
    issued_at: Option<i64>,
}

impl Jwt {
    /// Decodes a token. If it is not a JWT, the error says why and repeats no part of it.
    pub fn decode(text: Secret) -> Result<Jwt, Error> {
        let bad = |what: &str| Error::new(Status::BadJwt, format!("this is not a JWT: {what}"));
        let mut parts = text.expose().split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad("it must have three parts with a dot between them (RFC 7515)"));
        };
        if signature.is_empty() || !signature.bytes().all(is_base64url) {
            return Err(bad("its third part, the signature, is not base64url"));
        }
        if decoded(header).is_none_or(|json| Object::new(&json).is_none()) {
            return Err(bad("its first part is not a JSON object in base64url without padding"));
        }
        let no_object = || bad("its second part is not a JSON object in base64url without padding");
        let claims = decoded(payload).and_then(Secret::from_utf8).ok_or_else(no_object)?;
        let object = Object::new(claims.expose().as_bytes()).ok_or_else(no_object)?;
        let date = |name| object.get::<Number>(name).ok().flatten().as_ref().and_then(seconds);
        let (expiry, issued_at) = (date("exp"), date("iat"));
        Ok(Jwt { text, claims, expiry, issued_at })
    }

    /// The token, in the form for a header.
    pub fn text(&self) -> &str {
        self.text.expose()
    }

    /// The payload: a JSON object, as the issuer wrote it.
    pub fn claims(&self) -> &str {
        self.claims.expose()
    }

    /// The claim `exp` in Unix seconds; `None` if it is missing or is not a date.
    pub fn expiry(&self) -> Option<i64> {
        self.expiry
    }

    /// The claim `iat` in Unix seconds; `None` if it is missing or is not a date.
    pub fn issued_at(&self) -> Option<i64> {
        self.issued_at
    }

    /// The claim `exp`, or what is wrong with it.
    pub fn expect_expiry(&self) -> Result<i64, Error> {
        self.expiry.ok_or_else(|| {
            Error::new(Status::BadJwt, "the JWT has no usable `exp`: a number of Unix seconds from 1 to the year 9999")
        })
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The bytes of a part.
fn decoded(part: &str) -> Option<Zeroizing<Vec<u8>>> {
    // The capacity is set in advance, so that the text never moves and leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(base64::decoded_len_estimate(part.len())));
    URL_SAFE_NO_PAD.decode_vec(part, &mut bytes).ok()?;
    Some(bytes)
}

/// A date in Unix seconds: an integer or a float (RFC 7519 allows both), rounded down, in range.
fn seconds(number: &Number) -> Option<i64> {
    let seconds = match number.as_i64() {
        Some(whole) => whole,
        // Rounded down, so that a token never seems to be valid for longer than it is. `as` saturates; the range is
        // checked.
        None => number.as_f64()?.floor() as i64,
    };
    (1..=LAST_SECOND).contains(&seconds).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> Secret {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        Secret::new(format!("{}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(payload)))
    }

    fn decode(text: &str) -> Result<Jwt, Error> {
        Jwt::decode(Secret::new(text.to_owned()))
    }

    #[test]
    fn the_sample_token_of_the_service_s_documentation_is_valid_for_18_hours() {
        let jwt = Jwt::decode(jwt(r#"{"email":"a@b","iat":1569218779,"exp":1569283579}"#)).unwrap();
        assert_eq!((jwt.issued_at(), jwt.expiry()), (Some(1569218779), Some(1569283579)));
        assert_eq!(jwt.claims(), r#"{"email":"a@b","iat":1569218779,"exp":1569283579}"#);
    }

    #[test]
    fn dates_may_be_floats_and_must_be_in_range() {
        for (exp, wanted) in [
            ("1569283579", Some(1569283579)),
            ("1569283579.0", Some(1569283579)),
            ("1569283579.9", Some(1569283579)),
            ("1.569283579e9", Some(1569283579)),
            ("253402300799", Some(LAST_SECOND)),
            ("253402300800", None),
            ("0", None),
            ("0.9", None),
            ("-1", None),
            ("9223372036854775808", None),
            ("18446744073709551616", None),
            ("1e308", None),
            ("1e99999", None),
            ("\"1569283579\"", None),
            ("null", None),
            ("[1569283579]", None),
        ] {
            let jwt = Jwt::decode(jwt(&format!(r#"{{"exp":{exp}}}"#))).unwrap();
            assert_eq!(jwt.expiry(), wanted, "{exp}");
            assert_eq!(jwt.expect_expiry().is_ok(), wanted.is_some());
        }
        assert_eq!(Jwt::decode(jwt("{}")).unwrap().expiry(), None);
    }

    #[test]
    fn an_unneeded_claim_may_hold_anything_and_is_returned_unchanged() {
        for claim in [
            r#""name":"Zaphod \ud83d""#,
            r#""\udc00":{"\ud800":["\udfff"]}"#,
            r#""n":1e99999"#,
            r#""n":123456789012345678901234567890.5"#,
            r#""exp":"none","exp":1e99999"#,
            &format!(r#""deep":{}{}"#, "[".repeat(1000), "]".repeat(1000)),
        ] {
            let payload = format!("{{ {claim},\r\n\"exp\": 1000, \"iat\": 7 }}\n");
            let jwt = Jwt::decode(jwt(&payload)).unwrap();
            assert_eq!((jwt.claims(), jwt.expiry(), jwt.issued_at()), (payload.as_str(), Some(1000), Some(7)));
        }
        for iat in ["1e99999", "\"\\ud800\"", "[[7]]", "null"] {
            let jwt = Jwt::decode(jwt(&format!(r#"{{"iat":{iat},"exp":1000}}"#))).unwrap();
            assert_eq!((jwt.expiry(), jwt.issued_at()), (Some(1000), None), "{iat}");
        }
    }

    #[test]
    fn a_header_must_be_an_object_and_its_content_is_ignored() {
        let payload = jwt(r#"{"exp":1000}"#).expose().split('.').nth(1).unwrap().to_owned();
        let with = |header: &[u8]| decode(&format!("{}.{payload}.c2ln", URL_SAFE_NO_PAD.encode(header)));
        for header in [&b"{}"[..], br#"{"alg":"RS256","x":"\ud800","n":1e99999}"#, b"{\"x\":\"\xff\"}"] {
            assert_eq!(with(header).unwrap().expiry(), Some(1000));
        }
        for header in [&b""[..], b"[]", b"\"RS256\"", b"{", b"{}x"] {
            assert_eq!(with(header).unwrap_err().status(), Status::BadJwt);
        }
    }

    #[test]
    fn text_that_is_not_a_jwt_is_refused_and_never_repeated() {
        let good = jwt("{}").expose().to_owned();
        let payload_only = good.split('.').nth(1).unwrap();
        for bad in [
            "",
            "canary",
            "canary.canary",
            "..",
            &format!("{good}.x"),
            &format!("{good}="),
            &format!("{good}\n"),
            &format!(" {good}"),
            &format!("{good}\r\nX-Evil: 1"),
            &good.replace('.', ".="),
            &format!("{payload_only}.{payload_only}."),
            &format!("{payload_only}.{}.c2ln", URL_SAFE_NO_PAD.encode("[1]")),
            &format!("{payload_only}.{}.c2ln", URL_SAFE_NO_PAD.encode("{\"a\":")),
            &format!("{payload_only}.{}.c2ln", URL_SAFE_NO_PAD.encode(b"{\"a\":\"\xff\"}")),
            &format!("{payload_only}.{}.c2ln", URL_SAFE_NO_PAD.encode("[".repeat(5000))),
            &format!("{payload_only}.e3+.c2ln"),
            &format!("{payload_only}.e31.c2ln"), // trailing bits that are not zero
        ] {
            let error = decode(bad).unwrap_err();
            assert_eq!(error.status(), Status::BadJwt, "{bad}");
            assert!(!error.message().contains("canary"));
        }
    }

    #[test]
    fn a_jwt_has_no_readable_debug_form() {
        let jwt = Jwt::decode(jwt(r#"{"email":"canary"}"#)).unwrap();
        assert!(!format!("{jwt:?}").contains("canary"));
        assert!(!format!("{jwt:?}").contains(jwt.text()));
    }
}
