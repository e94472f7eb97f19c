//! Plain words for the identifiers and numbers in the errors of the TLS library and in certificates.

use super::der::{Elements, OID, called, key_algorithm, rsa_bits};
use crate::secret::{Secrets, redacted};

/// An identifier of the TLS library as lower-case words: `TooManyEmptyFragments` becomes "too many empty fragments".
/// Takes the library's debug output, and ignores the text after the identifier.
pub fn words(debug: &str) -> String {
    let identifier = debug.split(|character: char| !character.is_ascii_alphanumeric()).next().unwrap_or_default();
    let mut words = String::new();
    let mut characters = identifier.chars().peekable();
    let mut before = '_';
    while let Some(character) = characters.next() {
        let ends_capitals = before.is_ascii_uppercase() && characters.peek().is_some_and(char::is_ascii_lowercase);
        let begins = character.is_ascii_uppercase() && (!before.is_ascii_uppercase() || ends_capitals);
        if begins && !words.is_empty() {
            words.push(' ');
        }
        words.push(character.to_ascii_lowercase());
        before = character;
    }
    words
}

/// A peer's text in a form that a message can show: short, on one line, without quotes, brackets, invisible characters
/// and secrets.
pub fn clean(text: &str, secrets: &Secrets) -> String {
    const MAX_BYTES: usize = 48;
    // Above ASCII, only letters of left-to-right scripts are kept, and no marks that combine with the letter before.
    let fit = |character| match character {
        '"' | '(' | ')' | '\\' | '<' | '>' | '[' | ']' | '`' | '{' | '|' | '}' => '?',
        '\u{3099}' | '\u{309a}' | '\u{3164}' => '?',
        ' '..='~' | '\u{c0}'..='\u{24f}' | '\u{370}'..='\u{482}' | '\u{48a}'..='\u{587}' => character,
        '\u{3040}'..='\u{a48c}' | '\u{ac00}'..='\u{d7a3}' => character,
        _ => '?',
    };
    fitted(&redacted(text, &[secrets], fit), MAX_BYTES, |character| character)
}

/// A path for a message, on one line.
pub fn path(path: &std::path::Path) -> String {
    fitted(&path.to_string_lossy(), 4096, |character| if character.is_control() { '?' } else { character })
}

/// The text up to this many bytes, with each character as `fit` replaces it.
#[inline(never)]
fn fitted(text: &str, max_bytes: usize, fit: fn(char) -> char) -> String {
    let mut fitted = String::new();
    for character in text.chars().map(fit) {
        if fitted.len() + character.len_utf8() > max_bytes {
            fitted.push('…');
            break;
        }
        fitted.push(character);
    }
    fitted
}

/// A name from a certificate, in quotes.
#[inline(never)]
pub fn in_quotes(name: &str, secrets: &Secrets) -> String {
    format!("\"{}\"", clean(name, secrets))
}

/// The short name for a distinguished name, in quotes.
pub fn quoted(name: &[u8], secrets: &Secrets) -> String {
    match called(name) {
        Some(name) => in_quotes(&name, secrets),
        None => "without a name".to_owned(),
    }
}

/// The names of algorithms, keys and curves. They are the names that OpenSSL uses.
const NAMES: &str = "\
1.2.840.113549.1.1.1 RSA
1.2.840.113549.1.1.2 md2WithRSAEncryption
1.2.840.113549.1.1.4 md5WithRSAEncryption
1.2.840.113549.1.1.5 sha1WithRSAEncryption
1.2.840.113549.1.1.10 rsassaPss
1.2.840.113549.1.1.11 sha256WithRSAEncryption
1.2.840.113549.1.1.12 sha384WithRSAEncryption
1.2.840.113549.1.1.13 sha512WithRSAEncryption
1.2.840.113549.1.1.14 sha224WithRSAEncryption
1.3.14.3.2.29 sha1WithRSA
1.2.840.10045.2.1 ECDSA
1.2.840.10045.4.1 ecdsa-with-SHA1
1.2.840.10045.4.3.1 ecdsa-with-SHA224
1.2.840.10045.4.3.2 ecdsa-with-SHA256
1.2.840.10045.4.3.3 ecdsa-with-SHA384
1.2.840.10045.4.3.4 ecdsa-with-SHA512
2.16.840.1.101.3.4.3.2 dsa-with-SHA256
2.16.840.1.101.3.4.3.10 ecdsa-with-SHA3-256
2.16.840.1.101.3.4.3.11 ecdsa-with-SHA3-384
2.16.840.1.101.3.4.3.12 ecdsa-with-SHA3-512
2.16.840.1.101.3.4.3.14 RSA-SHA3-256
2.16.840.1.101.3.4.3.16 RSA-SHA3-512
2.16.840.1.101.3.4.3.17 ML-DSA-44
2.16.840.1.101.3.4.3.18 ML-DSA-65
2.16.840.1.101.3.4.3.19 ML-DSA-87
1.2.840.10040.4.1 DSA
1.2.840.10040.4.3 dsa-with-SHA1
1.3.101.112 Ed25519
1.3.101.113 Ed448
1.2.156.10197.1.501 SM2-with-SM3
1.2.156.10197.1.301 SM2
1.2.643.7.1.1.3.2 GOST R 34.10-2012
1.2.840.10045.3.1.7 P-256
1.3.132.0.33 P-224
1.3.132.0.34 P-384
1.3.132.0.35 P-521
1.3.132.0.10 secp256k1
1.3.36.3.3.2.8.1.1.7 brainpoolP256r1
1.3.36.3.3.2.8.1.1.11 brainpoolP384r1
1.3.36.3.3.2.8.1.1.13 brainpoolP512r1";

