//! Reads files of certificates in every form that is in use. It never skips a certificate silently: if a block cannot
//! be read as a certificate, the error names the block.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;

use super::Certificate;
use super::der::{Elements, SEQUENCE, X509, pairs};

/// A certificate, and its place in the file.
pub struct Block {
    pub certificate: Certificate,
    number: usize,
    label: &'static str,
}

impl Block {
    /// The place as a message shows it.
    pub fn place(&self) -> String {
        format!("block {} ({})", self.number, self.label)
    }
}

/// Each certificate of a file, or why it cannot be read. Blocks that cannot hold a certificate are ignored. A private
/// key is such a block, and is never decoded.
///
/// A file in DER is one certificate.
pub fn certificates(file: &[u8]) -> impl Iterator<Item = Result<Block, String>> {
    let der = is_der(file).then(|| from_der(file));
    let text = if der.is_some() { Cow::default() } else { text(file) };
    Blocks { der, text, at: 0, number: 0 }
}

/// Whether it begins like a certificate in DER of more than 127 bytes. The second byte is needed, because text may
/// begin with the same first byte.
fn is_der(file: &[u8]) -> bool {
    matches!(file, [SEQUENCE, 0x80..=0xff, ..])
}

/// Refuses a file that may hold a certificate that `certificates` does not find: a certificate in another encoding than
/// the rest of the file, or after a BEGIN line in an unusual form.
#[inline(never)] // as some other functions here: each inlined copy adds to the library's size
pub fn check(file: &[u8]) -> Result<(), String> {
    if is_der(file) {
        return Ok(());
    }
    let text = text(file);
    let mut bytes = Cow::Borrowed(file);
    if file.contains(&0) {
        bytes.to_mut().retain(|byte| *byte != 0);
    }
    let begin_lines = begins(&bytes);
    // Searches the decoded text, because UTF-16 has NULs between the letters.
    let exact = match &text {
        Cow::Borrowed(_) => begin_lines.clone(),
        Cow::Owned(text) => begins(text.as_bytes()),
    };
    let exact: Vec<usize> = exact.iter().filter(|(_, exact)| *exact).map(|(line, _)| *line).collect();
    let inexact: Vec<usize> = begin_lines.iter().map(|(line, _)| *line).collect();
    let control = |byte: u8| byte < b' ' && !matches!(byte, b'\t'..=b'\r' | 0x1a);
    let (line, why) = if inexact.len() > exact.len() {
        let same = inexact.iter().zip(&exact).take_while(|(inexact, exact)| inexact == exact).count();
        let why = "looks like the BEGIN line of a certificate, but cannot be recognized; write it as \
                   `-----BEGIN CERTIFICATE-----`, in the encoding of the other lines, or take it out";
        (inexact.get(same).copied().unwrap_or_default(), why)
    // First, one pass over all bytes. The compiler makes it much faster than a search.
    } else if text.bytes().fold(false, |found, byte| found | control(byte)) {
        let at = text.bytes().position(control).unwrap_or_default();
        let lines = text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        (lines + 1, "is not text; write every certificate as PEM, in one encoding")
    } else {
        return Ok(());
    };
    Err(format!("line {line} {why}"))
}

/// The lines that look like the BEGIN line of a certificate, in upper or lower case, after any kind of dash. For each
/// one: its number, and whether the BEGIN has the exact form.
#[inline(never)]
fn begins(text: &[u8]) -> Vec<(usize, bool)> {
    const BEGIN: &[u8] = b"BEGIN";
    const CERTIFICATE: &[u8] = b"CERTIFICATE";
    const NEAR: usize = 24;
    let (mut lines, mut line, mut counted) = (Vec::new(), 1, 0);
    // A bundle has 200 KB. `str::find` checks several bytes at a time, so this is a small part of the cost of a first
    // login.
    let plain = std::str::from_utf8(text).ok().filter(|plain| plain.is_ascii() && !plain.contains(';'));
    let dash = |from: usize| match plain {
        Some(plain) => plain.get(from..)?.find('-').map(|at| from + at),
        None => text.get(from..)?.iter().position(|byte| matches!(byte, b'-' | b';' | 0x80..)).map(|at| from + at),
    };
    let mut from = 0;
    while let Some(at) = dash(from) {
        from = at + 1;
        let rest = text.get(at + 1..).unwrap_or_default();
        let word = rest.trim_ascii_start();
        let Some((begin, after)) = word.split_at_checked(BEGIN.len()) else { continue };
        if !begin.eq_ignore_ascii_case(BEGIN) {
            continue;
        }
        let near =
            after.windows(CERTIFICATE.len()).take(NEAR + 1).position(|word| word.eq_ignore_ascii_case(CERTIFICATE));
        if near.is_some_and(|near| is_label(after, near, near + CERTIFICATE.len())) {
            line += text.get(counted..at).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
            counted = at;
            lines.push((line, text.get(at) == Some(&b'-') && rest.starts_with(BEGIN) && after.starts_with(b" ")));
        }
    }
    lines
}

