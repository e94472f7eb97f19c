//! Fields of certificates, and what comes of damaged ones.

use super::super::read_ca;
use super::*;

fn certificate() -> Vec<u8> {
    let file = std::fs::read(dl_auth_gate::Gate::start().ca_file()).unwrap();
    read_ca(&file).unwrap().first().unwrap().to_vec()
}

#[test]
fn the_fields_of_a_root_are_read() {
    let der = certificate();
    let root = X509::read(&der).unwrap();
    assert_eq!((root.version, root.is_self_issued(), root.ca(), root.names()), (3, true, (true, None), None));
    assert_eq!(called(root.subject).as_deref(), Some("dl_auth test gate CA"));
    assert_eq!(root.validity, (946_684_800, 2_524_521_600), "2000-01-01 and 2049-12-31");
    assert!(root.is_for_servers() && root.unknown_critical_extension().is_none() && rsa_bits(root.key).is_none());
}

#[test]
fn a_damaged_certificate_is_read_or_not_but_never_beyond_its_end() {
    let der = certificate();
    for at in 0..der.len() {
        assert!(X509::read(&der[..at]).is_none(), "{at}");
        for value in [0, 0x7f, 0x80, 0x83, 0x84, 0xff] {
            let mut changed = der.clone();
            changed[at] = value;
            if let Some(read) = X509::read(&changed) {
                assert!(read.names().is_none_or(|names| names.len() < der.len()));
                assert!(
                    read.common_names().len() < der.len()
                        && called(read.issuer).is_none_or(|name| name.len() <= 3 * der.len())
                );
                let _ = (read.ca(), read.is_for_servers(), read.unknown_critical_extension(), rsa_bits(read.key));
            }
        }
    }
}

#[test]
fn times_are_read_in_both_forms() {
    for (tag, value, wanted) in [
        (0x17, "700101000000Z", Some(0)),
        (0x17, "491231235959Z", Some(2_524_607_999)),
        (0x17, "500101000000Z", Some(0)),
        (0x17, "240229120000Z", Some(1_709_208_000)),
        (0x18, "20240301000000Z", Some(1_709_251_200)),
        (0x18, "99991231235959Z", Some(253_402_300_799)),
        (0x18, "00000101000000Z", Some(0)),
        (0x18, "20241301000000Z", None),
        (0x17, "2403010000Z", None),
        (0x17, "240301000000+0000", None),
        (0x17, "", None),
        (0x04, "240301000000Z", None),
    ] {
        let value = value.as_bytes();
        assert_eq!(unix_seconds(&Element { tag, value, whole: value }), wanted, "{value:?}");
    }
}

#[test]
fn the_name_of_an_attribute_may_be_in_utf_16() {
    let name = |tag, text: &[u8]| {
        let value = [&[0x06, 3, 0x55, 4, 3, tag, text.len() as u8], text].concat();
        [&[SET, value.len() as u8 + 2, SEQUENCE, value.len() as u8][..], &value].concat()
    };
    assert_eq!(called(&name(BMP_STRING, b"\0o\0k")).as_deref(), Some("ok"));
    assert_eq!(called(&name(0x0c, "Zürich".as_bytes())).as_deref(), Some("Zürich"));
    assert_eq!(called(b""), None);
}
