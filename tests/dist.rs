//! The library for other machines: built, and tried by qemu and by wine. `make dist-all` does this for all targets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::process::Command;

use common::{patience, root, run};

/// Builds the library and runs the programs of tests/dist/ with it. The scripts install what they need.
fn builds_and_logs_in(target: &str) {
    let script = |name: &str| {
        let mut command = Command::new("timeout");
        command.arg(patience(3000).as_secs().to_string()).arg(root().join("packaging").join(name)).arg(target);
        run(&mut command)
    };
    script("build.sh");
    let told = script("try.sh");
    for passed in
        ["login.c passed with the shared library", "login.c passed with the static library", "unload.c passed"]
    {
        assert!(told.contains(&format!("{target}: {passed}\n")), "{told}");
    }
}

#[test]
fn the_library_for_aarch64_logs_in_under_qemu() {
    builds_and_logs_in("aarch64-unknown-linux-gnu");
}

#[test]
fn the_library_for_windows_logs_in_under_wine() {
    builds_and_logs_in("x86_64-pc-windows-gnu");
}

#[test]
fn a_target_that_is_not_in_the_table_is_refused_in_one_line() {
    for (script, target) in [("dist.sh", "pdp11-unknown-none"), ("toolchain.sh", "pdp11-unknown-none")] {
        let output = Command::new(root().join("packaging").join(script)).arg(target).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains("has no target pdp11-unknown-none"), "{script}: {told}");
        assert!(told.lines().count() <= 2, "{script}: {told}");
    }
}
