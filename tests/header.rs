//! `include/dl_auth.h` is a manual: each function is documented, the examples compile, and no line is too wide.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use common::manual::{self, Function, functions, statuses};
use common::{Scratch, header, root, run, symbols, symbols_of};

const WIDTH: usize = 80;

#[test]
fn no_line_of_a_header_for_c_is_wider_than_80_columns() {
    for name in ["dl_auth.h", "dl_auth.cdef.h"] {
        let text = fs::read_to_string(root().join("include").join(name)).unwrap();
        let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > WIDTH).collect();
        assert!(wide.is_empty(), "{name} has lines of more than {WIDTH} columns: {wide:#?}");
        assert!(text.lines().count() > 100, "{name} is short");
    }
}

#[test]
fn the_header_has_each_chapter() {
    let header = header();
    let top = header.split("*/").next().unwrap();
    let headings: Vec<&str> = top
        .lines()
        .filter_map(|line| line.strip_prefix(" * "))
        .filter(|line| line.bytes().all(|byte| byte.is_ascii_uppercase()))
        .collect();
    for chapter in ["CONVENTIONS", "THREADS", "FORK", "SIGNALS", "UNLOAD", "SECRETS"] {
        assert!(headings.contains(&chapter), "{chapter} is not among the chapters {headings:?}");
    }
}

#[test]
fn each_exported_function_is_documented_completely() {
    let header = header();
    let functions = functions(&header);
    let documented: BTreeSet<&str> = functions.iter().map(|function| function.name.as_str()).collect();
    let symbols = symbols();
    assert_eq!(documented, symbols.keys().map(String::as_str).collect());
    let incomplete: Vec<String> = functions.iter().flat_map(gaps).collect();
    assert!(incomplete.is_empty(), "{incomplete:#?}");

    // Each rule finds its missing line.
    let token = functions.iter().find(|function| function.name == "dl_auth_token").unwrap();
    for line in ["@param auth ", "@return", "- DL_AUTH_OK: ", "- DL_AUTH_E_", "Threads: ", "Blocking: ", "@since "] {
        let lines = token.lines.iter().filter(|kept| !kept.starts_with(line)).cloned().collect();
        let spoiled = Function {
            lines,
            name: token.name.clone(),
            returns: token.returns.clone(),
            parameters: token.parameters.clone(),
        };
        assert_eq!(gaps(&spoiled).len(), 1, "without {line}");
    }
}

#[test]
fn each_function_names_the_version_that_brought_it() {
    let numbers = |version: &str| version.split('.').map(|part| part.parse().unwrap()).collect::<Vec<u32>>();
    let (header, symbols) = (header(), symbols());
    for function in functions(&header) {
        let version = &symbols[&function.name];
        let since: Vec<&str> = function.lines.iter().filter_map(|line| line.strip_prefix("@since ")).collect();
        assert_eq!(since, [version], "{}: the header and tests/abi/dl_auth.symbols", function.name);
        assert!(numbers(version) <= numbers(env!("CARGO_PKG_VERSION")), "{} is of a later version", function.name);
    }
}

/// The functions of the first ABI.
const FIRST: usize = 20;

#[test]
fn the_abi_version_counts_the_functions_that_were_added() {
    let header = header();
    let version = header.lines().find_map(|line| line.strip_prefix("#define DL_AUTH_ABI_VERSION ")).unwrap();
    assert_eq!(version.parse(), Ok(1 + symbols().len() - FIRST), "DL_AUTH_ABI_VERSION, and tests/abi/dl_auth.symbols");
}

#[test]
fn a_list_of_symbols_with_a_mistake_is_refused() {
    let refused = |list: &str| std::panic::catch_unwind(|| symbols_of(list)).is_err();
    let right = "libdl_auth.so.0 libdl-auth0 #MINVER#\n* Build-Depends-Package: libdl-auth-dev\n a@Base 0.1.0\n";
    assert_eq!(symbols_of(right)["a"], "0.1.0");
    for wrong in ["", "b\n", " b 0.1.0\n", " a@Base 0.2.0\n"] {
        assert!(refused(&format!("{right}{wrong}")) != wrong.is_empty(), "{wrong:?}");
    }
    assert!(refused(&right.replace("so.0", "so.1")));
}

