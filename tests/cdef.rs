//! `include/dl_auth.cdef.h`: the declarations of the header, for tools without a preprocessor.
//!
//! The programs of `tests/cdef/` load it, print sizes and constants, and log in at a gate.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::process::Command;

use common::{Scratch, header, in_a_clean_environment, library, patience, root, run, symbols};
use dl_auth_gate::{Gate, Settings};

fn declarations() -> String {
    fs::read_to_string(root().join("include/dl_auth.cdef.h")).unwrap()
}

/// The constants of the header that are numbers.
fn constants() -> Vec<String> {
    let header = header();
    let defined = header.lines().filter_map(|line| line.strip_prefix("#define DL_AUTH_")?.split_once(' '));
    let numbers = defined.filter(|(_, value)| value.trim_matches(['(', ')', '-']).parse::<u32>().is_ok());
    let names = numbers.map(|(name, _)| name).filter(|name| !name.starts_with("VERSION_"));
    names.map(|name| format!("DL_AUTH_{name}")).collect()
}

/// Compiles a C program with one of the two files: `constants.c`, or `layout.c` of the ABI's tests.
fn c(program: &str, options: &[&str]) -> Command {
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]).args(options);
    let each: Vec<String> = constants().iter().map(|name| format!("PRINT({name})")).collect();
    gcc.arg(format!("-DCONSTANTS={}", each.join(" ")));
    gcc.arg("-I").arg(root().join("include")).arg(root().join(program));
    gcc
}

/// The sizes and constants that a C compiler finds, one per line.
fn in_c(options: &[&str]) -> String {
    let name = if options.is_empty() { "cdef-header" } else { "cdef" };
    let scratch = Scratch::new(&format!("{name}-{:?}", std::thread::current().id()));
    let program = scratch.0.join("constants");
    run(c("tests/cdef/constants.c", options).arg("-o").arg(&program));
    run(&mut Command::new(program))
}

#[test]
fn the_declarations_need_no_preprocessor() {
    let declarations = declarations();
    assert!(!declarations.contains(['#', '\\']) && !declarations.contains("extern") && !declarations.contains("//"));
    let preprocessed = run(&mut c("include/dl_auth.cdef.h", &["-E", "-P", "-x", "c"]));
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(squeezed(&preprocessed), squeezed(declarations.split_once("*/").unwrap().1));
}

#[test]
fn the_sizes_constants_and_functions_match_the_header() {
    let output = in_c(&[]);
    assert!(output.contains("DL_AUTH_E_DENIED -20\n") && output.lines().count() > 30, "{output}");
    assert_eq!(in_c(&["-DCDEF"]), output);

    let scratch = Scratch::new("cdef-functions");
    let functions = |options: &[&str]| -> Vec<String> {
        let list = scratch.0.join("list");
        run(c("tests/cdef/constants.c", options).arg("-fsyntax-only").arg("-aux-info").arg(&list));
        let list = fs::read_to_string(list).unwrap();
        let mut functions: Vec<String> = list
            .lines()
            .filter(|line| line.contains("dl_auth."))
            .map(|line| line.split_once("*/").unwrap().1.into())
            .collect();
        functions.sort();
        functions
    };
    let (of_header, of_declarations) = (functions(&[]), functions(&["-DCDEF"]));
    assert_eq!(of_header.len(), symbols().len(), "{of_header:?}");
    assert_eq!(of_declarations, of_header);
}

#[test]
fn the_fields_of_the_declarations_have_the_offsets_of_the_abi() {
    run(&mut c("tests/abi/layout.c", &["-DCDEF", "-fsyntax-only"]));
}

/// Asserts that a program finds the same as a C compiler, and that its token is the gate's.
fn assert_login(interpreter: &str, options: &[&str], program: &str) {
    let gate = Gate::start();
    let Settings { username, password, .. } = Settings::default();
    let mut command = Command::new("timeout");
    in_a_clean_environment(&mut command);
    let output = run(command
        .arg(patience(600).as_secs().to_string()) // ends a program that hangs
        .arg(interpreter)
        .args(options)
        .arg(root().join("tests/cdef").join(program))
        .args(constants())
        .env("DECLARATIONS", root().join("include/dl_auth.cdef.h"))
        .env("LIBRARY", library().join("libdl_auth.so"))
        .envs([("GATE_URL", gate.url()), ("GATE_USERNAME", &username), ("GATE_PASSWORD", &password)])
        .env("GATE_CA_FILE", gate.ca_file()));
    assert_eq!(output.replace('\t', " "), format!("{}token {}\n", in_c(&[]), gate.last_token().unwrap()));
    assert_eq!(gate.counts().logins, 1);
}

#[test]
fn luajit_reads_the_declarations_and_logs_in() {
    assert_login("luajit", &[], "login.lua");
}

#[test]
fn cffi_reads_the_declarations_and_logs_in() {
    assert_login("/usr/bin/python3", &[], "login.py"); // Debian's Python, for which python3-cffi is built
}

#[test]
fn php_reads_the_declarations_and_logs_in() {
    assert_login("php", &["-d", "ffi.enable=1"], "login.php");
}
