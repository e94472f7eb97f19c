//! Seals records, so that only a process with the same credentials can read or write one.
//!
//! The bytes of a sealed record:
//!
//! | offset | length | content |
//! |---|---|---|
//! | 0 | 1 | the version of this layout: 1 |
//! | 1 | 12 | a random nonce |
//! | 13 | n | the record ([`super::record`]), encrypted |
//! | 13 + n | 16 | the tag |
//!
//! The cipher is AES-256-GCM (NIST SP 800-38D). The associated data is the version and the name of the record, so a
//! record does not open under another name. Each name has a separate key, and a record is sealed at most a few times an
//! hour, so a random nonce does not repeat.
//!
//! Key and name: PBKDF2-HMAC-SHA256 (RFC 8018) makes 32 bytes from the password, with 100,000 iterations. Its salt is
//! the SHA-256 of version, gate and user. HKDF-SHA256 (RFC 5869) makes the key and the name from these bytes. The name
//! is 32 hexadecimal digits.

use std::num::NonZeroU32;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::{digest, pbkdf2};
use zeroize::Zeroizing;

use super::{fault, hex, random};
use crate::credentials::Credentials;
use crate::error::Error;

/// The version of the layout. Another version has other names, because the salt contains it.
const VERSION: u8 = 1;

/// Few in the unit tests, which make many keys.
const ITERATIONS: u32 = if cfg!(test) { 10 } else { 100_000 };

/// The key and the name of one record.
pub struct Seal {
    name: String,
    key: Zeroizing<[u8; 32]>,
}

/// The result of opening a record.
pub enum Opened {
    /// The bytes that were sealed.
    Record(Zeroizing<Vec<u8>>),
    /// It is damaged, or was sealed with another key or for another name.
    Damaged,
    /// Another version of the library has sealed it.
    OtherVersion,
}

impl Seal {
    /// The seal of these credentials at this gate. Computes for about 20 ms.
    pub fn new(gate: &str, credentials: &Credentials) -> Seal {
        let mut salt = digest::Context::new(&digest::SHA256);
        salt.update(&[VERSION]);
        for part in [gate, credentials.username.expose()] {
            salt.update(&(part.len() as u64).to_le_bytes());
            salt.update(part.as_bytes());
        }
        let mut stretched = Zeroizing::new([0; 32]);
        let password = credentials.password.expose().as_bytes();
        let iterations = NonZeroU32::MIN.saturating_add(ITERATIONS - 1);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt.finish().as_ref(), password, &mut *stretched);
        let mut name = [0; 16];
        let mut key = Zeroizing::new([0; 32]);
        expand(&*stretched, b"dl_auth record name", &mut name);
        expand(&*stretched, b"dl_auth record key", &mut *key);
        Seal { name: hex(&name), key }
    }

    /// The name of the record.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Seals a record. The text in `plain` is encrypted in place.
    pub fn seal(&self, mut plain: Zeroizing<Vec<u8>>) -> Result<Vec<u8>, Error> {
        let nonce = random::<NONCE_LEN>()?;
        let sealed =
            self.cipher()?.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), self.data(), &mut plain);
        let tag = sealed.map_err(|_| fault("the record is too long"))?;
        Ok([&[VERSION], &nonce[..], &plain, tag.as_ref()].concat())
    }

    /// Opens a record.
    pub fn open(&self, sealed: &[u8]) -> Opened {
        match sealed.split_first() {
            Some((&VERSION, rest)) => self.decrypt(rest).map_or(Opened::Damaged, Opened::Record),
            Some(_) => Opened::OtherVersion,
            None => Opened::Damaged,
        }
    }

    fn decrypt(&self, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, text) = bytes.split_first_chunk()?;
        let mut text = Zeroizing::new(text.to_vec());
        let cipher = self.cipher().ok()?;
        let length = cipher.open_in_place(Nonce::assume_unique_for_key(*nonce), self.data(), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }

    fn cipher(&self) -> Result<LessSafeKey, Error> {
        let key = UnboundKey::new(&AES_256_GCM, &*self.key).map_err(|_| fault("the key is not valid"))?;
        Ok(LessSafeKey::new(key))
    }

    fn data(&self) -> Aad<Vec<u8>> {
        Aad::from([&[VERSION], self.name.as_bytes()].concat())
    }
}

