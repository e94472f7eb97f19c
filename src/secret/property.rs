//! A property test: a peer may repeat any part of the secrets in any encoding, but no message contains eight characters
//! in a row of a secret. A failed check prints the seed of its case. `DL_AUTH_TEST_SEED` runs only this case.

use fastrand::Rng;
use serde_json::json;

use super::*;
use crate::error::{Error, Status};
use crate::gate::{self, Response};

const RUN: usize = 8;

/// The characters of secrets. The encodings treat them in different ways.
const CHARACTERS: &str =
    "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789-._~/!$&'()*;:@=, \"\\%+\t\n\u{1}üÄßé€漢😀";

/// A secret without blanks at its ends.
pub fn secret(rng: &mut Rng) -> String {
    let length = rng.usize(RUN..40);
    let characters: Vec<char> = CHARACTERS.chars().collect();
    let text: String = (0..length - 2).map(|_| *rng.choice(&characters).unwrap()).collect();
    format!("{}{text}{}", rng.alphabetic(), rng.alphanumeric())
}

fn percent(rng: &mut Rng, character: char) -> String {
    let mut encoded = String::new();
    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
        encoded += &match rng.u8(..3) {
            0 => format!("%{byte:02X}"),
            1 => format!("%{byte:02x}"),
            _ => format!("\\x{byte:02X}"),
        };
    }
    if character == ' ' && rng.bool() { "+".to_owned() } else { encoded }
}

fn json(rng: &mut Rng, character: char) -> String {
    let short = match character {
        '"' | '\\' | '/' => format!("\\{character}"),
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        _ => String::new(),
    };
    if !short.is_empty() && rng.bool() {
        return short;
    }
    let mut encoded = String::new();
    for unit in character.encode_utf16(&mut [0; 2]) {
        encoded += &if rng.bool() { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
    }
    encoded
}

fn html(rng: &mut Rng, character: char) -> String {
    let name = match character {
        '&' => "amp",
        '<' => "lt",
        '>' => "gt",
        '"' => "quot",
        '\'' => "apos",
        _ => "",
    };
    let code = u32::from(character);
    match rng.u8(..3) {
        0 if !name.is_empty() => format!("&{name};"),
        1 => format!("&#x{code:x};"),
        _ => format!("&#{code};"),
    }
}

/// One of the encodings in which a peer may repeat a text, or a mix of them: each character in one of `kinds`.
fn encoded(rng: &mut Rng, text: &str) -> String {
    type Kind = fn(&mut Rng, char) -> String;
    let raw: Kind = |_, character| character.to_string();
    let kinds: &[Kind] = match rng.u8(..10) {
        0 | 1 => &[raw],
        2 => &[percent],
        3 => &[json],
        4 => &[raw, percent],
        5 => &[raw, json],
        6 => &[percent, json],
        7 => &[raw, html],
        8 => &[raw, percent, html],
        _ => &[raw, percent, json],
    };
    // An encoder must also encode its own escape character. Otherwise the decoded text would be different.
    let must = |character| matches!(character, '%' | '+' | '\\' | '&') && kinds.len() > 1;
    let mut result = String::new();
    for character in text.chars() {
        let kind = if must(character) { kinds.last() } else { rng.choice(kinds) }.unwrap();
        result += &kind(rng, character);
    }
    result
}

/// The change that a peer makes to a secret before it encodes it.
fn repeated(rng: &mut Rng, secret: &str, login: (&str, &str)) -> String {
    match rng.u8(..8) {
        0 => secret.to_ascii_uppercase(),
        1 => secret.to_ascii_lowercase(),
        2 => secret.replace([' ', '\t', '\n', '\u{1}'], "\r\n"),
        3 => {
            let body = json!({ "password": login.1, "type": "user_credentials", "username": login.0 });
            let encoded = match rng.u8(..5) {
                4 => STANDARD.encode(body.to_string()),
                0 => base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", login.0, login.1)),
                1 => base64::engine::general_purpose::URL_SAFE.encode(format!("{}:{}", login.0, login.1)),
                2 => base64::engine::general_purpose::STANDARD_NO_PAD.encode(format!("{}:{}", login.0, login.1)),
                _ => STANDARD.encode(format!("{{\"login\":\"{}:{}\"}}", login.0, login.1)),
            };
            format!("Basic {encoded}")
        }
        _ => secret.to_owned(),
    }
}

pub fn text(rng: &mut Rng, secrets: &[String]) -> String {
    const WORDS: [&str; 12] =
        ["no", "user", "denied", "with", "=", "\"", ": ", "\r\n", "token", "€", "https://gate.example.com", "100%"];
    let mut text = String::new();
    for _ in 0..rng.usize(1..12) {
        text += rng.choice(WORDS).unwrap();
        text += rng.choice([" ", "", "\n"]).unwrap();
        if rng.bool() {
            let secret = rng.choice(secrets).unwrap();
            let mut piece = repeated(rng, secret, (&secrets[0], &secrets[1]));
            for _ in 0..rng.usize(1..3) {
                piece = encoded(rng, &piece);
            }
            if rng.u8(..4) == 0 {
                // The peer has cut off a part of it.
                let count = piece.chars().count();
                let from = rng.usize(..count);
                piece = piece.chars().skip(from / 3).take(rng.usize(..=count)).collect();
            }
            text += &piece;
        }
    }
    text
}

/// Decodes percent-encoding. Text that is not an escape is unchanged.
fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " ").replace("\\x", "%")).decode_utf8_lossy().into_owned()
}

