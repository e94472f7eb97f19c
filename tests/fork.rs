//! Handles across fork: `tests/fork/fork.c` compiled by gcc, and `tests/fork/fork.py`. Each run has its own gate.
//!
//! The URL of the gate has an IP address, so that no lock of the resolver is involved. That lock would belong to the C
//! library.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::Scratch;
use dl_auth_gate::Gate;

/// The exit code of a program whose child hung.
const HUNG: i32 = 3;

#[test]
fn two_thousand_children_work_with_handles_in_use_at_the_fork() {
    assert_passes(&["crowd", "2000"]);
}

#[test]
fn children_forked_while_21_threads_make_handles_do_not_crash_or_hang() {
    assert_passes(&["makers", "150"]);
}

#[test]
#[ignore = "it takes minutes: `make stress` runs it"]
fn two_thousand_children_forked_while_21_threads_make_handles_do_not_crash_or_hang() {
    assert_passes(&["makers", "2000"]);
}

#[test]
fn a_child_never_waits_for_its_parents_refresh() {
    assert_passes(&["in-flight"]);
}

#[test]
fn a_child_never_waits_for_its_parents_set_up_of_tls() {
    assert_passes(&["set-up"]);
}

/// The controls of the three tests above, without which these tests would prove nothing: the same program, without the
/// hook. The output of the crowd is not checked then, because the children corrupt their parent's connections.
#[test]
fn without_the_hook_a_child_waits_for_its_parents_refresh() {
    let library = common::panicking_library();
    assert_eq!(fork(library, &["in-flight", "without-hook"]), (Some(HUNG), String::new()));
    assert_eq!(fork(library, &["in-flight"]), (Some(0), String::new()));
}

#[test]
fn without_the_hook_a_child_waits_for_its_parents_set_up_of_tls() {
    let library = common::panicking_library();
    assert_eq!(fork(library, &["set-up", "without-hook"]), (Some(HUNG), String::new()));
    assert_eq!(fork(library, &["set-up"]), (Some(0), String::new()));
}

#[test]
fn without_the_hook_children_of_the_crowd_hang() {
    assert_eq!(fork(common::panicking_library(), &["crowd", "2000", "without-hook"]).0, Some(HUNG));
}

#[test]
fn a_background_handle_restarts_with_the_first_call_of_a_child() {
    assert_passes(&["background"]);
}

#[test]
fn a_child_keeps_its_parents_refused_password_and_its_cooldown() {
    assert_passes(&["refused"]);
}

#[test]
fn a_child_may_free_a_handle_or_reject_its_token_in_its_first_call() {
    assert_passes(&["first-call"]);
}

#[test]
fn a_child_gets_a_new_jitter() {
    assert_passes(&["jitter"]);
}

#[test]
fn the_workers_of_a_python_pool_get_tokens_from_their_parents_handles() {
    let gate = Gate::start();
    let mut python = Command::new("python3");
    python.arg("-B").arg(common::root().join("tests/fork/fork.py")).arg(common::library());
    assert_eq!(common::run(at(&gate, &mut python)), "", "the library prints nothing, the program only failures");
}

/// The program ends with 0. Neither the program nor the library writes anything.
fn assert_passes(arguments: &[&str]) {
    assert_eq!(fork(common::library(), arguments), (Some(0), String::new()), "{arguments:?}");
}

/// Runs the program with a library, and returns its exit code and its output.
fn fork(library: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let scratch = Scratch::new(&format!("fork-{}", arguments.join("-")));
    let gate = Gate::start();
    let mut command = Command::new(compile(library, &scratch.0));
    command
        .args(arguments)
        .current_dir(&scratch.0)
        .env("CHECK_MESSAGES", scratch.0.join("messages"))
        .env("CHECK_TOKENS", scratch.0.join("tokens"));
    let output = at(&gate, &mut command).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// The command with a clean environment that has the gate's addresses.
fn at<'a>(gate: &Gate, command: &'a mut Command) -> &'a mut Command {
    common::in_a_clean_environment(command);
    let description = gate.describe();
    for (name, value) in description.as_object().unwrap() {
        if let Some(value) = value.as_str() {
            command.env(format!("GATE_{}", name.to_uppercase()), value.replace("//localhost:", "//127.0.0.1:"));
        }
    }
    command
}

fn compile(library: &Path, directory: &Path) -> PathBuf {
    let executable = directory.join("fork");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-O1"])
        .arg("-pthread")
        .arg("-I")
        .arg(common::root().join("include"))
        .arg(common::root().join("tests/fork/fork.c"))
        .arg("-o")
        .arg(&executable)
        .arg("-L")
        .arg(library)
        .arg("-ldl_auth")
        .arg(format!("-Wl,-rpath,{}", library.display()));
    assert_eq!(common::run(&mut gcc), "", "the compiler printed a warning");
    executable
}
