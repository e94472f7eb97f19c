//! The harness by its short plan: it runs, writes its page, and says what is missing. Nothing is asked of the figures.
//!
//! No peer needs to be installed, and none that is makes a difference: they are left out, or others stand in for them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../tests/common/mod.rs"]
mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{Scratch, library, root, script};

/// The harness, with all that it writes in a directory.
fn bench(scratch: &Scratch) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dl_auth_bench"));
    command.arg("--quick");
    for (option, directory) in [("--out", "out"), ("--work", "work")] {
        command.arg(option).arg(scratch.0.join(directory));
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What it says where it must not succeed.
fn failure(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert_eq!((status.code(), text(&stdout).as_str()), (Some(1), ""), "{}", text(&stderr));
    text(&stderr)
}

#[test]
fn without_peers_all_of_ours_is_measured_and_the_peers_are_told_to_be_missing() {
    let scratch = Scratch::new("bench-smoke");
    let output = bench(&scratch)
        .arg("--library")
        .arg(library())
        .args(["--without", "curl,go,dtlpy,cpp,cgo,csharp,lua"])
        .output()
        .unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let page = fs::read_to_string(scratch.0.join("out/benchmarks.md")).unwrap();
    let last = stdout.lines().last().unwrap();
    assert!(last.contains("out/benchmarks.md") && last.contains("`make bench-peers`"), "{stdout}");
    for (peer, install) in [
        ("libcurl + OpenSSL + cJSON", "apt-get install libcurl4-openssl-dev"),
        ("Go's oauth2 package", "go mod download"),
        ("the vendor's SDK (dtlpy)", "/bin/pip install dtlpy=="),
        ("Go with cgo", "(cd benches/hosts/go && go mod download)"),
    ] {
        let hint = stderr.split(&format!("missing: {peer}: ")).nth(1).and_then(|rest| rest.lines().nth(1));
        assert!(hint.is_some_and(|hint| hint.contains("to install: ") && hint.contains(install)), "{peer}: {stderr}");
        assert!(last.contains(peer), "{last}");
        let goal = page.lines().any(|line| line.ends_with(&format!("missing: {peer} | 0 | not measured |")));
        assert!(goal || page.contains(&format!("missing: {peer}, ")), "{peer}: {page}");
        assert!(page.contains(&format!("* {peer}: ")) && page.contains(install), "{peer}: {page}");
    }
    let rows = |name: &str| -> Vec<&str> {
        let begin = format!("| {name} | ");
        let rows: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(&begin)).collect();
        assert_ne!(rows, [""; 0], "no row of {name} in {page}");
        rows
    };
    for name in ["Go ReuseTokenSource", "libcurl + OpenSSL + cJSON", "dtlpy", "a Go program that holds a token"] {
        let is_missing = |row: &&str| row.contains("missing") && !row.contains(|letter: char| letter.is_ascii_digit());
        assert!(rows(name).iter().all(is_missing), "{name}: {page}");
    }
    for (name, tables) in [
        ("dl_auth", 5),
        ("dl_auth, no refresh", 1),
        ("heap", 1),
        ("the host's own idiom", 1),
        ("resident", 1),
        ("libdl_auth.so", 1),
    ] {
        assert_eq!(rows(name).len(), tables, "{name}: {page}");
        assert!(rows(name).iter().all(|row| row.contains(|letter: char| letter.is_ascii_digit())), "{name}: {page}");
    }
    has_its_pictures(&page, &scratch.0.join("out"));
    assert_eq!(secrets(&format!("{stdout}{stderr}{page}")), [""; 0]);
    assert_eq!(programs_in(&scratch.0), [""; 0], "a program was left behind");
}

fn has_its_pictures(page: &str, out: &Path) {
    let links: Vec<&str> = page.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    let pictures: Vec<&&str> = links.iter().filter(|link| link.ends_with(".svg")).collect();
    assert_eq!(
        pictures.len(),
        page.matches("\n## ").count() - 2,
        "one a section, but for the machine and what it lacks"
    );
    for picture in pictures {
        let svg = fs::read_to_string(out.join(picture)).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.contains("<text"), "{picture}");
        assert_eq!(secrets(&svg), [""; 0]);
    }
}