/// The name of an object identifier, or its numbers if this table has no name for it.
fn named(id: &[u8], secrets: &Secrets) -> String {
    let numbers = dotted(id);
    let name = NAMES.lines().filter_map(|line| line.split_once(' ')).find(|(known, _)| *known == numbers);
    name.map_or_else(|| format!("OID {}", clean(&numbers, secrets)), |(_, name)| name.to_owned())
}

/// An object identifier as numbers with dots between them, in a form that a message can show.
pub fn numbers(id: &[u8], secrets: &Secrets) -> String {
    clean(&dotted(id), secrets)
}

fn dotted(id: &[u8]) -> String {
    let (mut text, mut arc) = (String::new(), 0_u64);
    for byte in id.iter().take(32) {
        arc = arc.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            let two = (arc / 40).min(2); // the first number encodes two numbers
            text += &if text.is_empty() { format!("{two}.{}", arc - two * 40) } else { format!(".{arc}") };
            arc = 0;
        }
    }
    text
}

/// The name of an algorithm. If its parameters name the curve of a key, the result contains the curve.
pub fn algorithm(identifier: &[u8], secrets: &Secrets) -> String {
    let ids = Elements(identifier).take_while(|element| element.tag == OID);
    let mut ids = ids.map(|element| named(element.value, secrets));
    match (ids.next(), ids.next()) {
        (Some(name), Some(curve)) => format!("{name} {curve}"),
        (Some(name), None) => name,
        (None, _) => "an unknown algorithm".to_owned(),
    }
}

/// The kind of a public key, and the size of an RSA key.
pub fn key(key: &[u8], secrets: &Secrets) -> String {
    let kind = key_algorithm(key).map_or_else(|| "unknown".to_owned(), |kind| algorithm(kind, secrets));
    rsa_bits(key).map_or(kind, |bits| format!("RSA with {bits} bits"))
}

/// Why a certificate is not accepted as a root.
pub fn refused(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(why)) => words(&format!("{:?}", why.0)),
        rustls::Error::InvalidCertificate(why) => words(&format!("{why:?}")),
        error => words(&format!("{error:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_become_words() {
        for (debug, wanted) in [
            ("TooManyEmptyFragments", "too many empty fragments"),
            ("UnknownPSKIdentity", "unknown psk identity"),
            ("Tls12NotOffered", "tls12 not offered"),
            ("MissingData(\"ServerHello\")", "missing data"),
            ("BadDer", "bad der"),
        ] {
            assert_eq!(words(debug), wanted);
        }
    }

    #[test]
    fn algorithms_have_names_and_unknown_ones_numbers() {
        let ecdsa_sha512 = [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];
        let p521 = [0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 5, 0x2b, 0x81, 4, 0, 35];
        assert_eq!(algorithm(&ecdsa_sha512, Secrets::NONE), "ecdsa-with-SHA512");
        assert_eq!(algorithm(&p521, Secrets::NONE), "ECDSA P-521");
        assert_eq!(algorithm(&[0x06, 3, 0x2a, 3, 4], Secrets::NONE), "OID 1.2.3.4");
        assert_eq!(algorithm(&[0x06, 2, 0x88, 0x37], Secrets::NONE), "OID 2.999");
        assert_eq!(algorithm(b"junk", Secrets::NONE), "an unknown algorithm");
    }

    #[test]
    fn names_from_certificates_are_short_and_visible() {
        let clean = |text: &str| clean(text, Secrets::NONE);
        assert_eq!(clean("Zürich (G2) 公司"), "Zürich ?G2? 公司");
        assert_eq!(clean("a\u{202e}b\u{200b}c\n\u{1b}{}[]\""), "a?b?c???????");
        assert_eq!(clean("ΑЖա日あ한"), "ΑЖա日あ한");
        // Marks that combine or are not visible, and letters from right to left.
        for character in
            "\u{300}\u{345}\u{483}\u{591}\u{5d0}\u{627}\u{ad}\u{a0}\u{115f}\u{3099}\u{3164}\u{fe0f}\u{1f600}".chars()
        {
            assert_eq!(clean(&format!("a{character}")), "a?");
        }
        assert_eq!(clean(&"x".repeat(48)), "x".repeat(48));
        assert_eq!(clean(&"x".repeat(49)), format!("{}…", "x".repeat(48)));
        assert_eq!(clean(&"日".repeat(20)), format!("{}…", "日".repeat(16)));
        assert_eq!(path("/a\nb\u{1b}/é".as_ref()), "/a?b?/é");
    }
}
