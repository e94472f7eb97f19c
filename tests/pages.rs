//! The pages of the bindings: their structure, their first programs, and the licence files beside them. Each binding's
//! own tests (`tests/hosts.rs`) run the other programs and commands of its page.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use common::{Scratch, as_from_a_shell, in_a_clean_environment, library, root, run, target};
use dl_auth_gate::{Gate, Settings};

const PAGES: [(&str, &str); 5] = [
    ("examples/cpp/README.md", "cpp"),
    ("bindings/go/README.md", "go"),
    ("bindings/python/README.md", "python"),
    ("bindings/csharp/README.md", "csharp"),
    ("bindings/lua/README.md", "lua"),
];

fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The code blocks of a page, in their order: the language and the text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    page.split("\n```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap()).collect()
}

#[test]
fn all_pages_have_the_same_chapters() {
    let chapters =
        ["Install", "First program", "Options", "Errors", "Waiting and cancellation", "HTTP client", "In your process"];
    for (path, _) in PAGES {
        let page = page(path);
        let mut lines = page.lines();
        assert!(lines.next().unwrap().starts_with("# dl_auth for "), "{path}: the title");
        assert_eq!(lines.next(), Some(""), "{path}");
        let sentence = lines.next().unwrap();
        assert!(sentence.ends_with('.') && lines.next() == Some(""), "{path} starts with one sentence: {sentence}");
        let found: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(found, chapters, "{path}");
    }
}

#[test]
fn the_readme_links_to_each_page() {
    let readme = page("README.md");
    for (path, _) in PAGES {
        assert!(readme.contains(&format!("]({path})")), "README.md has no link to {path}");
    }
}

/// Does what a user does, in a directory with links to the directories of this repository: runs the install commands,
/// writes the program to the file that its first line names, and runs the commands that start it.
fn the_first_program_prints_a_token(language: &str) {
    let (path, _) = PAGES.into_iter().find(|(_, of)| *of == language).unwrap();
    let page = page(path);
    let mut blocks = blocks(&page);
    blocks.retain(|(language, _)| *language != "json"); // this block is a file of Unity, not a command
    let [("sh", install), (found, program), ("sh", commands)] = blocks[..3] else {
        panic!("{path} does not start with commands, a program and commands: {:?}", &blocks[..3]);
    };
    assert_eq!(found, language, "{path}");
    let file = program.split_whitespace().nth(1).unwrap();
    let (gate, scratch) = (Gate::start(), Scratch::new(&format!("page-{language}")));
    library();
    run(Command::new(root().join("packaging/pkg-config.sh")).arg(library()));
    for directory in ["include", "bindings", "examples"] {
        symlink(root().join(directory), scratch.0.join(directory)).unwrap();
    }
    symlink(target(), scratch.0.join("target")).unwrap();
    fs::write(scratch.0.join(file), program).unwrap();
    let Settings { username, password, .. } = Settings::default();
    assert!(
        commands.contains(&format!("DL_AUTH_USERNAME={username} DL_AUTH_PASSWORD_FILE=password.txt")),
        "{commands}"
    );
    fs::write(scratch.0.join("password.txt"), password + "\n").unwrap();
    let mut bash = Command::new("bash");
    as_from_a_shell(in_a_clean_environment(&mut bash));
    let told = run(bash
        .env_remove("LIBRARY_DIR")
        .env_remove("PKG_CONFIG_PATH")
        .current_dir(&scratch.0)
        .args(["-e", "-c", &format!("{install}\n{commands}")])
        .env("DL_AUTH_PROXY", "none")
        .env("DL_AUTH_URL", gate.url())
        .env("DL_AUTH_CA_FILE", gate.ca_file()));
    let token = gate.last_token().unwrap_or_else(|| panic!("{path}: the program did not log in: {told}"));
    assert!(told.contains(&token[..20]), "{path}: {told}");
    assert_eq!(gate.counts().logins, 1);
}

#[test]
fn the_first_program_of_cpp_prints_a_token() {
    the_first_program_prints_a_token("cpp");
}

#[test]
fn the_first_program_of_go_prints_a_token() {
    the_first_program_prints_a_token("go");
}

#[test]
fn the_first_program_of_python_prints_a_token() {
    the_first_program_prints_a_token("python");
}

#[test]
fn the_first_program_of_csharp_prints_a_token() {
    the_first_program_prints_a_token("csharp");
}

#[test]
fn the_first_program_of_lua_prints_a_token() {
    the_first_program_prints_a_token("lua");
}

#[test]
fn each_binding_has_the_licence_files_of_the_library() {
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let wanted = page(licence);
        for binding in ["go", "python", "csharp", "lua"] {
            let path = format!("bindings/{binding}/{licence}");
            assert!(page(&path) == wanted, "{path} is not a copy of {licence}");
        }
    }
}
