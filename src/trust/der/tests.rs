//! The fields of certificates, and the results for damaged certificates.

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
fn a_damaged_certificate_is_never_read_beyond_its_end() {
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
        (0x18, "20240300000000Z", None),
        (0x18, "20240332000000Z", None),
        (0x18, "20240301240000Z", None),
        (0x18, "20240301006000Z", None),
        (0x18, "20240301000060Z", None),
        (0x18, "+0240301000000Z", None),
        (0x17, "-10301000000Z", None),
        (0x17, "24+301000000Z", None),
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

/// The extension 2.5.29.`number`.
fn extension(number: u8, value: &[u8]) -> Vec<u8> {
    let fields = [&[OID, 3, 0x55, 0x1d, number, OCTET_STRING, value.len() as u8], value].concat();
    [&[SEQUENCE, fields.len() as u8][..], &fields].concat()
}

#[test]
fn a_certificate_may_issue_others_if_it_is_marked_as_a_ca_or_has_version_1() {
    let (ca, no_ca, empty) = ([SEQUENCE, 3, BOOLEAN, 1, 0xff], [SEQUENCE, 3, BOOLEAN, 1, 0], [SEQUENCE, 0]);
    let (signs, other) = ([BIT_STRING, 2, 2, 0x04], [BIT_STRING, 2, 7, 0x80]);
    let der = certificate();
    let root = X509::read(&der).unwrap();
    for (version, constraints, usage, wanted) in [
        (3, Some(&ca[..]), None, true),
        (3, Some(&ca), Some(&other), true),
        (3, Some(&no_ca), None, false),
        (3, Some(&no_ca), Some(&signs), false),
        (3, Some(&empty), Some(&signs), false),
        (3, None, Some(&signs), true),
        (3, None, Some(&other), false),
        (3, None, None, false),
        (1, None, None, true),
    ] {
        let parts = [constraints.map(|value| extension(19, value)), usage.map(|value| extension(15, value))];
        let extensions = parts.into_iter().flatten().flatten().collect::<Vec<u8>>();
        let changed = X509 { version, extensions: &extensions, ..root };
        assert_eq!(changed.may_issue(), wanted, "{version} {constraints:?} {usage:?}");
    }
}
