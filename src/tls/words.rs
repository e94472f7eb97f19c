//! Words for what the TLS library and certificates name by identifiers and numbers.

use super::der::{Elements, OID, called, key_algorithm, rsa_bits};

/// An identifier of the TLS library as lower-case words: `TooManyEmptyFragments` gives "too many empty fragments".
/// Takes the library's debug output, and leaves out what follows the identifier.
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

/// Text from elsewhere, made fit for a message: short, on one line, without quotes, brackets and what is not visible.
pub fn clean(text: &str) -> String {
    const MAX: usize = 40;
    let fit = |character: char| character.is_alphanumeric() || " .,:;-_*@/'+=&!#".contains(character);
    let mut cleaned: String =
        text.chars().take(MAX).map(|character| if fit(character) { character } else { '?' }).collect();
    if text.chars().nth(MAX).is_some() {
        cleaned.push('…');
    }
    cleaned
}

/// What a distinguished name is called, in quotes.
pub fn quoted(name: &[u8]) -> String {
    match called(name) {
        Some(name) => format!("\"{}\"", clean(&name)),
        None => "without a name".to_owned(),
    }
}

/// The names of algorithms, as OpenSSL has them: identifiers without tag and length.
const ALGORITHMS: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], "RSA"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 2], "md2WithRSAEncryption"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4], "md5WithRSAEncryption"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5], "sha1WithRSAEncryption"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10], "rsassaPss"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11], "sha256WithRSAEncryption"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12], "sha384WithRSAEncryption"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13], "sha512WithRSAEncryption"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 14], "sha224WithRSAEncryption"),
    (&[0x2b, 14, 3, 2, 29], "sha1WithRSA"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], "ECDSA"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], "ecdsa-with-SHA1"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1], "ecdsa-with-SHA224"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], "ecdsa-with-SHA256"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3], "ecdsa-with-SHA384"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4], "ecdsa-with-SHA512"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 9], "ecdsa-with-SHA3-224"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 10], "ecdsa-with-SHA3-256"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 11], "ecdsa-with-SHA3-384"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 12], "ecdsa-with-SHA3-512"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 14], "RSA-SHA3-256"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 16], "RSA-SHA3-512"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17], "ML-DSA-44"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18], "ML-DSA-65"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 19], "ML-DSA-87"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1], "DSA"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3], "dsaWithSHA1"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 2], "dsa-with-SHA256"),
    (&[0x2b, 0x65, 0x70], "Ed25519"),
    (&[0x2b, 0x65, 0x71], "Ed448"),
    (&[0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x75], "SM2-with-SM3"),
    (&[0x2a, 0x85, 3, 7, 1, 1, 3, 2], "GOST R 34.10-2012"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], "P-256"),
    (&[0x2b, 0x81, 4, 0, 33], "P-224"),
    (&[0x2b, 0x81, 4, 0, 34], "P-384"),
    (&[0x2b, 0x81, 4, 0, 35], "P-521"),
    (&[0x2b, 0x81, 4, 0, 10], "secp256k1"),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 7], "brainpoolP256r1"),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 11], "brainpoolP384r1"),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 13], "brainpoolP512r1"),
    (&[0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x82, 0x2d], "SM2"),
];

/// An object identifier by its name, or by its numbers where it has none here.
pub fn named(id: &[u8]) -> String {
    ALGORITHMS.iter().find(|(known, _)| *known == id).map_or_else(|| numbers(id), |(_, name)| (*name).to_owned())
}

/// An object identifier as numbers with dots between them.
pub fn numbers(id: &[u8]) -> String {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc = 0_u64;
    for byte in id.iter().take(32) {
        arc = arc.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.push(first);
                arc -= first * 40;
            }
            arcs.push(arc);
            arc = 0;
        }
    }
    format!("OID {}", arcs.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
}

/// The name of an algorithm with its parameters, of which the curve of a key is told.
pub fn algorithm(identifier: &[u8]) -> String {
    let mut ids = Elements(identifier).take_while(|element| element.tag == OID).map(|element| named(element.value));
    match (ids.next(), ids.next()) {
        (Some(name), Some(curve)) => format!("{name} {curve}"),
        (Some(name), None) => name,
        (None, _) => "an unknown algorithm".to_owned(),
    }
}

/// The kind of a public key, and the size of one of RSA.
pub fn key(key: &[u8]) -> String {
    let kind = key_algorithm(key).map_or_else(|| "unknown".to_owned(), algorithm);
    rsa_bits(key).map_or(kind, |bits| format!("RSA with {bits} bits"))
}

/// Why a certificate is no root.
pub fn refused(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(why)) => words(&format!("{:?}", why.0)),
        rustls::Error::InvalidCertificate(why) => words(&format!("{why:?}")),
        error => words(&format!("{error:?}")),
    }
}
