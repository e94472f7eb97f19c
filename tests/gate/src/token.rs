//! Mints JWTs of the documented form. The signature is noise: a client that got its token over TLS does not verify it.

use crate::behave::Overrides;
use crate::settings::Settings;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Map, Value, json};

/// The claims that `omit` may name.
pub(crate) const CLAIMS: &[&str] = &[
    "name",
    "nickname",
    "picture",
    "locale",
    "updated_at",
    "email",
    "email_verified",
    "iss",
    "sub",
    "aud",
    "iat",
    "exp",
    "jti",
];

/// Makes the token with this number. `seed` makes the tokens of each gate different; `now` is in Unix seconds.
pub(crate) fn mint(
    settings: &Settings,
    overrides: &Overrides,
    seed: u64,
    number: u64,
    now: i64,
) -> Result<String, String> {
    let mut claims = claims(settings, overrides, now);
    claims.insert("jti".into(), format!("{seed:016x}-{number}").into());
    for name in &overrides.omit {
        claims.remove(name);
    }
    let mut header = json!({"alg": "RS256", "typ": "JWT"});
    if let Some(kid) = &settings.kid {
        header["kid"] = kid.as_str().into();
    }
    let signature = BASE64URL.encode(noise(seed ^ number.rotate_left(32), 256));
    match overrides.pad_to.or(settings.pad_to) {
        None => Ok(join(&header.to_string(), &claims, &signature)),
        Some(length) => padded(length, &header.to_string(), claims, &signature),
    }
}

fn claims(settings: &Settings, overrides: &Overrides, now: i64) -> Map<String, Value> {
    let iat = now.saturating_add(settings.iat_offset);
    let exp = iat.saturating_add(overrides.lifetime.unwrap_or(settings.lifetime));
    let fixed = json!({
        "name": "Bot", "nickname": "bot", "picture": "https://pictures.invalid/bot.png", "locale": "en",
        "updated_at": "2019-09-23T06:06:19.000Z", "email": settings.username, "email_verified": true,
        "iss": "https://issuer.invalid/", "sub": "auth0|bot", "aud": "audience",
        "iat": overrides.iat.clone().unwrap_or(iat.into()), "exp": overrides.exp.clone().unwrap_or(exp.into()),
    });
    match fixed {
        Value::Object(claims) => claims,
        _ => Map::new(),
    }
}

fn join(header: &str, claims: &Map<String, Value>, signature: &str) -> String {
    let payload = Value::Object(claims.clone()).to_string();
    format!("{}.{}.{signature}", BASE64URL.encode(header), BASE64URL.encode(payload))
}

/// Fills a claim `pad` until the token has exactly `length` bytes. Unpadded base64 never has 4n+1 characters. If the
/// payload would need such a length, spaces in the header change it.
fn padded(length: usize, header: &str, mut claims: Map<String, Value>, signature: &str) -> Result<String, String> {
    claims.insert("pad".into(), "".into());
    let least = join(header, &claims, signature).len() + 2;
    let bare = Value::Object(claims.clone()).to_string().len();
    for spaces in 0..3 {
        let header = format!("{header}{}", " ".repeat(spaces));
        let rest = BASE64URL.encode(&header).len() + signature.len() + 2;
        let payload = length.saturating_sub(rest);
        if payload % 4 == 1 || payload * 3 / 4 < bare {
            continue;
        }
        claims.insert("pad".into(), "x".repeat(payload * 3 / 4 - bare).into());
        return Ok(join(&header, &claims, signature));
    }
    Err(format!("`pad_to` of {length} bytes is too small: such a token has at least {least}"))
}

/// Bytes that look random and depend only on the seed (SplitMix64).
pub(crate) fn noise(mut seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
