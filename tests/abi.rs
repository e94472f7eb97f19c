//! The ABI as a C compiler, a linker and a loader see it: the header, the exports, the library's name.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::process::Command;

use common::{Scratch, header, library, root, run};

/// Warnings of gcc and clang, in C and C++.
const STRICT: [&str; 12] = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wmissing-field-initializers",
    "-Wmissing-braces",
    "-Wshadow",
    "-Wundef",
    "-Wfloat-equal",
    "-Werror",
    "-fsyntax-only",
];

/// For 32 bits only the headers of the compiler itself are needed.
const MACHINES: &[&[&str]] =
    if cfg!(target_arch = "x86_64") { &[&["-m64"], &["-m32", "-ffreestanding"]] } else { &[&[]] };

#[test]
fn the_header_is_what_the_sources_generate() {
    let generated = fs::read_to_string(concat!(env!("OUT_DIR"), "/dl_auth.h")).unwrap();
    assert!(header() == generated, "include/dl_auth.h is not what src/capi/ generates; run `make header`");
}

#[test]
fn the_header_and_its_initialisers_compile_without_a_warning_in_every_standard_of_c() {
    for standard in ["c89", "c99", "c11", "c17", "c2x", "gnu89", "gnu17"] {
        compile("gcc", &["-x", "c", "-Wc++-compat", "-Wtraditional-conversion"], standard);
        compile("clang", &["-x", "c", "-Weverything"], standard);
    }
}

#[test]
fn the_header_and_its_initialisers_compile_without_a_warning_or_a_cast_in_every_standard_of_cpp() {
    for standard in ["c++98", "c++11", "c++14", "c++17", "c++20", "c++2b"] {
        compile("g++", &["-x", "c++", "-Wold-style-cast", "-Wuseless-cast"], standard);
        compile("clang++", &["-x", "c++", "-Weverything"], standard);
    }
}

/// Alone and twice, and with a use of each initialiser and the offset of each field.
fn compile(compiler: &str, options: &[&str], standard: &str) {
    for &machine in MACHINES {
        let mut command = Command::new(compiler);
        command.args(STRICT).args(options).args(machine).arg(format!("-std={standard}"));
        run(command.arg("-I").arg(root().join("include")).arg(root().join("tests/abi/layout.c")));
    }
}

#[test]
fn only_the_listed_symbols_are_exported_and_each_is_in_the_header() {
    let nm =
        run(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(library().join("libdl_auth.so")));
    let exported: Vec<&str> = nm.lines().filter_map(|line| line.split(' ').next()).collect();
    let listed = fs::read_to_string(root().join("tests/abi/symbols.txt")).unwrap();
    let listed: Vec<&str> = listed.lines().collect();
    assert_eq!(exported, listed, "tests/abi/symbols.txt lists what the library exports");
    let header = header();
    for symbol in exported {
        assert!(symbol.starts_with("dl_auth_") && header.contains(&format!("{symbol}(")), "{symbol}");
    }
}

#[test]
fn the_shared_library_is_small() {
    let bytes = fs::metadata(library().join("libdl_auth.so")).unwrap().len();
    assert!(bytes <= 2_252_688, "{bytes} bytes; is it optimised when it is linked (src/cdylib/lib.rs)?");
}

fn dynamic_section() -> String {
    run(Command::new("readelf").args(["-d", "-W"]).arg(library().join("libdl_auth.so")))
}

#[test]
fn the_library_has_its_name_and_is_never_unmapped() {
    let dynamic = dynamic_section();
    assert!(dynamic.contains("Library soname: [libdl_auth.so.0]"), "{dynamic}");
    assert!(dynamic.lines().any(|line| line.contains("FLAGS_1") && line.contains("NODELETE")), "{dynamic}");
}

#[test]
fn the_library_runs_nothing_when_it_is_loaded_or_when_the_process_ends() {
    let dynamic = dynamic_section();
    // In any shared library, the C compiler's start-up code has one function each way, of 8 bytes. Rust's std has one
    // that notes argc and argv. There must be no other.
    for (array, allowed) in [("INIT_ARRAYSZ", 16), ("FINI_ARRAYSZ", 8)] {
        let line = dynamic.lines().find(|line| line.contains(array)).unwrap();
        let bytes: usize = line.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
        assert!(bytes <= allowed, "the library runs more than that: {line}");
    }
}

#[test]
fn a_program_of_the_shared_and_one_of_the_static_library_tell_the_header_s_version() {
    let scratch = Scratch::new("abi-version");
    let archive = library().join("libdl_auth.a");
    let shared = ["-L", library().to_str().unwrap(), "-ldl_auth"];
    for (name, link) in [("shared", &shared[..]), ("static", &[archive.to_str().unwrap(), "-lm"])] {
        let program = scratch.0.join(name);
        let mut cc = Command::new("cc");
        cc.arg("-I").arg(root().join("include")).arg(root().join("tests/abi/version.c"));
        run(cc.args(link).arg("-o").arg(&program));
        let told = run(Command::new(&program).env("LD_LIBRARY_PATH", library()));
        assert_eq!(told, format!("{} 1\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn a_build_that_would_abort_on_a_panic_is_refused() {
    let rustc = |panic: &str| {
        let mut rustc = Command::new("rustc");
        rustc.current_dir(root()).args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "-o", "/dev/null"]);
        let output = rustc.args(["-C", panic, "src/lib.rs"]).output().unwrap();
        String::from_utf8_lossy(&output.stderr).contains("dl_auth must be built with panic = \"unwind\"")
    };
    assert!(rustc("panic=abort") && !rustc("panic=unwind"));
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("panic = \"unwind\""));
}

#[test]
fn the_stated_rust_version_is_the_one_that_builds_this() {
    let version = run(Command::new("rustc").arg("--version"));
    let stated = env!("CARGO_PKG_RUST_VERSION");
    let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
    assert!(minor(stated) <= minor(&version), "{stated} is stated, {version} builds");
    if std::env::var_os("CI").is_some() {
        assert_eq!(minor(stated), minor(&version), "CI must build with the Rust that Cargo.toml states");
    }
}