/// The parts that are missing in the documentation of a function.
fn gaps(function: &Function) -> Vec<String> {
    let has = |start: &str| function.lines.iter().any(|line| line.starts_with(start));
    let mut gaps = Vec::new();
    let mut must = |what: &str, is_there: bool| {
        if !is_there {
            gaps.push(format!("{}: {what}", function.name));
        }
    };
    must("no summary", function.lines.get(1).is_some_and(|line| line.starts_with(char::is_uppercase)));
    for parameter in &function.parameters {
        let directions = ["", "[out]", "[in,out]"];
        let documented = directions.iter().any(|direction| has(&format!("@param{direction} {parameter} ")));
        must(&format!("no @param {parameter}"), documented);
    }
    must("no @return", function.returns == "void" || has("@return"));
    if function.returns == "dl_auth_status_t" {
        must("no condition of DL_AUTH_OK", has("- DL_AUTH_OK: "));
        must("no condition of an error", has("- DL_AUTH_E_"));
    }
    must("nothing about threads", has("Threads: "));
    must("nothing about blocking", has("Blocking: "));
    must("no @since", has("@since 0."));
    gaps
}

#[test]
fn each_status_in_a_list_is_defined_and_each_defined_one_is_documented_somewhere() {
    let header = header();
    let defined: BTreeSet<String> = statuses(&header).into_values().collect();
    let functions = functions(&header);
    let listed: BTreeSet<&str> = functions.iter().flat_map(Function::statuses).collect();
    let unknown: Vec<_> = listed.iter().filter(|status| !defined.contains(**status)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    // The conventions describe the status of a bug.
    let unlisted: Vec<_> = defined.iter().filter(|status| !listed.contains(status.as_str())).collect();
    assert_eq!(unlisted, ["DL_AUTH_E_INTERNAL"]);
    let conventions = header.split("CONVENTIONS").nth(1).unwrap().split("THREADS").next().unwrap();
    assert!(conventions.contains("DL_AUTH_E_INTERNAL"));
}

#[test]
fn a_status_that_a_function_does_not_list_is_found() {
    let header = header();
    let record = |number| [("dl_auth_info".to_owned(), BTreeSet::from([0, number]))].into();
    assert_eq!(manual::undocumented(&header, &record(-4)), Vec::<String>::new());
    assert_eq!(manual::undocumented(&header, &record(-99)), Vec::<String>::new());
    assert_eq!(manual::undocumented(&header, &record(-20)), ["dl_auth_info returned DL_AUTH_E_DENIED (-20)"]);
    let shorter = header.replacen("- DL_AUTH_E_CLOSED", "- closed", usize::MAX);
    assert_eq!(manual::undocumented(&shorter, &record(-4)), ["dl_auth_info returned DL_AUTH_E_CLOSED (-4)"]);
}

/// The declarations that the examples need from the program around them.
const AROUND: &str = "\
#include <dl_auth.h>
#include <stdio.h>
int send_request(const char *jwt); /* returns the HTTP status */
void show_status(const char *text);
";

/// The blocks of code in the comments of the header.
fn examples() -> Vec<String> {
    let header = header();
    let mut examples = Vec::new();
    for block in header.split("* ```c\n").skip(1) {
        let code = block.split("* ```\n").next().unwrap();
        let lines = code.lines().map(|line| line.trim_start().trim_start_matches('*').strip_prefix(' ').unwrap_or(""));
        examples.push(lines.collect::<Vec<_>>().join("\n") + "\n");
    }
    examples
}

#[test]
fn the_examples_compile_without_a_warning() {
    let examples = examples();
    let scratch = Scratch::new("header-examples");
    for (number, example) in examples.iter().enumerate() {
        let file = scratch.0.join(format!("example{number}.c"));
        let around = if example.contains("int main(") { "" } else { AROUND };
        fs::write(&file, format!("{around}{example}")).unwrap();
        for standard in ["-std=c99", "-std=c11", "-std=c17"] {
            let mut cc = Command::new("gcc");
            cc.args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]);
            assert_eq!(run(cc.arg("-I").arg(root().join("include")).arg(&file)), "", "{example}");
        }
    }
    // The quick start is a whole program, and the functions with a loop around them have an example.
    assert!(examples[0].contains("int main(void)"), "{}", examples[0]);
    for call in ["dl_auth_invalidate(", "dl_auth_generation(", "dl_auth_token_within(", "dl_auth_config_set("] {
        assert!(examples.iter().any(|example| example.contains(call)), "no example calls {call})");
    }
}
