//! What is particular to a directory: permissions, damage, and what a scan of the files finds.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::json;

use crate::fleet::{PASSWORD, Program, USER, files};
use crate::new_gate;

fn permit(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_directory_is_made_for_this_user_alone_and_its_files_show_nothing() {
    let (program, gate) = (Program::compile("made"), new_gate());
    let directory = program.scratch.0.join("a/b/c");
    let mut member = program.member(&gate, &format!("file:{}", directory.display()), &[]);
    assert!(!directory.exists(), "dl_auth_new makes nothing");
    let token = member.token();
    assert_eq!(directory.metadata().unwrap().mode() & 0o777, 0o700);
    let files = files(&directory);
    assert_eq!(files.len(), 2, "the record and its lock");
    for (name, content) in &files {
        assert_eq!(directory.join(name).metadata().unwrap().mode() & 0o777, 0o600, "{name}");
        let shown = String::from_utf8_lossy(content).into_owned() + name;
        let secrets = [USER, PASSWORD, "canary", "eyJ", "rt-"].into_iter().chain(token.split('.'));
        for secret in secrets {
            assert!(!shown.contains(secret), "{name} contains a part of a secret");
        }
    }
}

#[test]
fn a_directory_that_cannot_be_trusted_is_refused_and_the_handle_logs_in_by_itself() {
    let (program, gate) = (Program::compile("refused"), new_gate());
    let at = |name: &str| program.scratch.0.join(name);
    fs::create_dir(at("good")).unwrap();
    permit(&at("good"), 0o700);
    fs::create_dir(at("shared")).unwrap();
    permit(&at("shared"), 0o777);
    symlink(at("good"), at("link")).unwrap();
    fs::write(at("file"), "").unwrap();
    fs::create_dir(at("foreign")).unwrap();
    permit(&at("foreign"), 0o700);
    std::os::unix::fs::chown(at("foreign"), Some(65534), None).unwrap(); // the tests run as root
    for (name, why) in [
        ("shared", "other users may write to it"),
        ("link", "it is a link; name"),
        ("file", "it is a file; name"),
        ("foreign", "belongs to another user"),
        ("file/below", "the directory cannot be read"),
    ] {
        let store = program.directory(name);
        let mut member = program.member(&gate, &store, &[]);
        member.token();
        assert_eq!(member.counts(), [1, 0, 0, 1], "{name}");
        let message = member.store_message();
        assert!(message.contains(why) && message.contains(name), "{name}: {message}");
        let mut required = program.member(&gate, &store, &[("DL_AUTH_STORE_REQUIRED", "true")]);
        let told = required.ask("token");
        assert!(told.starts_with("DL_AUTH_E_STORE 0 ") && told.contains(why), "{told}");
    }
    assert!(files(&at("good")).is_empty() && files(&at("shared")).is_empty());
}

#[test]
fn a_record_or_lock_that_is_not_a_file_of_this_user_is_not_used() {
    let (program, gate) = (Program::compile("odd"), new_gate());
    let directory = program.scratch.0.join("store");
    let store = format!("file:{}", directory.display());
    let mut first = program.member(&gate, &store, &[]);
    first.token();
    let names: Vec<String> = files(&directory).into_iter().map(|(name, _)| name).collect();
    fs::write(program.scratch.0.join("elsewhere"), "untouched").unwrap();
    for name in &names {
        let path = directory.join(name);
        for kind in ["fifo", "link", "directory", "writable"] {
            fs::remove_dir(&path).or_else(|_| fs::remove_file(&path)).ok();
            match kind {
                "fifo" => drop(crate::common::run(std::process::Command::new("mkfifo").arg(&path))),
                "link" => symlink(program.scratch.0.join("elsewhere"), &path).unwrap(),
                "directory" => fs::create_dir(&path).unwrap(),
                _ => {
                    fs::write(&path, "").unwrap();
                    permit(&path, 0o666);
                }
            }
            let mut member = program.member(&gate, &store, &[]);
            member.token();
            assert_eq!(member.counts(), [1, 0, 0, 1], "{name} is a {kind}: {}", member.store_message());
        }
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(fs::read_to_string(program.scratch.0.join("elsewhere")).unwrap(), "untouched");
    let mut last = program.fleet(2, &gate, &store, &[]);
    assert_eq!(crate::tokens_at_once(&mut last).len(), 1);
}

#[test]
fn a_damaged_record_is_never_an_error_and_never_a_token() {
    let (program, gate) = (Program::compile("damaged"), new_gate());
    let directory = program.scratch.0.join("store");
    let store = format!("file:{}", directory.display());
    let record = |name: &str| {
        let record = |file: &(String, Vec<u8>)| !file.0.ends_with(".lock") && file.0 != name;
        files(&directory).into_iter().find(record).unwrap()
    };
    gate.set(json!({"username": "canary-other"}));
    program.member(&gate, &store, &[("DL_AUTH_USERNAME", "canary-other")]).token();
    let (other, of_another_account) = record("");
    gate.set(json!({"username": USER}));
    program.member(&gate, &store, &[]).token();
    let (name, sealed) = record(&other);
    let path = directory.join(&name);
    let mut damages: Vec<Vec<u8>> = vec![vec![], vec![1], sealed[..sealed.len() / 2].to_vec(), vec![1; 100_000]];
    damages.extend([of_another_account, vec![1; 1 << 20]]);
    damages.push([&sealed[..sealed.len() - 1], &[sealed[sealed.len() - 1] ^ 1]].concat());
    for damage in damages {
        fs::write(&path, &damage).unwrap();
        let before = gate.counts().logins;
        let mut member = program.member(&gate, &store, &[]);
        assert_eq!(member.token(), gate.last_token().unwrap());
        assert_eq!((member.counts(), gate.counts().logins), ([1, 0, 0, 0], before + 1), "{}", member.store_message());
        assert_ne!(fs::read(&path).unwrap(), damage);
    }
    let other = [&[2], &sealed[1..]].concat();
    fs::write(&path, &other).unwrap();
    let mut member = program.member(&gate, &store, &[]);
    member.token();
    assert_eq!(member.counts(), [1, 0, 0, 1]);
    assert!(member.store_message().contains("another version"), "{}", member.store_message());
    assert_eq!(fs::read(&path).unwrap(), other, "a record of another version is left alone");
}

#[test]
fn a_full_disk_or_a_missing_permission_costs_no_token() {
    let (program, gate) = (Program::compile("full"), new_gate());
    // A file system that has no room for a record.
    let directory = program.scratch.0.join("store");
    fs::create_dir(&directory).unwrap();
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=4k,mode=0700,nr_inodes=2", "tmpfs"]).arg(&directory);
    crate::common::run(&mut mount);
    let mut member = program.member(&gate, &format!("file:{}", directory.display()), &[]);
    let told = member.ask("token");
    let (counts, message) = (member.counts(), member.store_message());
    drop(member);
    crate::common::run(std::process::Command::new("umount").arg(&directory));
    assert!(told.starts_with("DL_AUTH_OK 0 eyJ"), "{told}");
    assert_eq!(counts, [1, 0, 0, 1]);
    assert!(message.contains("No space left"), "{message}");
}