/// Whatever a reader must not find: user and password of the gate, and the beginnings of its tokens.
fn secrets(text: &str) -> Vec<&'static str> {
    let opaque = |prefix: &str| {
        let digits = |rest: &str| rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        text.split(prefix).skip(1).any(|rest| digits(rest) >= 24)
    };
    let mut found = Vec::new();
    found.extend(["correct horse", "bot@example.com", "eyJ"].into_iter().filter(|secret| text.contains(secret)));
    found.extend(["rt-", "at-"].into_iter().filter(|prefix| opaque(prefix)));
    found
}

#[test]
fn the_search_for_secrets_finds_those_of_the_gate() {
    let dl_auth_gate::Settings { username, password, .. } = Default::default();
    let token = format!("rt-{}", "0123456789abcdef".repeat(3));
    assert_eq!(secrets(&format!("{username} {password} eyJhbGci {token}")).len(), 4);
    assert_eq!(secrets("what `dl_auth_token` brings, start-up and all"), [""; 0]);
}

/// The running programs whose files are in a directory.
fn programs_in(directory: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let programs = processes.filter_map(|process| fs::read_link(process.path().join("exe")).ok());
    programs.filter(|path| path.starts_with(directory)).map(|path| path.display().to_string()).collect()
}

#[test]
fn what_the_command_line_cannot_mean_is_an_error_that_lists_the_options() {
    let scratch = Scratch::new("bench-options");
    let empty = scratch.0.display().to_string();
    for (arguments, why) in [
        (&["--quik"][..], "there is no option --quik"),
        (&["--without", "curl,gopher"], "there is no peer gopher"),
        (&["--out"], "--out needs a value"),
    ] {
        let told = failure(bench(&scratch).args(arguments));
        assert!(told.contains(why), "{told}");
        for option in ["--quick", "--without LIST", "--out DIR", "--library DIR", "--work DIR", "--peers DIR"] {
            assert!(told.contains(&format!("\n  {option} ")), "{option}: {told}");
        }
    }
    let told = failure(bench(&scratch).args(["--library", &empty]));
    assert!(told.contains("there is no") && told.contains("`make lib`"), "{told}");
}

#[test]
fn a_program_that_does_not_compile_is_an_error() {
    let scratch = Scratch::new("bench-broken");
    let (peers, copies) = (root().join("benches/peers"), scratch.0.join("peers"));
    fs::create_dir(&copies).unwrap();
    for file in fs::read_dir(peers).unwrap().map(Result::unwrap).filter(|file| file.path().is_file()) {
        fs::copy(file.path(), copies.join(file.file_name())).unwrap();
    }
    fs::write(copies.join("stall.c"), "#error broken on order\n").unwrap();
    let told = failure(bench(&scratch).arg("--library").arg(library()).arg("--peers").arg(&copies));
    assert!(told.contains("stall.c") && told.contains("broken on order"), "{told}");
    assert!(!scratch.0.join("out").exists(), "a page without it");
}

#[test]
fn a_peer_without_its_parts_is_missing_and_one_that_is_there_and_broken_is_an_error() {
    let scratch = Scratch::new("bench-peers");
    let tools = scratch.0.join("tools");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let harness = |without: &str| {
        let mut command = bench(&scratch);
        command.arg("--library").arg(library()).args(["--without", without]).env("PATH", &path);
        command
    };
    let go = |list: &str| format!("case $1 in version) ;; list) {list} ;; *) echo broken on order >&2; exit 1 ;; esac");
    script(&tools.join("go"), &go("echo /module"));
    let told = failure(&mut harness("curl,dtlpy,roots,cpp,cgo,python,csharp,lua"));
    assert!(told.contains("broken on order") && !told.contains("missing: Go"), "{told}");

    script(&tools.join("go"), &go("echo module lookup disabled by GOPROXY=off >&2; exit 1"));
    script(&scratch.0.join("work/dtlpy/bin/python"), "echo a broken Python >&2; exit 1");
    let told = failure(&mut harness("curl,roots,cpp,cgo,python,csharp,lua"));
    assert!(told.contains("missing: Go's oauth2 package: its module has not been downloaded"), "{told}");
    assert!(told.contains("a broken Python") && !told.contains("missing: the vendor's SDK"), "{told}");
}
