//! A test of the harness with its short plan: it runs, writes its page, and reports what is missing. The numbers are
//! not checked.
//!
//! No peer needs to be installed, and an installed peer does not change the result: the tests leave it out or replace
//! it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../tests/common/mod.rs"]
mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{Scratch, library, root, script};

/// The harness, with all its output in one directory.
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

/// The error output of a command that must fail.
fn failure(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert_eq!((status.code(), text(&stdout).as_str()), (Some(1), ""), "{}", text(&stderr));
    text(&stderr)
}

#[test]
fn without_peers_only_dl_auth_is_measured_and_the_peers_are_reported_as_missing() {
    let scratch = Scratch::new("bench-smoke");
    let output = bench(&scratch)
        .arg("--library")
        .arg(library())
        .args(["--without", "curl,go,dtlpy,cpp,cgo,csharp,lua,no-redis"])
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
        ("the library without Redis", "make bench"),
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
    for name in [
        "Go ReuseTokenSource",
        "libcurl + OpenSSL + cJSON",
        "dtlpy",
        "a Go program that holds a token",
        "libdl_auth.so without Redis",
    ] {
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
        ("wall clock, to printed token", 1),
        ("CPU of the process", 1),
    ] {
        assert_eq!(rows(name).len(), tables, "{name}: {page}");
        assert!(rows(name).iter().all(|row| row.contains(|letter: char| letter.is_ascii_digit())), "{name}: {page}");
    }
    assert_pictures(&page, &scratch.0.join("out"));
    assert_eq!(secrets(&format!("{stdout}{stderr}{page}")), [""; 0]);
    assert_eq!(programs_in(&scratch.0), [""; 0], "a program is still running");
}

fn assert_pictures(page: &str, out: &Path) {
    let links: Vec<&str> = page.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    let pictures: Vec<&&str> = links.iter().filter(|link| link.ends_with(".svg")).collect();
    assert_eq!(
        pictures.len(),
        page.matches("\n## ").count() - 2,
        "one for each section, except for the machine and the missing peers"
    );
    for picture in pictures {
        let svg = fs::read_to_string(out.join(picture)).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.contains("<text"), "{picture}");
        assert_eq!(secrets(&svg), [""; 0]);
    }
}

/// The secrets in a text: user and password of the gate, and the beginnings of its tokens.
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
fn the_search_finds_the_secrets_of_the_gate() {
    let dl_auth_gate::Settings { username, password, .. } = Default::default();
    let token = format!("rt-{}", "0123456789abcdef".repeat(3));
    assert_eq!(secrets(&format!("{username} {password} eyJhbGci {token}")).len(), 4);
    assert_eq!(secrets("what `dl_auth_token` returns, start-up and all"), [""; 0]);
}

/// The running programs whose files are in this directory.
fn programs_in(directory: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let programs = processes.filter_map(|process| fs::read_link(process.path().join("exe")).ok());
    programs.filter(|path| path.starts_with(directory)).map(|path| path.display().to_string()).collect()
}

#[test]
fn an_invalid_command_line_is_an_error_that_lists_the_options() {
    let scratch = Scratch::new("bench-options");
    let empty = scratch.0.display().to_string();
    for (arguments, why) in [
        (&["--quik"][..], "there is no option --quik"),
        (&["--without", "curl,gopher"], "there is no peer gopher"),
        (&["--out"], "--out needs a value"),
    ] {
        let output = failure(bench(&scratch).args(arguments));
        assert!(output.contains(why), "{output}");
        for option in ["--quick", "--without LIST", "--out DIR", "--library DIR", "--work DIR", "--peers DIR"] {
            assert!(output.contains(&format!("\n  {option} ")), "{option}: {output}");
        }
    }
    let output = failure(bench(&scratch).args(["--library", &empty]));
    assert!(output.contains("there is no") && output.contains("`make lib`"), "{output}");
}

#[test]
fn a_program_that_does_not_compile_is_an_error() {
    let scratch = Scratch::new("bench-broken");
    let (peers, copies) = (root().join("benches/peers"), scratch.0.join("peers"));
    fs::create_dir(&copies).unwrap();
    for file in fs::read_dir(peers).unwrap().map(Result::unwrap).filter(|file| file.path().is_file()) {
        fs::copy(file.path(), copies.join(file.file_name())).unwrap();
    }
    fs::write(copies.join("stall.c"), "#error broken on purpose\n").unwrap();
    let output = failure(bench(&scratch).arg("--library").arg(library()).arg("--peers").arg(&copies));
    assert!(output.contains("stall.c") && output.contains("broken on purpose"), "{output}");
    assert!(!scratch.0.join("out").exists(), "no page may be written");
}

#[test]
fn a_peer_without_its_parts_is_missing_and_a_broken_peer_is_an_error() {
    let scratch = Scratch::new("bench-peers");
    let tools = scratch.0.join("tools");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let harness = |without: &str| {
        let mut command = bench(&scratch);
        command.arg("--library").arg(library()).args(["--without", without]).env("PATH", &path);
        command
    };
    let go =
        |list: &str| format!("case $1 in version) ;; list) {list} ;; *) echo broken on purpose >&2; exit 1 ;; esac");
    script(&tools.join("go"), &go("echo /module"));
    let output = failure(&mut harness("curl,dtlpy,roots,cpp,cgo,python,csharp,lua"));
    assert!(output.contains("broken on purpose") && !output.contains("missing: Go"), "{output}");

    script(&tools.join("go"), &go("echo module lookup disabled by GOPROXY=off >&2; exit 1"));
    script(&scratch.0.join("work/dtlpy/bin/python"), "echo a broken Python >&2; exit 1");
    let output = failure(&mut harness("curl,roots,cpp,cgo,python,csharp,lua"));
    assert!(output.contains("missing: Go's oauth2 package: its module has not been downloaded"), "{output}");
    assert!(output.contains("a broken Python") && !output.contains("missing: the vendor's SDK"), "{output}");
}
