//! Which roots a handle has, and which handles share them.

use super::*;
use std::path::PathBuf;

#[test]
fn handles_with_the_same_roots_share_their_roots() {
    let roots = || Roots { base: Base::Bundled, ca: Vec::new() };
    let (first, second) = (Trust::shared(roots()), Trust::shared(roots()));
    assert!(Arc::ptr_eq(&first.anchors().unwrap(), &second.anchors().unwrap()));
    let other = Trust::shared(Roots { base: Base::Nothing, ca: Vec::new() });
    assert!(!Arc::ptr_eq(&first, &other));
}

#[test]
fn a_system_without_roots_is_an_error_or_falls_back_to_the_bundled_ones() {
    let nowhere = SystemPaths { file: Some("/nowhere/roots.pem".into()), ..SystemPaths::default() };
    let trust = |base| Trust::shared(Roots { base, ca: Vec::new() });
    let error = trust(Base::System(nowhere.clone())).anchors().err().unwrap();
    assert_eq!(error.status(), Status::Tls);
    assert!(error.message().contains("/nowhere/roots.pem"), "{error}");
    assert!(trust(Base::SystemElseBundled(nowhere.clone())).first_roots().unwrap().roots.len() > 100);
    let named = SystemPaths { named: true, ..nowhere };
    let error = trust(Base::SystemElseBundled(named)).anchors().err().unwrap(); // a named file excludes others
    for words in ["/nowhere/roots.pem", "SSL_CERT_FILE or SSL_CERT_DIR names", "correct it"] {
        assert!(error.message().contains(words), "{error}");
    }
}

