//! Every form of a file of certificates: which certificates are read, or why the file is refused.

use super::super::read_ca;
use super::*;
use rustls::pki_types::pem::PemObject;

const ONE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBcjCCARmgAwIBAgIUVwMWY57xePL4bih9zjoFK0UMuAUwCgYIKoZIzj0EAwIw
DjEMMAoGA1UEAwwDb25lMCAXDTI2MTEyNzEyMjAxOVoYDzIxMjYxMTAzMTIyMDE5
WjAOMQwwCgYDVQQDDANvbmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAS4sJfx
SeOzG9BtQZBHUhkbBxp5PTkH1XYaosmBeAO+fNHDZ3ul0RCmeK6czpFZIRF6voeZ
PkOmwazq5jF0YgGHo1MwUTAdBgNVHQ4EFgQUBa0hcOeHIonsKzef4UBV96LkKScw
HwYDVR0jBBgwFoAUBa0hcOeHIonsKzef4UBV96LkKScwDwYDVR0TAQH/BAUwAwEB
/zAKBggqhkjOPQQDAgNHADBEAiBsfJVuOR2TZqyH1dGjfUTcF6RC8g6BhgGskz3m
TOKnTQIgS4+9l1ar+aE0HN1gVKBTBHmZ+T7seArotUSTIDgB1vY=
-----END CERTIFICATE-----
";
const TWO: &str = "\
-----BEGIN CERTIFICATE-----
MIIBcjCCARmgAwIBAgIUBxTjwe9E1e5rbYaLG2Z2flHnxhwwCgYIKoZIzj0EAwIw
DjEMMAoGA1UEAwwDdHdvMCAXDTI2MTEyNzEyMjAxOVoYDzIxMjYxMTAzMTIyMDE5
WjAOMQwwCgYDVQQDDAN0d28wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQUC4SI
AzazcpKyTRWcwo8BQrLH9r3Dhd7aX5+77U6QxAdXcImp2naMb44Rt775LrE+F3Yr
tdAwbm3DGGCx82xDo1MwUTAdBgNVHQ4EFgQUSduuqQiJesp1LqSJ0ya3/va+Yucw
HwYDVR0jBBgwFoAUSduuqQiJesp1LqSJ0ya3/va+YucwDwYDVR0TAQH/BAUwAwEB
/zAKBggqhkjOPQQDAgNHADBEAiAcuA33Mx8IfXWarhOP0vADHQ5ixNK+4Rqrz5DZ
GGqliQIgYjIbCk0GcI9O4v9vITWD6buC9mMurdsT9TzkST9hpeo=
-----END CERTIFICATE-----
";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n";

fn both(change: impl Fn(&str) -> String) -> Vec<u8> {
    change(&format!("{ONE}{TWO}")).into_bytes()
}

fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

fn utf16(bytes: fn(u16) -> [u8; 2], mark: &str) -> Vec<u8> {
    format!("{mark}{ONE}{TWO}").encode_utf16().flat_map(bytes).collect()
}

fn labelled(label: &str) -> String {
    ONE.replace("CERTIFICATE", label)
}

#[test]
fn every_form_of_a_file_is_read_completely() {
    let latin1 = [&b"# Z\xfcrich\n"[..], ONE.as_bytes(), TWO.as_bytes()].concat();
    let files = [
        ("as OpenSSL writes it", both(str::to_owned)),
        ("a byte order mark", both(|pem| format!("\u{feff}{pem}"))),
        ("two byte order marks", format!("\u{feff}{ONE}\u{feff}{TWO}").into_bytes()),
        ("CR LF", both(|pem| pem.replace('\n', "\r\n"))),
        ("CR alone", both(|pem| pem.replace('\n', "\r"))),
        ("no line end between blocks", both(|pem| pem.replace("-----\n-----", "----------"))),
        ("no line end at the end", both(|pem| pem.trim_end().to_owned())),
        ("no line ends in blocks", both(|pem| pem.replace('\n', ""))),
        ("empty lines", both(|pem| pem.replace('\n', "\n\n"))),
        (
            "text around",
            both(|pem| format!("Issuer: Zaphod\n{}after", pem.replace("-----BEGIN", "text -- \n-----BEGIN"))),
        ),
        ("text before BEGIN", both(|pem| pem.replace("-----BEGIN", "ca: -----BEGIN"))),
        ("indented", both(|pem| pem.replace('\n', "\n    "))),
        ("indented with tabs", both(|pem| pem.replace('\n', "\n\t"))),
        ("blanks at line ends", both(|pem| pem.replace('\n', " \n"))),
        ("X509 CERTIFICATE", both(|_| format!("{}{TWO}", labelled("X509 CERTIFICATE")))),
        ("UTF-16 LE", utf16(u16::to_le_bytes, "\u{feff}")),
        ("UTF-16 BE", utf16(u16::to_be_bytes, "\u{feff}")),
        ("UTF-16 LE without a mark", utf16(u16::to_le_bytes, "")),
        ("Latin-1 in a comment", latin1),
        (
            "a comment after dashes",
            both(|pem| format!("# --- begin CA certificates ---\n-- begin certificates\n{pem}")),
        ),
        ("text that begins as DER does", both(|pem| format!("0. Zaphod\n{pem}"))),
        ("UTF-16 with characters that have a line end in them", utf16(u16::to_le_bytes, "\u{feff}\u{4e0a}\u{a0a}\n")),
        (
            "a comment on BEGIN",
            both(|pem| format!("# they begin with CERTIFICATE, and beginners like certificates\n{pem}")),
        ),
        ("the end of a DOS file", both(|pem| format!("{pem}\u{1a}"))),
        ("a key before them", both(|pem| format!("{KEY}{pem}"))),
        ("a key between them", format!("{ONE}{KEY}{TWO}").into_bytes()),
        ("other blocks", both(|pem| format!("{}{}{pem}", labelled("X509 CRL"), labelled("EC PARAMETERS")))),
    ];
    for (name, file) in files {
        let read = read_ca(&file).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(read.iter().map(|one| one.to_vec()).collect::<Vec<_>>(), [der(ONE), der(TWO)], "{name}");
    }
    assert_eq!(read_ca(&der(ONE)).unwrap(), [CertificateDer::from(der(ONE))], "DER");
    let line_end = [&der(ONE)[..], b"\r\n"].concat();
    assert_eq!(read_ca(&line_end).unwrap(), [CertificateDer::from(der(ONE))], "DER and a line end");
}

