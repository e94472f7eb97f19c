//! Text that must not be seen: wiped when dropped, struck out of whatever somebody else wrote.
//!
//! `zeroize` does the wiping. Not wiped are the buffers of rustls that decrypted records pass through, the buffer of
//! serde_json if a string of the answer is written with escapes, and what the environment holds. The README says so.

use std::fmt;

use zeroize::Zeroizing;

/// A string that is wiped when dropped and has no readable `Debug` form.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the string over; no copy is made.
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The secret itself. Nothing that is shown to anybody may be made from it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The most characters of somebody else's text that a message repeats.
const QUOTE_MAX: usize = 160;

/// What stands in the place of a secret.
const STRUCK_OUT: &str = "[struck out]";

/// Makes a stranger's text fit for a message: secrets struck out, control characters replaced, length bounded.
pub fn quote(text: &str, secrets: &[&Secret]) -> String {
    let plain = secrets.iter().map(|secret| Zeroizing::new(secret.expose().to_ascii_lowercase()));
    let mut secrets: Vec<_> = plain.flat_map(|secret| [percent_encoded(&secret), secret]).collect();
    secrets.retain(|secret| !secret.is_empty());
    let mut text = Zeroizing::new(text.to_owned());
    // The longest first: a shorter one inside it would break it up, and leave the rest. They are few, so no sort.
    while let Some((longest, _)) = secrets.iter().enumerate().max_by_key(|(_, secret)| secret.len()) {
        text = without(&text, &secrets.swap_remove(longest));
    }
    let text = without_jwts(&text);
    let mut quoted: String = text.chars().map(|c| if is_layout(c) { ' ' } else { c }).take(QUOTE_MAX).collect();
    if text.chars().nth(QUOTE_MAX).is_some() {
        quoted.push('…');
    }
    quoted
}

/// Strikes out a secret, given in lower case, in whichever case it is written: a gate may normalise an address.
fn without(text: &str, secret: &str) -> Zeroizing<String> {
    let lower = Zeroizing::new(text.to_ascii_lowercase());
    // Room for all, so that it never moves and leaves a copy: another secret may still be in it.
    let room = text.len() + STRUCK_OUT.len() * (text.len() / secret.len().max(1));
    let (mut clean, mut from) = (Zeroizing::new(String::with_capacity(room)), 0);
    for (at, _) in lower.match_indices(secret) {
        clean.push_str(text.get(from..at).unwrap_or_default());
        clean.push_str(STRUCK_OUT);
        from = at + secret.len();
    }
    clean.push_str(text.get(from..).unwrap_or_default());
    clean
}

/// The same as it stands in a URL (RFC 3986), in lower case.
fn percent_encoded(secret: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(secret.len() * 3));
    for byte in secret.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => {
                let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
                encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    encoded
}

/// Strikes out what looks like a JWT, the handle's own or another's: `eyJ` is how a JSON object begins in base64.
fn without_jwts(text: &str) -> String {
    let (mut clean, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, token)) = rest.split_once("eyJ") {
        clean.push_str(before);
        clean.push_str(STRUCK_OUT);
        rest = token.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    }
    clean + rest
}

/// What would move or break the line that a message is.
fn is_layout(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_no_readable_debug_form() {
        assert_eq!(format!("{:?}", Secret::new("canary".into())), "[secret]");
    }

    #[test]
    fn a_quoted_text_has_no_secret_no_control_character_and_an_end() {
        let password = Secret::new("hunter2".into());
        let text = format!("no hunter2\r\nfor you {}", "x".repeat(500));
        let quoted = quote(&text, &[&password, &Secret::new(String::new())]);
        assert!(quoted.starts_with("no [struck out]  for you xxx"), "{quoted}");
        assert_eq!(quoted.chars().count(), QUOTE_MAX + 1);
        assert!(quoted.ends_with('…'));
    }

    #[test]
    fn a_secret_inside_another_leaves_nothing_of_it() {
        let (user, password) = (Secret::new("bot".into()), Secret::new("bot-hunter2".into()));
        assert_eq!(quote("bot-hunter2 for bot", &[&user, &password]), "[struck out] for [struck out]");
    }

    #[test]
    fn a_secret_is_struck_out_in_any_case_and_as_a_url_has_it() {
        let (user, password) = (Secret::new("Bot@x".into()), Secret::new("a b/ü".into()));
        assert_eq!(
            quote("BOT@X or bot%40x with a%20b%2F%C3%BC", &[&user, &password]),
            "[struck out] or [struck out] with [struck out]"
        );
    }

    #[test]
    fn what_looks_like_a_jwt_is_struck_out() {
        let said = "token eyJhbGciOi.eyJleHAiOjF9.c2ln-_ ended; \"eyJ\" too";
        assert_eq!(quote(said, &[]), "token [struck out] ended; \"[struck out]\" too");
    }

    #[test]
    fn what_is_quoted_stays_one_line_in_one_direction() {
        assert_eq!(quote("a\u{2028}b\u{202e}c\u{2066}d\u{7f}e", &[]), "a b c d e");
    }
}
