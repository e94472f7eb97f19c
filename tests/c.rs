//! The C tests: each program of `tests/c/` is compiled without a warning and runs in five ways, each with a separate
//! gate. The tests are found when this program runs: one for each `.c` file and way.
//!
//! A program that fails prints the failed checks and exits with 1. Otherwise neither the program nor the library prints
//! anything. Afterwards, each message that the program got from the library is searched for secrets. The user and the
//! password of the gate contain the word "canary", and so does each secret that a program invents. The program writes
//! the tokens that it got to a file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use common::Scratch;
use dl_auth_gate::{Gate, Settings};
use libtest_mimic::{Arguments, Trial};

/// How a program is compiled and run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Gcc,
    Clang,
    Valgrind,
    GccSanitizers,
    ClangSanitizers,
}

const WAYS: [(&str, Way); 5] = [
    ("passes_when_compiled_by_gcc", Way::Gcc),
    ("passes_when_compiled_by_clang", Way::Clang),
    ("passes_under_valgrind", Way::Valgrind),
    ("passes_with_the_sanitizers_of_gcc", Way::GccSanitizers),
    ("passes_with_the_sanitizers_of_clang", Way::ClangSanitizers),
];

/// The names of the `.c` files in `tests/c/`.
fn programs() -> Vec<String> {
    let directory = std::fs::read_dir(common::root().join("tests/c")).unwrap();
    let files = directory.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut programs: Vec<String> = files.filter_map(|file| file.strip_suffix(".c").map(str::to_owned)).collect();
    programs.sort();
    assert_ne!(programs, [""; 0], "tests/c/ has no programs");
    programs
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // More threads than processors, because most programs wait more than they compute.
    arguments.test_threads.get_or_insert(2 * std::thread::available_parallelism().unwrap().get());
    let test = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    let mut trials = vec![
        test(
            "each_exported_function_is_called_with_a_cancellation_pending",
            each_function_is_called_with_a_cancellation,
        ),
        test("the_search_for_secrets_finds_each_kind_and_nothing_else", the_search_for_secrets_finds_each_kind),
    ];
    for program in programs() {
        trials.extend(WAYS.map(|(name, way)| {
            let program = program.clone();
            Trial::test(format!("{program}::{name}"), move || {
                passes(&program, way);
                Ok(())
            })
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

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
        .envs((program == "wiped").then_some(("LD_BIND_NOW", "1"))); // wiped.c says why
    let output = common::run(&mut command);

    common::manual::assert_documented(program, &statuses);
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let (messages, tokens) = (read(&messages), read(&tokens));
    let tokens: Vec<&str> = tokens.lines().collect();
    assert_eq!(output, "", "the library prints nothing, and a program prints only failed checks");
    assert_eq!(secrets(&messages, &tokens), Vec::<String>::new(), "in the messages of the library:\n{messages}");
    // Checks that the search works: there are messages, and a secret in one of them is found.
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

/// The library of a program. Valgrind gets a library with symbols, so that a suppression can name a function of it.
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
        command.arg("-ldl"); // this program opens the library with dlopen
    } else {
        command.arg("-L").arg(library).arg("-ldl_auth").arg(format!("-Wl,-rpath,{}", library.display()));
    }
    assert_eq!(common::run(&mut command), "", "the compiler printed a warning");
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

/// The gate's addresses and credentials as environment variables: `url` becomes GATE_URL.
fn addresses(gate: &Gate) -> Vec<(String, OsString)> {
    let description = gate.describe();
    let fields = description.as_object().unwrap().iter();
    fields.filter_map(|(name, value)| Some((format!("GATE_{}", name.to_uppercase()), value.as_str()?.into()))).collect()
}

/// The kinds of secrets that a text contains.
fn secrets(text: &str, tokens: &[&str]) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    let mut look = |kind: &str, is_there: bool| found.extend(is_there.then(|| kind.to_owned()));
    look("canary", lower.contains("canary"));
    look("the beginning of a JWT", text.contains("eyJ"));
    // Refresh and access tokens of the gate are `rt-` or `at-` and 48 hexadecimal digits. Half of the digits count.
    for prefix in ["rt-", "at-"] {
        let digits = |rest: &str| rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        look(prefix, text.split(prefix).skip(1).any(|rest| digits(rest) >= 24));
    }
    let parts = tokens.iter().flat_map(|token| token.split('.')).filter(|part| part.len() >= 12);
    look("a part of a token", parts.into_iter().any(|part| text.contains(part)));
    found
}

fn each_function_is_called_with_a_cancellation() {
    let read = |path: &str| std::fs::read_to_string(common::root().join(path)).unwrap();
    let program = read("tests/c/cancel.c");
    for symbol in common::symbols().into_keys() {
        assert!(program.contains(&format!("{symbol}(")), "tests/c/cancel.c does not call {symbol}");
    }
}

fn the_search_for_secrets_finds_each_kind() {
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