#[test]
fn a_block_that_is_not_a_certificate_is_refused_with_its_place() {
    let cut = |from: &str| from.split_at(200).0.to_owned();
    let pkcs7 = [0x30, 0x81, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02, 0xa0, 0x00];
    let files: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("empty", vec![], &["no certificate in the file"]),
        ("text", b"hello".to_vec(), &["no certificate in the file"]),
        ("a key alone", KEY.into(), &["no certificate", "block 1 is PRIVATE KEY"]),
        ("a request alone", labelled("CERTIFICATE REQUEST").into(), &["no certificate", "CERTIFICATE REQUEST"]),
        ("a CRL alone", labelled("X509 CRL").into(), &["no certificate", "X509 CRL"]),
        (
            "trust settings",
            both(|pem| format!("{pem}{}", labelled("TRUSTED CERTIFICATE"))),
            &["block 3 (TRUSTED CERTIFICATE)", "trust settings", "this block alone", "openssl x509 -in"],
        ),
        (
            "PKCS #7",
            both(|pem| format!("{pem}{}", labelled("PKCS7"))),
            &["block 3 (PKCS7)", "this block alone", "openssl pkcs7 -print_certs"],
        ),
        (
            "an unknown label",
            both(|pem| format!("{}{pem}", labelled("CERTIFICAT"))),
            &["block 1 (CERTIFICAT)", "not a certificate"],
        ),
        ("cut off", both(|pem| format!("{pem}{}", cut(ONE))), &["block 3 (CERTIFICATE)", "cut off"]),
        ("cut off in the middle", format!("{}{TWO}", cut(ONE)).into(), &["block 1 (CERTIFICATE)", "cut off"]),
        ("a key cut off", both(|pem| format!("{pem}{}", &KEY[..34])), &["block 3 (PRIVATE KEY)", "cut off"]),
        (
            "no END",
            both(|pem| pem.replacen("-----END CERTIFICATE-----\n", "", 1)),
            &["block 1 (CERTIFICATE)", "no END"],
        ),
        ("no BEGIN", both(|pem| pem.replacen("-----BEGIN CERTIFICATE-----\n", "", 1)), &["block 1", "no BEGIN"]),
        (
            "no second BEGIN",
            format!("{ONE}{}", TWO.replace("-----BEGIN CERTIFICATE-----\n", "")).into(),
            &["block 2", "no BEGIN"],
        ),
        ("BEGIN with four dashes", both(|pem| pem.replacen("-----BEGIN", "----BEGIN", 1)), &["BEGIN line of block 1"]),
        (
            "BEGIN that ends with four",
            both(|pem| pem.replacen("CERTIFICATE-----", "CERTIFICATE----", 1)),
            &["BEGIN line of block 1"],
        ),
        ("END with four dashes", both(|pem| pem.replacen("-----END", "----END", 1)), &["END line of block 1"]),
        ("another END", both(|pem| pem.replacen("END CERTIFICATE", "END X509 CRL", 1)), &["END line of block 1"]),
        (
            "dashes of a word processor",
            both(|pem| pem.replacen("-----", "\u{2014}\u{2013}", 1)),
            &["BEGIN line of block 1"],
        ),
        ("bad base64", both(|pem| pem.replacen("MII", "M!I", 1)), &["block 1 (CERTIFICATE)", "not base64"]),
        ("line ends as characters", both(|pem| pem.replace('\n', "\\n")), &["block 1 (CERTIFICATE)", "`\\n`"]),
        ("a letter less", both(|pem| pem.replacen("MII", "MI", 1)), &["block 1 (CERTIFICATE)", "not base64"]),
        (
            "an empty block",
            format!("{ONE}-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----").into(),
            &["block 2 (CERTIFICATE)"],
        ),
        (
            "a block of something else",
            format!("{ONE}{}", KEY.replace("PRIVATE KEY", "CERTIFICATE")).into(),
            &["block 2 (CERTIFICATE)", "cannot be used as a certificate"],
        ),
        ("DER, cut off", der(ONE)[..100].to_vec(), &["DER", "cut off"]),
        ("DER, twice", [der(ONE), der(TWO)].concat(), &["DER", "more after"]),
        ("DER of something else", vec![0x30, 0x81, 0x03, 0x02, 0x01, 0x05], &["DER", "not a certificate"]),
        ("PKCS #7 in DER", pkcs7.to_vec(), &["PKCS #7", "-inform DER"]),
        ("PKCS #12", vec![0x30, 0x81, 0x05, 0x02, 0x01, 0x03, 0x30, 0x00], &["PKCS #12", "openssl pkcs12"]),
    ];
    for (name, file, words) in files {
        let why = read_ca(&file).err().unwrap_or_else(|| panic!("{name} is read"));
        assert!(words.iter().all(|word| why.contains(word)) && why.len() < 400, "{name}: {why}");
        assert!(
            !why.contains("Y2FuYXJ5") && !why.contains("canary") && !why.contains(['{', '[', '\n']),
            "{name}: {why}"
        );
    }
}

