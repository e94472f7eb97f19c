//! Runs the tests of each binding, each with a separate gate. tests/pages.rs tests the first program of each page.
//!
//! The tests of all bindings have the scenarios of `tests/hosts/scenarios.md`, with the same names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use common::host::command;
use common::{Scratch, root, run, target};
use dl_auth_gate::Gate;

/// The names in the table of scenarios.
fn scenarios() -> Vec<String> {
    let page = fs::read_to_string(root().join("tests/hosts/scenarios.md")).unwrap();
    let names = page.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned()));
    names.collect()
}

/// The directory of a library with this ABI number that returns the errors that a test requests (`tests/hosts/stub.c`).
fn stub(scratch: &Scratch, abi: u32) -> PathBuf {
    let directory = scratch.0.join(format!("abi-{abi}"));
    fs::create_dir_all(&directory).unwrap();
    run(Command::new("gcc")
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-shared",
            "-fPIC",
            "-Wl,-soname,libdl_auth.so.0",
        ])
        .arg(format!("-DSTUB_ABI={abi}"))
        .arg("-I")
        .arg(root().join("include"))
        .arg(root().join("tests/hosts/stub.c"))
        .arg("-o")
        .arg(directory.join("libdl_auth.so")));
    symlink("libdl_auth.so", directory.join("libdl_auth.so.0")).unwrap();
    directory
}

/// Runs the tests of a binding, and checks that all scenarios have passed.
fn goes_through_all_scenarios(host: &str, tests: &str) {
    let (gate, stubs) = (Gate::start(), Scratch::new(&format!("stubs-{host}")));
    let scratch = target().join("hosts").join(host); // kept, so that the next run finds the installed packages
    fs::create_dir_all(&scratch).unwrap();
    let told = run(command("timeout", &gate)
        .arg(common::patience(3600).as_secs().to_string()) // this limit only detects a hang
        .arg(root().join(tests))
        .env("STUB_FAILING", stub(&stubs, 1))
        .env("STUB_OLD", stub(&stubs, 0))
        .env("SCRATCH", scratch));
    let passed: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("ok ")).collect();
    for scenario in scenarios() {
        assert!(passed.contains(&scenario.as_str()), "scenario {scenario} has not passed for {host}:\n{told}");
    }
}

#[test]
fn the_page_has_all_scenarios() {
    assert_eq!(scenarios().len(), 17, "{:?}", scenarios());
}

#[test]
fn cpp_passes_all_scenarios() {
    goes_through_all_scenarios("cpp", "tests/cpp/run.sh");
}

#[test]
fn go_passes_all_scenarios() {
    goes_through_all_scenarios("go", "bindings/go/tests/run.sh");
}

#[test]
fn python_passes_all_scenarios() {
    goes_through_all_scenarios("python", "bindings/python/tests/run.sh");
}

#[test]
fn csharp_passes_all_scenarios() {
    goes_through_all_scenarios("csharp", "bindings/csharp/tests/run.sh");
}

#[test]
fn lua_passes_all_scenarios() {
    goes_through_all_scenarios("lua", "bindings/lua/tests/run.sh");
}

#[test]
fn the_benchmark_of_the_go_host_compiles() {
    let (gate, scratch) = (Gate::start(), Scratch::new("benchmark-go"));
    let mut go = command("go", &gate);
    go.current_dir(root().join("benches/hosts/go"))
        .args(["build", "-tags", "dlauth_pkgconfig", "-buildvcs=false", "-o"])
        .arg(scratch.0.join("read"));
    run(go.arg("."));
}