fn scratch(name: &str, content: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("dl_auth-tls-{}-{name}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    path
}

fn certificate() -> String {
    std::fs::read_to_string(dl_auth_gate::Gate::start().ca_file()).unwrap()
}

fn named(file: &std::path::Path) -> Roots {
    let file = file.to_owned();
    let paths = SystemPaths::find(|name| (name == "SSL_CERT_FILE").then(|| file.clone()));
    Roots { base: Base::System(paths), ca: Vec::new() }
}

#[test]
fn a_named_file_is_parsed_once_and_refused_with_the_block_that_is_wrong() {
    let good = scratch("good.pem", &certificate().replace('\n', "\r\n"));
    let roots = named(&good);
    roots.check().unwrap();
    std::fs::remove_file(&good).unwrap();
    let trust = Trust::shared(roots.clone());
    assert_eq!(trust.anchors().unwrap().roots.len(), 1, "the roots that the check has read");
    roots.check().unwrap();

    let bad = scratch("bad.pem", &format!("{}-----BEGIN CERTIFICATE-----\n", certificate()));
    let error = named(&bad).check().unwrap_err();
    assert_eq!(error.status(), Status::InvalidValue);
    for words in ["SSL_CERT_FILE", "block 2 (CERTIFICATE)", "cut off", bad.to_str().unwrap()] {
        assert!(error.message().contains(words), "{error}");
    }
    std::fs::remove_file(bad).unwrap();
    named("/nowhere/roots.pem".as_ref()).check().unwrap();
    named("/dev/null".as_ref()).check().unwrap();
}

#[test]
fn certificates_of_the_systems_file_that_cannot_be_read_are_counted() {
    let damaged = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let (first, second) = (certificate(), certificate().replace("-----END", "---END"));
    let file = scratch("system.pem", &format!("\u{feff}{first}{damaged}{second}{first}"));
    let paths = SystemPaths { file: Some(file.clone()), ..SystemPaths::default() };
    let roots = Roots { base: Base::System(paths), ca: Vec::new() };
    roots.check().unwrap();
    let anchors = Trust::shared(roots).anchors().unwrap();
    assert_eq!((anchors.roots.len(), anchors.unreadable), (2, 2));
    std::fs::remove_file(file).unwrap();
}

#[test]
fn only_certificates_of_the_ca_file_are_pinned() {
    let own = read_ca(certificate().as_bytes()).unwrap();
    let file = scratch("roots.pem", &certificate());
    let trust = Trust::shared(Roots { ca: own.clone(), ..named(&file) });
    let anchors = trust.anchors().unwrap();
    assert_eq!((anchors.roots.len(), &anchors.ca_file), (2, &own));
    let other = read_ca(&std::fs::read(&file).unwrap()).unwrap();
    assert!(own.iter().all(|own| anchors.pins(own)) && !other.iter().any(|other| anchors.pins(other)));
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_file_over_the_limit_is_refused_or_counted() {
    let file = scratch("large.pem", &certificate());
    std::fs::File::options().write(true).open(&file).unwrap().set_len((64 << 20) + 1).unwrap();
    let error = named(&file).check().unwrap_err();
    assert!(error.message().contains("file too large"), "{error}");
    let paths = SystemPaths { file: Some(file.clone()), ..SystemPaths::default() };
    assert_eq!(paths.file_roots().unreadable, 1);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_named_file_that_has_changed_is_checked_and_read_again() {
    let file = scratch("changing.pem", &certificate());
    let roots = named(&file);
    roots.check().unwrap();
    let first = Trust::shared(roots);
    assert!(Arc::ptr_eq(&first, &Trust::shared(named(&file))), "the same state of the file");
    std::fs::write(&file, [certificate(), certificate()].concat()).unwrap();
    let roots = named(&file);
    roots.check().unwrap();
    let second = Trust::shared(roots);
    assert!(!Arc::ptr_eq(&first, &second));
    let count = |trust: &Trust| trust.anchors().unwrap().roots.len();
    assert_eq!((count(&second), count(&Trust::shared(named(&file)))), (2, 2));
    std::fs::write(&file, "damaged").unwrap();
    assert_eq!(named(&file).check().unwrap_err().status(), Status::InvalidValue, "while another handle lives");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn more_roots_are_read_without_a_second_read_of_the_file() {
    let file = scratch("once.pem", &certificate());
    let directory = file.with_extension("d");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("another.pem"), certificate()).unwrap();
    let paths =
        SystemPaths { file: Some(file.clone()), directories: vec![directory.clone()], ..SystemPaths::default() };
    let trust = Trust::shared(Roots { base: Base::System(paths), ca: Vec::new() });
    assert_eq!(trust.anchors().unwrap().roots.len(), 1);
    std::fs::remove_file(file).unwrap();
    assert_eq!(trust.wider().unwrap().roots.len(), 2);
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_store_that_may_lack_roots_is_completed_by_the_bundled_ones() {
    let file = scratch("windows.pem", &certificate());
    let store = |may_lack_roots| SystemPaths { file: Some(file.clone()), may_lack_roots, ..SystemPaths::default() };
    let trust = |base| Trust::shared(Roots { base, ca: Vec::new() });
    let completed = trust(Base::SystemElseBundled(store(true)));
    assert_eq!(completed.anchors().unwrap().roots.len(), 1, "not before an issuer is unknown");
    assert!(completed.wider().unwrap().roots.len() > 100);
    for only in [Base::SystemElseBundled(store(false)), Base::System(store(true))] {
        assert!(trust(only).wider().is_none());
    }
    std::fs::remove_file(file).unwrap();
    let bundled = trust(Base::SystemElseBundled(SystemPaths { may_lack_roots: true, ..SystemPaths::default() }));
    assert!(bundled.anchors().unwrap().roots.len() > 100);
    assert!(bundled.wider().is_none(), "it has them already");
}

#[cfg(unix)]
#[test]
fn a_pipe_instead_of_a_file_of_roots_never_blocks() {
    let directory = scratch("pipes", "").with_extension("d");
    std::fs::create_dir_all(&directory).unwrap();
    let pipe = directory.join("fifo");
    crate::file::tests::fifo(&pipe);
    let roots = named(&pipe);
    roots.check().unwrap();
    let error = Trust::shared(roots).anchors().err().unwrap();
    assert!(error.message().contains(pipe.to_str().unwrap()), "{error}");

    std::fs::write(directory.join("good.pem"), certificate()).unwrap();
    for file in [None, Some(pipe.clone())] {
        let paths = SystemPaths { file, directories: vec![directory.clone()], ..SystemPaths::default() };
        let trust = Trust::shared(Roots { base: Base::System(paths), ca: Vec::new() });
        assert_eq!(trust.anchors().unwrap().roots.len(), 1);
    }
    std::fs::remove_dir_all(directory).unwrap();
}