/// Each file has a valid block, and then a block in a form that is not supported.
#[test]
fn a_block_that_cannot_be_recognized_is_refused_with_its_line() {
    let line = format!("line {} ", 1 + ONE.lines().count());
    let utf16 = |bytes: fn(u16) -> [u8; 2], text: &str| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let dashes = |dash: &str| TWO.replace('-', dash).into_bytes();
    let words =
        |space: &str| TWO.replace("BEGIN ", &format!("BEGIN{space}")).replace("END ", &format!("END{space}")).into();
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("UTF-16 LE", utf16(u16::to_le_bytes, TWO)),
        ("UTF-16 LE with a mark", utf16(u16::to_le_bytes, &format!("\u{feff}{TWO}"))),
        ("UTF-16 BE", utf16(u16::to_be_bytes, TWO)),
        ("a no-break space", words("\u{a0}")),
        ("a tab", words("\t")),
        ("a line end", words("\n")),
        ("a percent code", words("%20")),
        ("no space", words("")),
        ("blanks within the dashes", TWO.replace("-----BEGIN", "----- BEGIN").replace("-----END", "----- END").into()),
        ("lower case", TWO.replace("BEGIN CERTIFICATE", "begin certificate").replace("END CERT", "end CERT").into()),
        ("U+2010", dashes("\u{2010}")),
        ("U+2011", dashes("\u{2011}")),
        ("U+2212", dashes("\u{2212}")),
        ("U+2015", dashes("\u{2015}")),
        ("code page 1252", TWO.bytes().map(|byte| if byte == b'-' { 0x96 } else { byte }).collect()),
        ("a number of HTML", dashes("&#45;")),
        ("a name of HTML", dashes("&ndash;")),
        ("DER", der(TWO)),
        ("NUL", vec![0]),
    ];
    for (name, form) in forms {
        let why = read_ca(&[ONE.as_bytes(), &form].concat()).err().unwrap_or_else(|| panic!("{name} is read"));
        let damaged = ["lower case", "blanks"].iter().any(|known| name.starts_with(known)) && why.contains("block 2");
        assert!(damaged || why.contains(&line), "{name}: {why}");
    }
    let mut mixed = utf16(u16::to_le_bytes, &format!("\u{feff}{ONE}"));
    mixed.extend_from_slice(TWO.as_bytes());
    assert!(read_ca(&mixed).unwrap_err().contains(&line));
}

#[test]
fn a_shortened_or_changed_file_is_read_completely_or_refused() {
    // Every prefix of a valid file, and every change of one byte: the file is read completely, or refused.
    let good = both(str::to_owned);
    for at in 0..good.len() {
        // A prefix that ends between the blocks, or before the last line end, is a complete file.
        let whole = (ONE.len() - 1..ONE.len() + "-----BEGIN ".len()).contains(&at) || at == good.len() - 1;
        assert_eq!(read_ca(&good[..at]).is_ok(), whole, "{at}");
        let mut changed = good.clone();
        changed[at] ^= 1;
        assert!(read_ca(&changed).map_or(true, |read| read.len() == 2), "{at}");
    }
}
