//! The README: its tables are those of the code, its program and its commands run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use common::{Scratch, as_from_a_shell, header, in_a_clean_environment, library, root, run, target};
use dl_auth_gate::Gate;

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The blocks of code in a language.
fn blocks(language: &str) -> Vec<String> {
    let readme = readme();
    let begin = format!("```{language}\n");
    readme.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// A command as a user gives it.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    as_from_a_shell(in_a_clean_environment(&mut command));
    command
}

#[test]
fn the_table_of_options_is_the_one_in_the_code() {
    let cell = |text: &str| if text == "none" || text.contains('`') { text.to_owned() } else { format!("`{text}`") };
    let rows: Vec<String> = dl_auth::KEYS
        .iter()
        .map(|key| format!("| `{}` | {} | {} | {} |", key.name(), cell(key.default), key.form, key.meaning))
        .collect();
    let wanted = format!("| key | default | must be | what it does |\n|---|---|---|---|\n{}\n\n", rows.join("\n"));
    assert!(readme().contains(&wanted), "the README's table of options must be:\n{wanted}");
}

#[test]
fn the_table_of_errors_is_the_one_in_the_header() {
    let header = header();
    let defined: Vec<(&str, &str)> = header
        .lines()
        .filter_map(|line| line.strip_prefix("#define DL_AUTH_E_")?.split_once(' '))
        .map(|(name, value)| (name, value.trim_matches(['(', ')'])))
        .collect();
    let readme = readme();
    let told: Vec<(&str, &str)> = readme
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| -")?.split('|').map(str::trim);
            let (value, name) = (cells.next()?, cells.next()?);
            Some((name.trim_matches('`').strip_prefix("DL_AUTH_E_")?, value))
        })
        .collect();
    assert_eq!(told.len(), 20);
    let defined: Vec<(&str, &str)> = defined.into_iter().map(|(name, value)| (name, &value[1..])).collect();
    assert_eq!(told, defined);
}

#[test]
fn the_program_and_its_commands_get_a_token() {
    let (program, commands) = (blocks("c").remove(0), blocks("sh").remove(0));
    assert_eq!(program.lines().count(), 15, "the README's program is short");
    let gate = Gate::start();
    let scratch = Scratch::new("readme");
    library();
    fs::write(scratch.0.join("token.c"), program).unwrap();
    fs::write(scratch.0.join("password.txt"), "correct horse battery staple\n").unwrap();
    symlink(root().join("include"), scratch.0.join("include")).unwrap();
    symlink(target(), scratch.0.join("target")).unwrap();
    // `make` runs where the Makefile is; all else as it stands, where the user's own program is.
    let script = commands.replace("make lib", &format!("make -C '{}' --silent lib", root().display()));
    let told = run(command("bash")
        .current_dir(&scratch.0)
        .args(["-e", "-c", &script])
        .env("DL_AUTH_URL", gate.url())
        .env("DL_AUTH_CA_FILE", gate.ca_file()));
    assert!(told.contains("Authorization: Bearer eyJ"), "{told}");
    assert_eq!(gate.counts().logins, 1);
}

#[test]
fn make_demo_logs_in_at_the_test_gate_and_at_the_one_that_is_configured() {
    let demo = || {
        let mut make = command("make");
        make.current_dir(root()).args(["--silent", "demo"]);
        make
    };
    let told = run(&mut demo());
    for word in ["test gate", "token   eyJ", "claims  {", "expiry  ", "first   ", "cached  "] {
        assert!(told.contains(word), "{word} is not in:\n{told}");
    }
    let gate = Gate::start();
    let told = run(demo()
        .env("DL_AUTH_USERNAME", "bot@example.com")
        .env("DL_AUTH_PASSWORD", "correct horse battery staple")
        .env("DL_AUTH_URL", gate.url())
        .env("DL_AUTH_CA_FILE", gate.ca_file()));
    assert!(told.contains("token   eyJ"), "{told}");
    assert_eq!(gate.counts().logins, 1);
}

#[test]
fn the_example_is_short_and_frees_only_its_handle() {
    let example = fs::read_to_string(root().join("examples/c/token.c")).unwrap();
    assert!(example.lines().count() < 40);
    let frees: Vec<&str> = example.lines().filter(|line| line.contains("free") || line.contains("alloc")).collect();
    assert_eq!(frees, ["  dl_auth_free(auth);"]);
}