/// Decodes the escapes of JSON. Text that is not an escape is unchanged.
fn json_decoded(text: &str) -> String {
    let (mut decoded, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        // A surrogate pair is two escapes of 6 bytes each, and together they are one character.
        let read = [12, 6, 2].into_iter().find_map(|length| {
            let escape = rest.get(..length).filter(|escape| escape.starts_with('\\'))?;
            let one = serde_json::from_str::<String>(&format!("\"{escape}\"")).ok()?;
            (one.chars().count() == 1).then_some((one, length))
        });
        let (character, length) = read.unwrap_or((first.to_string(), first.len_utf8()));
        decoded += &character;
        rest = &rest[length..];
    }
    decoded
}

/// Decodes the character references of HTML. Other text is unchanged.
fn html_decoded(text: &str) -> String {
    let mut pieces = text.split('&');
    let mut decoded = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let read = piece.split_once(';').and_then(|(name, rest)| {
            let named = [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')];
            let code = |digits: &str| match digits.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16).ok(),
                None => digits.parse().ok(),
            };
            let character = named.into_iter().find(|(other, _)| *other == name).map(|(_, character)| character);
            let character = character.or_else(|| char::from_u32(code(name.strip_prefix('#')?)?))?;
            Some(format!("{character}{rest}"))
        });
        decoded += &read.unwrap_or_else(|| format!("&{piece}"));
    }
    decoded
}

/// A piece of a secret that the message, or the decoded message, contains.
fn found(message: &str, secrets: &[String]) -> Option<String> {
    let spaces = |text: &str| text.chars().map(|c| if is_layout(c) { ' ' } else { c.to_ascii_lowercase() }).collect();
    let each = |text: &str| [percent_decoded(text), json_decoded(text), html_decoded(text)];
    let decoded = each(message);
    let twice = decoded.iter().flat_map(|text| each(text)).collect::<Vec<_>>();
    let forms: Vec<String> = decoded.iter().chain(&twice).map(String::as_str).chain([message]).map(spaces).collect();
    secrets.iter().find_map(|secret| {
        let secret: Vec<char> = spaces(secret).chars().collect();
        let pieces = secret.windows(RUN.min(secret.len())).map(|piece| piece.iter().collect::<String>());
        pieces.into_iter().find(|piece| forms.iter().any(|form| form.contains(piece)))
    })
}

/// The number of cases of a test: `full`, or `DL_AUTH_TEST_SEEDS` if that is smaller, but at least 1. `make check` sets
/// this variable.
pub fn cases(full: u64) -> u64 {
    std::env::var("DL_AUTH_TEST_SEEDS").map_or(full, |seeds| full.min(seeds.parse().unwrap()).max(1))
}

/// Runs the cases of a property. Each case has a different seed.
pub fn for_each_seed(full: u64, case: impl Fn(&mut Rng, u64)) {
    match std::env::var("DL_AUTH_TEST_SEED") {
        Ok(seed) => case(&mut Rng::with_seed(seed.parse().unwrap()), seed.parse().unwrap()),
        Err(_) => (0..cases(full)).map(|_| fastrand::u64(..)).for_each(|seed| case(&mut Rng::with_seed(seed), seed)),
    }
}

/// Checks the message of an error in the form that a C program gets.
pub fn assert_none_found(error: &Error, said: &str, secrets: &[String], seed: u64) {
    let message = crate::capi::message_of(error);
    let found = found(&message, secrets);
    assert_eq!(found, None, "DL_AUTH_TEST_SEED={seed}\nsaid: {said:?}\nmessage: {message:?}\nof: {secrets:?}");
}

#[test]
fn no_message_contains_eight_characters_of_a_secret_in_a_row() {
    for_each_seed(400, |rng, seed| {
        let mut texts: Vec<String> = (0..7).map(|_| secret(rng)).collect();
        let (login, proxy) = (&texts[..2], (texts[2].replace([':', '\t', '\n', '\u{1}'], "."), &texts[3]));
        let mut secrets = Secrets::default();
        secrets.add_login(&Secret::new(login[0].clone()), &Secret::new(login[1].clone()));
        let basic = STANDARD.encode(format!("{}:{}", proxy.0, proxy.1));
        secrets.add_basic(&Secret::new(format!("Basic {basic}")));
        texts[4..].iter().for_each(|text| secrets.add(text));
        texts[2] = proxy.0;
        texts.extend([basic, STANDARD.encode(format!("{}:{}", texts[0], texts[1]))]);

        let said = text(rng, &texts);
        let field = rng.choice(["message", "error", "error_description"]).unwrap();
        let status = rng.choice([400, 401, 403, 418, 429, 500, 503]).unwrap();
        let mut answers = vec![Response::new(status, json!({ field: said }).to_string().into_bytes().into())];
        answers.push(Response { encoding: Some(said.clone()), ..Response::new(200, b"no".to_vec().into()) });
        for answer in answers {
            assert_none_found(&gate::read(&answer, &secrets, 0).unwrap_err(), &said, &texts, seed);
        }
        // A name in a certificate.
        let name = crate::trust::clean(&said, &secrets);
        assert_none_found(&Error::new(Status::Tls, name), &said, &texts, seed);
    });
}