/// Whether CERTIFICATE, from `start` to `end`, is part of a label. It may be part of a comment instead, such as
/// `begin CA certificates`.
fn is_label(text: &[u8], start: usize, end: usize) -> bool {
    let letters = text.get(..start).unwrap_or_default().iter().filter(|byte| byte.is_ascii_alphabetic());
    let letters: Vec<u8> = letters.map(u8::to_ascii_uppercase).collect();
    let whole = !text.get(end).is_some_and(u8::is_ascii_alphabetic);
    whole && [&b""[..], b"X", b"TRUSTED", b"NEW"].contains(&letters.as_slice())
}

/// The content of a file that has no certificate.
pub fn instead(file: &[u8]) -> String {
    let text = text(file);
    let first = mark(&text, 0).and_then(|(at, _)| label(&text, at + BEGIN.len()));
    match first {
        Some((label, _)) => format!("there is no certificate in the file, but block 1 is {label}"),
        None => "there is no certificate in the file".to_owned(),
    }
}

const BEGIN: &str = "-BEGIN ";
const END: &str = "-END ";
const DASHES: &str = "-----";

/// The blocks of a PEM file. A block may begin anywhere in a line: users join files without a line end between them,
/// editors indent lines, and a file may begin with a byte order mark.
struct Blocks<'a> {
    /// The only block of a file in DER.
    der: Option<Result<Block, String>>,
    text: Cow<'a, str>,
    at: usize,
    number: usize,
}

impl Iterator for Blocks<'_> {
    type Item = Result<Block, String>;

    #[inline(never)]
    fn next(&mut self) -> Option<Result<Block, String>> {
        if let Some(der) = self.der.take() {
            return Some(der);
        }
        loop {
            let text = &self.text;
            let (begin, is_begin) = mark(text, self.at)?;
            self.number += 1;
            let number = self.number;
            if !is_begin {
                self.at = text.len();
                return Some(Err(format!("block {number} has an END line, but no BEGIN line; copy it again")));
            }
            let start = begin + BEGIN.len();
            let next = mark(text, start);
            self.at = next.map_or(text.len(), |(at, is_begin)| if is_begin { at } else { at + END.len() });
            let Some((name, body)) = label(text, start).filter(|_| dashes_before(text, begin)) else {
                return Some(Err(format!("the BEGIN line of block {number} is damaged; copy it again")));
            };
            let Some((end, _)) = next.filter(|(_, is_begin)| !is_begin) else {
                return Some(Err(format!("block {number} ({name}) is cut off: it has no END line; copy it again")));
            };
            match label(text, end + END.len()) {
                Some((other, after)) if other == name && dashes_before(text, end) => self.at = after,
                _ => return Some(Err(format!("the END line of block {number} ({name}) is damaged; copy it again"))),
            }
            match Kind::of(name) {
                Kind::Certificate(label) => {
                    let body = text.get(body..end + 1 - DASHES.len()).unwrap_or_default();
                    let certificate = decode(body);
                    let damaged = || {
                        let why = if body.contains('\\') {
                            "has the characters `\\n` in it; replace them with line ends"
                        } else {
                            "is damaged: it is not base64; copy it again"
                        };
                        format!("block {number} ({name}) {why}")
                    };
                    return Some(
                        certificate.map(|certificate| Block { certificate, number, label }).ok_or_else(damaged),
                    );
                }
                Kind::Other => {}
                Kind::Refused(advice) => return Some(Err(format!("block {number} ({name}) {advice}"))),
            }
        }
    }
}

