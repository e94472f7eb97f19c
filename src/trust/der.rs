//! Reads the fields of a certificate that pinned certificates and messages need.
//!
//! The verifier of the TLS library cannot read version 1 certificates. It does not show the signature algorithm or the
//! validity of a certificate. General parsers add 170 KB (x509-parser) or 220 KB (x509-cert) to the library (measured).
//! This module decides about trust only for the certificates of `ca_file`: which of them a server's certificate must
//! equal, and which may issue others.

/// One element of DER: a tag and its value.
pub struct Element<'a> {
    pub tag: u8,
    pub value: &'a [u8],
    /// The whole element: the tag, the length and the value.
    pub whole: &'a [u8],
}

/// The elements in this value, one after the other. Ends at the first malformed element.
#[derive(Clone, Copy)]
pub struct Elements<'a>(pub &'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    #[inline(never)] // it has many calls, but speed does not matter: it is used for errors only
    fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            ..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (value, after) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - after.len())?;
        self.0 = after;
        Some(Element { tag, value, whole })
    }
}

impl<'a> Elements<'a> {
    #[inline(never)]
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|element| element.tag == tag).map(|element| element.value)
    }
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
/// The tag of an object identifier.
pub const OID: u8 = 0x06;
const BMP_STRING: u8 = 0x1e;
/// The tag of a sequence.
pub const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

const KEY_USAGE: u8 = 15;
const SUBJECT_ALT_NAME: u8 = 17;
const BASIC_CONSTRAINTS: u8 = 19;
const EXTENDED_KEY_USAGE: u8 = 37;
/// The extensions below 2.5.29 that the verifier supports. Only these may be critical.
const KNOWN: [u8; 6] = [KEY_USAGE, SUBJECT_ALT_NAME, BASIC_CONSTRAINTS, 30, 31, EXTENDED_KEY_USAGE];
const SERVER_AUTH: [u8; 8] = [0x2b, 6, 1, 5, 5, 7, 3, 1];
const COMMON_NAME: [u8; 3] = [0x55, 4, 3];

/// A name in subjectAltName.
#[derive(Debug, PartialEq, Eq)]
pub enum Name {
    Dns(String),
    Ip(std::net::IpAddr),
    /// A name of another kind, such as a mail address. It cannot be the name of a server.
    Other,
}

/// The fields of a certificate. Slices are the contents of sequences, without tag and length.
#[derive(Clone, Copy)]
pub struct X509<'a> {
    /// 1 to 3.
    pub version: u8,
    /// The signed part.
    pub signed: &'a [u8],
    /// The algorithm of the signature, with its parameters.
    pub algorithm: &'a [u8],
    pub signature: &'a [u8],
    pub issuer: &'a [u8],
    pub subject: &'a [u8],
    /// Unix seconds.
    pub validity: (u64, u64),
    /// The public key, with its tag and length.
    pub key: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> X509<'a> {
    /// Reads a certificate. It must fill `der`.
    pub fn read(der: &'a [u8]) -> Option<X509<'a>> {
        let mut outer = Elements(der);
        let mut certificate = Elements(outer.expect(SEQUENCE)?);
        let signed = certificate.next().filter(|element| element.tag == SEQUENCE)?;
        let mut fields = Elements(signed.value);
        let algorithm = certificate.expect(SEQUENCE)?;
        let (_, signature) = certificate.expect(BIT_STRING)?.split_first()?;
        if !outer.0.is_empty() || !certificate.0.is_empty() {
            return None;
        }
        let mut element = fields.next()?;
        let mut version = 1;
        if element.tag == 0xa0 {
            version = Elements(element.value).expect(INTEGER)?.last()?.checked_add(1)?;
            element = fields.next()?;
        }
        (element.tag == INTEGER).then_some(())?;
        fields.expect(SEQUENCE)?;
        let issuer = fields.expect(SEQUENCE)?;
        let mut times = Elements(fields.expect(SEQUENCE)?);
        let validity = (unix_seconds(&times.next()?)?, unix_seconds(&times.next()?)?);
        let subject = fields.expect(SEQUENCE)?;
        let key = fields.next().filter(|element| element.tag == SEQUENCE)?.whole;
        let extensions = fields
            .find(|element| element.tag == 0xa3)
            .map_or(Some(&[][..]), |element| Elements(element.value).expect(SEQUENCE))?;
        let signed = signed.whole;
        Some(X509 { version, signed, algorithm, signature, issuer, subject, validity, key, extensions })
    }

    /// Whether the certificate names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// The identifier, the criticality and the value of each extension.
    fn extensions(&self) -> impl Iterator<Item = (&'a [u8], bool, &'a [u8])> {
        Elements(self.extensions).filter_map(|extension| {
            let mut fields = Elements(extension.value);
            let id = fields.expect(OID)?;
            let mut element = fields.next()?;
            let critical = element.tag == BOOLEAN;
            if critical {
                element = fields.next()?;
            }
            (element.tag == OCTET_STRING).then_some((id, critical, element.value))
        })
    }

    /// The value of the extension 2.5.29.`number`.
    #[inline(never)]
    fn raw_extension(&self, number: u8) -> Option<&'a [u8]> {
        self.extensions().find(|(id, ..)| *id == [0x55, 0x1d, number]).map(|(.., value)| value)
    }

    /// The content of the sequence that is the value of this extension.
    fn extension(&self, number: u8) -> Option<Elements<'a>> {
        Elements(self.raw_extension(number)?).expect(SEQUENCE).map(Elements)
    }

    /// A critical extension that the verifier does not support.
    pub fn unknown_critical_extension(&self) -> Option<&'a [u8]> {
        let known = |id: &[u8]| matches!(id, [0x55, 0x1d, number] if KNOWN.contains(number));
        self.extensions().find(|(id, critical, _)| *critical && !known(id)).map(|(id, ..)| id)
    }

    /// The names in subjectAltName. `None`: it has no such extension.
    pub fn names(&self) -> Option<Vec<Name>> {
        let name = |element: Element<'_>| match element.tag {
            0x82 => Name::Dns(text(&element)),
            0x87 => match (<[u8; 4]>::try_from(element.value), <[u8; 16]>::try_from(element.value)) {
                (Ok(v4), _) => Name::Ip(v4.into()),
                (_, Ok(v6)) => Name::Ip(v6.into()),
                _ => Name::Other,
            },
            _ => Name::Other,
        };
        Some(self.extension(SUBJECT_ALT_NAME)?.map(name).collect())
    }

    /// The common names of the subject.
    pub fn common_names(&self) -> Vec<String> {
        attributes(self.subject).filter(|(id, _)| *id == COMMON_NAME).map(|(_, value)| value).collect()
    }

    /// Whether it is marked as a CA certificate, and how many CAs may follow it in a chain.
    pub fn ca(&self) -> (bool, Option<usize>) {
        let Some(mut fields) = self.extension(BASIC_CONSTRAINTS) else { return (false, None) };
        let Some(first) = fields.next().filter(|field| field.tag == BOOLEAN) else { return (false, None) };
        let depth = fields.expect(INTEGER).and_then(|depth| depth.last().copied());
        (first.value != [0], depth.map(usize::from))
    }

    /// Whether it may issue certificates. A version 1 certificate has no extension that says so.
    #[inline(never)]
    pub fn may_issue(&self) -> bool {
        const KEY_CERT_SIGN: u8 = 0x04;
        let signs = |value| Elements(value).expect(BIT_STRING)?.get(1).map(|bits| bits & KEY_CERT_SIGN != 0);
        match (self.raw_extension(BASIC_CONSTRAINTS), self.raw_extension(KEY_USAGE)) {
            _ if self.version < 3 => true,
            (Some(_), _) => self.ca().0,
            (None, Some(usage)) => signs(usage).unwrap_or(false),
            (None, None) => false,
        }
    }

    /// Whether a server may use it: its extended key usage lists servers, or it has no extended key usage.
    pub fn is_for_servers(&self) -> bool {
        self.extension(EXTENDED_KEY_USAGE).is_none_or(|mut purposes| purposes.any(|id| id.value == SERVER_AUTH))
    }
}