/// A number of bytes, as HKDF gets it.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand(secret: &[u8], purpose: &[u8], to: &mut [u8]) {
    let key = Salt::new(HKDF_SHA256, &[]).extract(secret);
    // Fails only for more than 255 * 32 bytes.
    key.expand(&[purpose], Length(to.len())).and_then(|made| made.fill(to)).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn seal(gate: &str, user: &str, password: &str) -> Seal {
        let secret = |text: &str| Secret::new(text.to_owned());
        Seal::new(gate, &Credentials::new(secret(user), secret(password)))
    }

    fn text(opened: Opened) -> Option<String> {
        match opened {
            Opened::Record(plain) => Some(String::from_utf8(plain.to_vec()).unwrap()),
            Opened::Damaged => None,
            Opened::OtherVersion => Some("other version".to_owned()),
        }
    }

    fn sealed(seal: &Seal, text: &str) -> Vec<u8> {
        seal.seal(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
    }

    #[test]
    fn each_gate_user_and_password_has_another_name_and_key() {
        let all = [("g", "u", "p"), ("h", "u", "p"), ("g", "v", "p"), ("g", "u", "q"), ("gu", "", "p")];
        let seals = all.map(|(gate, user, password)| seal(gate, user, password));
        for (n, one) in seals.iter().enumerate() {
            assert!(one.name().len() == 32 && one.name().bytes().all(|byte| byte.is_ascii_hexdigit()));
            let record = sealed(one, "canary");
            assert_eq!(text(one.open(&record)).as_deref(), Some("canary"));
            for other in &seals[..n] {
                assert_ne!(one.name(), other.name());
                assert_eq!(text(other.open(&record)), None);
            }
        }
        assert_eq!(seal("g", "u", "p").name(), seals[0].name(), "each process has the same name");
    }

    #[test]
    fn a_record_reveals_nothing_and_is_never_the_same_twice() {
        let seal = seal("g", "u", "p");
        let (one, two) = (sealed(&seal, &"canary".repeat(20)), sealed(&seal, &"canary".repeat(20)));
        assert_ne!(one, two);
        assert_eq!((one.len(), one[0]), (1 + 12 + 120 + 16, 1));
        assert!(!one.windows(6).any(|part| part == b"canary"));
    }

    #[test]
    fn a_record_that_is_damaged_in_any_way_does_not_open() {
        let seal = seal("g", "u", "p");
        let record = sealed(&seal, "canary");
        for at in 1..record.len() {
            for bit in 0..8 {
                let mut damaged = record.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(text(seal.open(&damaged)), None, "byte {at}, bit {bit}");
            }
        }
        for length in 0..record.len() {
            assert_eq!(text(seal.open(&record[..length])), None, "{length} bytes");
        }
        assert_eq!(text(seal.open(&[&record[..], &[0]].concat())), None);
        // A record under another name.
        let mut moved = Seal { name: "0".repeat(32), key: seal.key.clone() };
        assert_eq!(text(moved.open(&record)), None);
        moved.name = seal.name.clone();
        assert_eq!(text(moved.open(&record)).as_deref(), Some("canary"));
    }

    #[test]
    fn a_record_of_another_version_is_recognised() {
        let seal = seal("g", "u", "p");
        for version in [0, 2, 255] {
            let mut record = sealed(&seal, "canary");
            record[0] = version;
            assert_eq!(text(seal.open(&record)).as_deref(), Some("other version"));
        }
    }
}
