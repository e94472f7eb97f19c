//! Secret text: it is wiped when it is dropped, and removed from the text of a peer.
//!
//! `zeroize` does the wiping. The README lists what is not wiped.
//!
//! Each text of a peer that becomes part of a message goes through [`redacted`]: first each character gets its final
//! form, then the secrets are removed ([`redact`]), and then the caller bounds the length.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

mod redact;
use redact::Finder;

/// A string that is wiped when dropped and has no readable `Debug` form.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of the string, without a copy.
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// Takes ownership of bytes that are UTF-8, without a copy. Other bytes are wiped.
    pub fn from_utf8(mut bytes: Zeroizing<Vec<u8>>) -> Option<Secret> {
        std::str::from_utf8(&bytes).ok()?; // first, because an error of the next line drops the bytes without a wipe
        String::from_utf8(std::mem::take(&mut *bytes)).ok().map(Secret::new)
    }

    /// The secret itself. No message, log or debug output may contain it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Secrets that no message repeats.
#[derive(Clone, Default)]
pub struct Secrets(Vec<Secret>);

impl Secrets {
    /// No secret.
    pub const NONE: &Secrets = &Secrets(Vec::new());

    /// Adds a secret.
    pub fn add(&mut self, secret: &str) {
        if !self.0.iter().any(|known| known.expose() == secret) {
            self.0.push(Secret::new(secret.to_owned()));
        }
    }

    /// Adds a user, a password, and the base64 forms of a text that contains `user:password` (RFC 7617).
    pub fn add_login(&mut self, user: &Secret, password: &Secret) {
        self.add(user.expose());
        self.add(password.expose());
        let (user, password) = (user.expose().as_bytes(), password.expose().as_bytes());
        // A text inside a longer text has three base64 forms. The form depends on the number of bytes before the text,
        // modulo 3. The digits that depend on these bytes are left out.
        for before in 0..3 {
            let mut text = Zeroizing::new(Vec::with_capacity(before + user.len() + 1 + password.len()));
            text.resize(before, 0);
            [user, b":", password].iter().for_each(|part| text.extend_from_slice(part));
            let encoded = Zeroizing::new(STANDARD.encode(&*text));
            let own = encoded.get((before * 8).div_ceil(6)..).unwrap_or_default();
            self.add(own);
        }
    }

    /// Adds the user and the password in the value of a `Proxy-Authorization` header, "Basic ...".
    pub fn add_basic(&mut self, value: &Secret) {
        let encoded = value.expose().strip_prefix("Basic ").unwrap_or_default();
        let mut login = Zeroizing::new(Vec::with_capacity(base64::decoded_len_estimate(encoded.len())));
        let decoded = STANDARD.decode_vec(encoded, &mut login);
        // A proxy's password need not be UTF-8.
        let text = |bytes: &[u8]| {
            let mut text = String::with_capacity(bytes.len() * 2);
            match std::str::from_utf8(bytes) {
                Ok(valid) => text.push_str(valid),
                Err(_) => text.extend(bytes.iter().map(|byte| char::from(*byte))),
            }
            Secret::new(text)
        };
        let colon = login.iter().position(|byte| *byte == b':').filter(|_| decoded.is_ok());
        if let Some((user, password)) = colon.and_then(|colon| login.split_at_checked(colon)) {
            self.add_login(&text(user), &text(password.get(1..).unwrap_or_default()));
        }
        self.add(encoded);
    }
}

/// The maximum number of characters of a peer's text that a message repeats.
const QUOTE_MAX: usize = 160;

/// The text that replaces a secret.
const REDACTED: &str = "[redacted]";

/// Returns a peer's text in a form that a message can show: on one line, without secrets, and of limited length.
pub fn quote(text: &str, secrets: &[&Secrets]) -> String {
    let mut quoted = redacted(text, secrets, |character| if is_layout(character) { ' ' } else { character });
    if let Some((end, _)) = quoted.char_indices().nth(QUOTE_MAX) {
        quoted.truncate(end);
        quoted.push('…');
    }
    quoted
}

/// The text with each character as `fit` replaces it, and without secrets. The caller may shorten the result: no piece
/// of 8 or more characters of a secret is left in it.
pub fn redacted(text: &str, secrets: &[&Secrets], fit: fn(char) -> char) -> String {
    let mut marks = vec![false; text.len()];
    // A replacement may also produce a secret.
    let (original, replaced) = (redact::form(text), redact::replaced(text, fit));
    let forms: Vec<_> = [original].into_iter().chain(replaced).collect();
    Finder::new(&forms).mark(secrets, &mut marks);
    let mut clean = String::new();
    let mut in_secret = false;
    for (at, character) in text.char_indices() {
        match marks.get(at) {
            Some(false) => clean.push(fit(character)),
            _ if in_secret => {}
            _ => clean.push_str(REDACTED),
        }
        in_secret = marks.get(at) != Some(&false);
    }
    clean
}

/// Whether a character would break the line of a message or change its direction.
fn is_layout(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
pub mod property;
#[cfg(test)]
mod tests;