/// The attributes of a distinguished name: each one's identifier and its text.
fn attributes(name: &[u8]) -> impl Iterator<Item = (&[u8], String)> {
    Elements(name).filter(|set| set.tag == SET).flat_map(|set| Elements(set.value)).filter_map(|attribute| {
        let mut fields = Elements(attribute.value);
        Some((fields.expect(OID)?, text(&fields.next()?)))
    })
}

/// The short name for a distinguished name: its common name, or its last attribute if it has no common name. It may
/// contain any characters.
pub fn called(name: &[u8]) -> Option<String> {
    attributes(name)
        .filter(|(id, _)| *id == COMMON_NAME)
        .last()
        .or_else(|| attributes(name).last())
        .map(|(_, text)| text)
}

/// Each two bytes. A single byte at the end is left out.
pub fn pairs(bytes: &[u8]) -> impl Iterator<Item = [u8; 2]> {
    bytes.chunks_exact(2).filter_map(|two| two.try_into().ok())
}

fn text(element: &Element<'_>) -> String {
    if element.tag == BMP_STRING {
        let units = pairs(element.value).map(u16::from_be_bytes);
        return char::decode_utf16(units).map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    }
    String::from_utf8_lossy(element.value).into_owned()
}

/// The bits of an RSA key: a public key with its tag and length.
pub fn rsa_bits(key: &[u8]) -> Option<usize> {
    let mut fields = Elements(Elements(key).expect(SEQUENCE)?);
    fields.expect(SEQUENCE)?;
    let (_, bits) = fields.expect(BIT_STRING)?.split_first()?;
    let modulus = Elements(Elements(bits).expect(SEQUENCE)?).expect(INTEGER)?;
    let start = modulus.iter().position(|byte| *byte != 0)?;
    let top = modulus.get(start)?.leading_zeros() as usize;
    Some((modulus.len() - start) * 8 - top)
}

/// The algorithm of a public key with its tag and length.
pub fn key_algorithm(key: &[u8]) -> Option<&[u8]> {
    Elements(Elements(key).expect(SEQUENCE)?).expect(SEQUENCE)
}

/// A UTCTime or GeneralizedTime (RFC 5280) in Unix seconds; 0 for a time before 1970.
fn unix_seconds(time: &Element<'_>) -> Option<u64> {
    let text = std::str::from_utf8(time.value).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = text.split_at_checked(match time.tag {
        0x17 => 2,
        0x18 => 4,
        _ => return None,
    })?;
    let mut year: i64 = year.parse().ok()?;
    if time.tag == 0x17 {
        year += if year < 50 { 2000 } else { 1900 };
    }
    // Two digits each: month, day, hour, minute, second.
    let digits = rest.parse::<u64>().ok().filter(|_| rest.len() == 10)?;
    let two = |from_the_end: u32| (digits / 100_u64.pow(from_the_end) % 100) as i64;
    let (month, day, hour, minute, second) = (two(4), two(3), two(2), two(1), two(0));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // The days since 1970. The calculation uses years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(u64::try_from(((days * 24 + hour) * 60 + minute) * 60 + second).unwrap_or(0))
}

#[cfg(test)]
mod tests;