/// The kind of a block, by its label.
enum Kind {
    Certificate(&'static str),
    /// It holds no certificate.
    Other,
    /// It may hold certificates in a form that is not supported.
    Refused(&'static str),
}

impl Kind {
    fn of(label: &str) -> Kind {
        match label {
            "CERTIFICATE" => Kind::Certificate("CERTIFICATE"),
            "X509 CERTIFICATE" => Kind::Certificate("X509 CERTIFICATE"),
            // Its trust settings may say that it is not trusted for servers.
            "TRUSTED CERTIFICATE" => Kind::Refused(
                "has trust settings of OpenSSL, which dl_auth does not read; copy this block alone into the file OLD, \
                 run `openssl x509 -in OLD -out NEW`, and replace this block with NEW",
            ),
            "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA" => Kind::Refused(
                "is not a single certificate; copy this block alone into the file OLD, \
                 run `openssl pkcs7 -print_certs -in OLD -out NEW`, and replace this block with NEW",
            ),
            "X509 CRL" | "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Kind::Other,
            _ if ["PRIVATE KEY", "PUBLIC KEY", "PARAMETERS"].iter().any(|end| label.ends_with(end)) => Kind::Other,
            _ => Kind::Refused("is not a certificate; take it out of the file"),
        }
    }
}

fn decode(body: &str) -> Option<Certificate> {
    let mut base64 = Vec::with_capacity(body.len());
    body.split_ascii_whitespace().for_each(|line| base64.extend_from_slice(line.as_bytes()));
    STANDARD.decode(base64).ok().filter(|der| !der.is_empty()).map(CertificateDer::from)
}

fn from_der(file: &[u8]) -> Result<Block, String> {
    let first = Elements(file).next();
    Err(match first {
        None => "the file looks like a certificate in DER, but is cut off; copy it again".to_owned(),
        Some(first) if X509::read(first.whole).is_some() => {
            if file.trim_ascii_end().len() > first.whole.len() {
                return Err(
                    "the file has more after its certificate in DER; give one certificate, or write them all as PEM"
                        .to_owned(),
                );
            }
            let certificate = CertificateDer::from(first.whole.to_vec());
            return Ok(Block { certificate, number: 1, label: "DER" });
        }
        // PKCS #7 begins with its identifier. PKCS #12 begins with the number 3.
        Some(first) if first.value.starts_with(&[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07]) => {
            "the file is PKCS #7; take the certificates out: \
             `openssl pkcs7 -inform DER -print_certs -in OLD -out NEW`"
                .to_owned()
        }
        Some(first) if first.value.starts_with(&[0x02, 0x01, 0x03]) => {
            "the file is PKCS #12; take the certificates out: `openssl pkcs12 -nokeys -in OLD -out NEW`".to_owned()
        }
        Some(_) => "the file is DER, but not a certificate; give a certificate".to_owned(),
    })
}

/// The label that begins here, without the dashes, and the place where the text after the dashes begins.
fn label(text: &str, start: usize) -> Option<(&str, usize)> {
    let rest = text.get(start..)?;
    let (label, dashes) = rest.split_at(rest.find('-').filter(|length| *length <= 40)?);
    let usual = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" #.".contains(&byte);
    let whole = label.bytes().all(usual) && dashes.starts_with(DASHES);
    whole.then_some((label, start + label.len() + DASHES.len()))
}

/// Whether there are five dashes in a row, the last of them at `last`.
fn dashes_before(text: &str, last: usize) -> bool {
    text.get(..=last).is_some_and(|before| before.ends_with(DASHES))
}

/// The place of the next BEGIN or END, and whether it is a BEGIN. The search is fast, because base64 contains no dash.
fn mark(text: &str, mut from: usize) -> Option<(usize, bool)> {
    loop {
        let rest = text.get(from..)?;
        let dash = rest.find('-')?;
        let rest = rest.get(dash..)?;
        if rest.starts_with(BEGIN) || rest.starts_with(END) {
            return Some((from + dash, rest.starts_with(BEGIN)));
        }
        from += dash + 1;
    }
}

/// The file as text. UTF-16 is decoded. The dashes of word processors, which would hide a block, become ASCII dashes.
fn text(file: &[u8]) -> Cow<'_, str> {
    let unit: Option<fn([u8; 2]) -> u16> = match file {
        [0xff, 0xfe, ..] | [_, 0, _, 0, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] | [0, _, 0, _, ..] => Some(u16::from_be_bytes),
        _ => None,
    };
    let text = match unit {
        Some(unit) => String::from_utf16_lossy(&pairs(file).map(unit).collect::<Vec<_>>()).into(),
        None => std::str::from_utf8(file).map_or_else(|_| String::from_utf8_lossy(file), Cow::Borrowed),
    };
    if text.is_ascii() { text } else { text.replace(['\u{2013}', '\u{2014}'], "-").into() }
}

#[cfg(test)]
mod tests;
