//! The common parts of the tests of the built library: the library itself, and programs that must succeed.

#![allow(dead_code)] // each test program uses only some of the functions

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

pub mod host;
pub mod manual;
pub mod server;

pub use dl_auth_gate::patience;

/// The root of the repository. The package that includes this file may be in a subdirectory.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|directory| directory.join("Cargo.lock").exists()).expect("the repository")
}

/// Cargo's output directory.
pub fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The directory with the released library: `libdl_auth.so`, `libdl_auth.so.0` (its name at run time) and
/// `libdl_auth.a`.
pub fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        build(&["--release"]);
        complete(target().join("release"))
    })
}

/// The directory with a library that also has functions that panic (feature `test-panic`).
///
/// It is a copy of what cargo builds in its directory of the profile `dev`, where the dependencies are compiled
/// already.
pub fn panicking_library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let (built, own) = (target().join("debug"), target().join("test-panic"));
        std::fs::create_dir_all(&own).unwrap();
        // Another build in the same directory may replace the files before they are copied.
        let copied = |(file, names): (&str, &str)| {
            let new = own.join(format!("{file}.{}", std::process::id()));
            let is_right = std::fs::copy(built.join(file), &new).is_ok() && {
                let names = Command::new("nm").args([names, "--defined-only"]).arg(&new).output().unwrap();
                String::from_utf8_lossy(&names.stdout).contains(" T dl_auth_test_panic")
            };
            if is_right {
                std::fs::rename(&new, own.join(file)).unwrap(); // a program may use the file now
            }
            is_right
        };
        let tried = (0..50).any(|_| {
            build(&["--features", "test-panic"]);
            [("libdl_auth.so", "--dynamic"), ("libdl_auth_objects.a", "--extern-only")].into_iter().all(copied)
        });
        assert!(tried, "other builds replace the library each time");
        complete(own)
    })
}

fn build(arguments: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    // The test of the ABI reads the types of the library that panics. `tests/parts.sh` sets the same.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "full");
    cargo.current_dir(root()).args(["build", "--quiet", "--locked", "--lib"]).args(arguments);
    succeeded("cargo build", as_from_a_shell(&mut cargo).output());
}

/// Adds the name that programs load at run time, and the static archive.
fn complete(directory: PathBuf) -> PathBuf {
    let (library, name) = (Path::new("libdl_auth.so"), directory.join("libdl_auth.so.0"));
    std::os::unix::fs::symlink(library, &name).ok(); // the last run or another test may have made it already
    assert_eq!(std::fs::read_link(&name).ok().as_deref(), Some(library), "the link beside the library");
    run(Command::new(root().join("packaging/archive.sh")).arg(&directory));
    directory
}

/// Removes the variables that cargo sets for a test. Otherwise a build script that reads them would run again each time
/// a test builds after a shell has built, and everything would be compiled again.
pub fn as_from_a_shell(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "OUT_DIR"].iter().any(|start| name.to_string_lossy().starts_with(start)) {
            command.env_remove(name);
        }
    }
    command
}

/// Removes the environment variables that could make a program use another gate, another proxy or other root
/// certificates.
pub fn in_a_clean_environment(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_ascii_uppercase();
        if upper == "DL_AUTH_TEST_PATIENCE" {
            continue;
        }
        if ["DL_AUTH_", "SSL_CERT_"].iter().any(|start| upper.starts_with(start)) || upper.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program that must succeed, and returns its output. If the program is missing, the test fails: no test is
/// skipped.
pub fn run(command: &mut Command) -> String {
    let name = format!("{command:?}");
    let output = succeeded(&name, command.output());
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn succeeded(name: &str, output: std::io::Result<Output>) -> Output {
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}; `make setup` installs what is needed"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{name}: {}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr));
    output
}

/// The library's header from the source tree.
pub fn header() -> String {
    std::fs::read_to_string(root().join("include/dl_auth.h")).expect("the header")
}

/// The exported functions, each with the version that brought it.
pub fn symbols() -> BTreeMap<String, String> {
    symbols_of(&std::fs::read_to_string(root().join("tests/abi/dl_auth.symbols")).expect("the list of symbols"))
}

/// Reads a list in the format of Debian's `symbols` files: the names of the library and of its package, and lines such
/// as ` dl_auth_new@Base 0.1.0`. `Base` means that the symbols have no version in the library.
pub fn symbols_of(list: &str) -> BTreeMap<String, String> {
    let mut lines = list.lines();
    let first = lines.next().unwrap_or_default();
    assert!(first.starts_with("libdl_auth.so.0 "), "the list of symbols begins with {first:?}");
    let mut symbols = BTreeMap::new();
    for line in lines.filter(|line| !line.starts_with('*')) {
        let symbol = line.strip_prefix(' ').and_then(|line| line.split_once("@Base "));
        let (name, version) = symbol.unwrap_or_else(|| panic!("the list of symbols has the line {line:?}"));
        assert!(symbols.insert(name.to_owned(), version.to_owned()).is_none(), "the list of symbols has {name} twice");
    }
    symbols
}

/// A separate directory for the files of a test. Drop removes it.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// A new, empty one.
    pub fn new(name: &str) -> Scratch {
        let path = target().join("scratch").join(format!("{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        std::fs::create_dir_all(&path).expect("a directory for a test");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Writes a shell script that replaces a tool.
pub fn script(path: &Path, lines: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}
