//! The C tests: each program of `tests/c/` is compiled without a warning and run in five ways, against a gate of its
//! own.
//!
//! A program writes what failed and exits with 1; else nothing is written, by it or by the library. Each message that
//! the library gave it is then searched for secrets: user and password of the gate hold the word "canary", as does each
//! secret that a program makes up, and the tokens that it saw are in a file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::Scratch;
use dl_auth_gate::{Gate, Settings};

/// How a program is compiled and run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Gcc,
    Clang,
    Valgrind,
    GccSanitizers,
    ClangSanitizers,
}

/// For each program one test a way.
macro_rules! programs {
    ($($program:ident),* $(,)?) => {$(
        mod $program {
            use super::*;

            #[test]
            fn passes_when_compiled_by_gcc() {
                passes(stringify!($program), Way::Gcc);
            }

            #[test]
            fn passes_when_compiled_by_clang() {
                passes(stringify!($program), Way::Clang);
            }

            #[test]
            fn passes_under_valgrind() {
                passes(stringify!($program), Way::Valgrind);
            }

            #[test]
            fn passes_with_the_sanitizers_of_gcc() {
                passes(stringify!($program), Way::GccSanitizers);
            }

            #[test]
            fn passes_with_the_sanitizers_of_clang() {
                passes(stringify!($program), Way::ClangSanitizers);
            }
        }
    )*};
}

programs!(
    arguments,
    background,
    cancel,
    clocks,
    config,
    daemon,
    descriptors,
    environ,
    exit,
    gate,
    handler,
    handles,
    header,
    life,
    memory,
    panic,
    reads,
    refresh,
    resolver,
    sigpipe,
    stack,
    threads,
    unload,
    wait,
    wiped
);

fn passes(program: &str, way: Way) {
    let scratch = Scratch::new(&format!("c-{program}-{way:?}"));
    let gate = Gate::start_with(Settings {
        username: "canary-bot@example.com".to_owned(),
        password: "canary horse battery staple".to_owned(),
        ..Settings::default()
    });
    let executable = compile(program, way, &scratch.0);
    let (messages, tokens) = (scratch.0.join("messages"), scratch.0.join("tokens"));
    let statuses = scratch.0.join("statuses");
    let mut command = match way {
        Way::Valgrind => valgrind(&executable),
        _ => Command::new(&executable),
    };
    common::in_a_clean_environment(&mut command);
    command
        .current_dir(&scratch.0)
        .env("CHECK_MESSAGES", &messages)
        .env("CHECK_TOKENS", &tokens)
        .env("CHECK_STATUSES", &statuses)
        .env("CHECK_LIBRARY", library(program, way).join("libdl_auth.so"))
        .env("UBSAN_OPTIONS", "print_stacktrace=1")
        .envs(addresses(&gate))
        .envs((program == "wiped").then_some(("LD_BIND_NOW", "1"))); // it says why
    let output = common::run(&mut command);

    common::manual::assert_documented(program, &statuses);
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let (messages, tokens) = (read(&messages), read(&tokens));
    let tokens: Vec<&str> = tokens.lines().collect();
    assert_eq!(output, "", "the library writes nothing, and a program only what failed");
    assert_eq!(secrets(&messages, &tokens), Vec::<String>::new(), "in what the library said:\n{messages}");
    // What is searched is there: the library did speak, and a secret among its words would have been found.
    if !["header", "unload", "exit"].contains(&program) {
        assert_ne!(messages, "", "{program} recorded no messages");
        let middle = messages.lines().count() / 2;
        let spoiled: String = messages
            .lines()
            .enumerate()
            .map(|(n, m)| if n == middle { format!("{m} canary") } else { m.into() })
            .collect();
        assert_eq!(secrets(&spoiled, &tokens), ["canary"]);
    }
}

/// Under valgrind a library with symbols runs, so that a suppression can name its function.
fn library(program: &str, way: Way) -> &'static Path {
    match (program, way) {
        ("panic", _) | (_, Way::Valgrind) => common::panicking_library(),
        _ => common::library(),
    }
}

