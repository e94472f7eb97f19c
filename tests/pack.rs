//! The packages of the languages (`packaging/pack.sh`): what is in them, and that each runs in an empty place.
//!
//! These tests pack the library of this machine (`make lib`). `make dist-all` runs `the_packages_of_all_targets`, which
//! packs what `packaging/build.sh` has built.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::host::command;
use common::{Scratch, patience, root, run, target};
use dl_auth_gate::Gate;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn each_package_has_its_layout_and_wrong_libraries_are_refused() {
    let scratch = Scratch::new("pack-layout");
    let mut python = Command::new("timeout");
    python.arg(patience(1800).as_secs().to_string()).arg("python3").arg(root().join("tests/pack/layout.py"));
    let told = run(python.env("SCRATCH", &scratch.0));
    assert!(told.contains("\nRan 11 tests in "), "{told}");
}

/// Packs the library of this machine, or the one of a directory. Installs the package into an empty place, and runs
/// the example, which logs in once.
fn installs_and_logs_in(kind: &str, library: Option<&Path>) {
    let (gate, scratch) = (Gate::start(), Scratch::new(&format!("pack-{kind}")));
    let mut script = command("timeout", &gate);
    script.arg(patience(1800).as_secs().to_string()).arg(root().join("tests/pack/run.sh")).arg(kind);
    script.envs(library.map(|directory| ("LIBRARY_DIR", directory)));
    let told = run(script.env("SCRATCH", &scratch.0));
    assert!(told.ends_with(&format!("ok {kind}\n")), "{told}");
    assert_eq!(gate.counts().logins, 1, "{told}");
}

#[test]
fn the_wheel_installs_and_logs_in() {
    installs_and_logs_in("wheel", None);
}

#[test]
fn the_go_module_is_vendored_and_logs_in() {
    installs_and_logs_in("go", None);
}

#[test]
fn the_unity_package_compiles_and_logs_in() {
    installs_and_logs_in("unity", None);
}

#[test]
fn the_rock_installs_and_logs_in() {
    installs_and_logs_in("lua", None);
}

/// With the libraries that `packaging/build.sh` has built. DIST names their directory; the default is target/dist.
#[test]
#[ignore = "needs the libraries of all targets: `make dist-all` builds them and runs this"]
fn the_packages_of_all_targets() {
    let dist = std::env::var_os("DIST").map_or_else(|| target().join("dist"), PathBuf::from);
    let native = dist.join("x86_64-unknown-linux-gnu");
    let lib = native.join("lib");
    let (gate, scratch) = (Gate::start(), Scratch::new("pack-all"));
    let mut script = command("timeout", &gate);
    script.arg(patience(3600).as_secs().to_string()).arg(root().join("tests/pack/cross.sh"));
    let told = run(script.env("SCRATCH", &scratch.0).env("DIST", &dist));
    assert_eq!(told.lines().filter(|line| line.starts_with("ok ")).count(), 5, "{told}");
    for kind in ["wheel", "go", "unity", "lua"] {
        installs_and_logs_in(kind, Some(if lib.exists() { &lib } else { &native }));
    }
}