fn compile(program: &str, way: Way, directory: &Path) -> PathBuf {
    let executable = directory.join(program);
    let (compiler, flags) = match way {
        Way::Gcc | Way::Valgrind => ("gcc", &["-O1"][..]),
        Way::Clang => ("clang", &["-O1"][..]),
        Way::GccSanitizers => ("gcc", SANITIZERS),
        Way::ClangSanitizers => ("clang", SANITIZERS),
    };
    let library = library(program, way);
    let mut command = Command::new(compiler);
    command
        .args(["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-pthread"])
        .args(flags)
        .arg("-I")
        .arg(common::root().join("include"))
        .arg(common::root().join("tests/c").join(program).with_extension("c"))
        .arg("-o")
        .arg(&executable);
    if program == "unload" {
        command.arg("-ldl"); // it opens the library itself
    } else {
        command.arg("-L").arg(library).arg("-ldl_auth").arg(format!("-Wl,-rpath,{}", library.display()));
    }
    assert_eq!(common::run(&mut command), "", "a compiler has something to say");
    executable
}

const SANITIZERS: &[&str] =
    &["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];

fn valgrind(executable: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite"])
        .args(["--errors-for-leak-kinds=definite", "--fair-sched=try", "--num-callers=40"])
        .arg(format!("--suppressions={}", common::root().join("tests/c/valgrind.supp").display()))
        .arg(executable);
    command
}

/// The gate's addresses and credentials as variables: `url` is GATE_URL.
fn addresses(gate: &Gate) -> Vec<(String, OsString)> {
    let description = gate.describe();
    let fields = description.as_object().unwrap().iter();
    fields.filter_map(|(name, value)| Some((format!("GATE_{}", name.to_uppercase()), value.as_str()?.into()))).collect()
}

/// Whatever in a text must not be there, by its kind.
fn secrets(text: &str, tokens: &[&str]) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    let mut look = |kind: &str, is_there: bool| found.extend(is_there.then(|| kind.to_owned()));
    look("canary", lower.contains("canary"));
    look("the beginning of a JWT", text.contains("eyJ"));
    // Refresh and access tokens of the gate are `rt-` or `at-` and 48 hexadecimal digits; half of them would do.
    for prefix in ["rt-", "at-"] {
        let digits = |rest: &str| rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        look(prefix, text.split(prefix).skip(1).any(|rest| digits(rest) >= 24));
    }
    let parts = tokens.iter().flat_map(|token| token.split('.')).filter(|part| part.len() >= 12);
    look("a part of a token", parts.into_iter().any(|part| text.contains(part)));
    found
}

#[test]
fn each_exported_function_is_called_with_a_cancellation_pending() {
    let read = |path: &str| std::fs::read_to_string(common::root().join(path)).unwrap();
    let program = read("tests/c/cancel.c");
    for symbol in read("tests/abi/symbols.txt").lines().filter(|line| line.starts_with("dl_auth_")) {
        assert!(program.contains(&format!("{symbol}(")), "tests/c/cancel.c does not call {symbol}");
    }
}

#[test]
fn the_search_for_secrets_finds_each_kind_and_nothing_else() {
    let gate = Gate::start();
    let jwt = "eyJhbGciOiJub25lIn0.eyJleHAiOjF9eyJleHA.c2lnbmF0dXJl";
    let signature = jwt.rsplit('.').next().unwrap();
    let refresh_token = format!("rt-{}", "0123456789abcdef".repeat(3));
    for (sample, kinds) in [
        ("the gate refused the credentials (HTTP 401); check `username` and `password`", &[][..]),
        (gate.url(), &[]),
        ("user CANARY-bot is unknown", &["canary"]),
        ("canary%20horse", &["canary"]),
        ("sent eyJhbGciOi", &["the beginning of a JWT"]),
        (signature, &["a part of a token"]),
        (&refresh_token, &["rt-"]),
        (&refresh_token.replace("rt-", "at-"), &["at-"]),
        (jwt, &["the beginning of a JWT", "a part of a token"]),
    ] {
        assert_eq!(secrets(&format!("before {sample}, after"), &[jwt]), kinds, "{sample}");
    }
}
