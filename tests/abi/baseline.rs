//! The ABI against the committed one, `tests/abi/dl_auth.abi.xml`.
//!
//! The committed ABI is what abidw reads from the debug information of the declarations (`include/dl_auth.cdef.h`): a C
//! compiler makes a library of them whose functions do nothing. abidiff compares it with today's declarations. The
//! built library must have the same functions and structs: they are read from its full debug information.
//!
//! The debug information of Rust cannot be the committed ABI. It contains the paths of Rust modules and no `const`, and
//! abidiff 2.2 does not read its own dump of it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Scratch, panicking_library, root, run, symbols};

/// What happens to a program that was linked with the old library and gets the new one.
#[derive(Debug, PartialEq)]
enum Change {
    None,
    /// It works. A program that uses what is new does not work with the old library.
    Addition,
    Breaking,
}
use Change::{Addition, Breaking};

fn declarations() -> String {
    fs::read_to_string(root().join("include/dl_auth.cdef.h")).unwrap()
}

/// Dumps the ABI that a library's debug information describes.
fn abidw(options: &[&str], library: &Path) -> String {
    let mut abidw = Command::new("abidw");
    abidw.args(["--no-show-locs", "--no-corpus-path", "--no-comp-dir-path", "--no-elf-needed", "--no-architecture"]);
    run(abidw.args(["--no-parameter-names", "--type-id-style", "hash"]).args(options).arg(library))
}

/// The ABI of declarations without a preprocessor.
fn abi_of(declarations: &str, soname: &str) -> String {
    let scratch = Scratch::new(&format!("abi-{:?}", std::thread::current().id()));
    let (source, library) = (scratch.0.join("declarations.c"), scratch.0.join("library.so"));
    let mut program = String::new();
    // The headers of the C library would add other types to the dump.
    for (name, builtin) in
        [("int32_t", "INT32"), ("uint32_t", "UINT32"), ("int64_t", "INT64"), ("uint64_t", "UINT64"), ("size_t", "SIZE")]
    {
        writeln!(program, "typedef __{builtin}_TYPE__ {name};").unwrap();
    }
    // Each constant is a separate enum, because abidiff 2.2 does not see that two values of one enum are exchanged.
    let mut is_enum = false;
    for line in declarations.split_once("*/").unwrap().1.lines() {
        match line.trim_end_matches(',').trim().split_once(" = ") {
            // It grows with each addition.
            Some(("DL_AUTH_ABI_VERSION", _)) => {}
            Some((name, value)) if is_enum => {
                writeln!(program, "enum value_of_{name} {{ {name} = {value} }};").unwrap()
            }
            _ if line == "enum {" => is_enum = true,
            _ if is_enum => is_enum = line != "};",
            _ => program += &(line.replace(");", ") { __builtin_trap(); }") + "\n"),
        }
    }
    fs::write(&source, program).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-Wall", "-Werror", "-g", "-gdwarf-4", "-O0", "-fno-eliminate-unused-debug-types"]);
    gcc.args(["-fPIC", "-shared", "-nostdlib", &format!("-Wl,-soname,{soname}")]);
    run(gcc.current_dir(&scratch.0).arg("declarations.c").arg("-o").arg(&library));
    abidw(&["--load-all-types"], &library)
}

/// The name by which programs load the library.
const SONAME: &str = "libdl_auth.so.0";

/// Compares two ABIs. Returns also the report of abidiff.
fn compare(old: &str, new: &str) -> (Change, String) {
    let (change, report) = abidiff(old, new);
    // The library fills only the fields that the program's struct has, so a struct may grow at its end.
    match change {
        Breaking => match without_added_fields(old, new) {
            Some(shorter) if abidiff(old, &shorter).0 != Breaking => (Addition, report),
            _ => (Breaking, report),
        },
        _ => (change, report),
    }
}

fn abidiff(old: &str, new: &str) -> (Change, String) {
    let scratch = Scratch::new(&format!("abidiff-{:?}", std::thread::current().id()));
    let mut abidiff = Command::new("abidiff");
    // Without these options, abidiff passes over a field with another name, and over constants.
    abidiff.args(["--harmless", "--non-reachable-types"]);
    for (name, text) in [("old.xml", old), ("new.xml", new)] {
        fs::write(scratch.0.join(name), text).unwrap();
        abidiff.arg(scratch.0.join(name));
    }
    let output = abidiff.output().unwrap_or_else(|error| panic!("abidiff: {error}; `make setup` installs it"));
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    // The exit code has a bit for each of: an error, a wrong option, a change, an incompatible change. A changed
    // argument does not set the last bit.
    let change = match output.status.code() {
        Some(0) => Change::None,
        Some(4) if counts(&report).into_iter().all(|(what, count)| what == "added" || count == 0) => Addition,
        Some(4 | 12) => Breaking,
        _ => panic!("abidiff: {output:?}"),
    };
    (change, report)
}

/// The numbers in abidiff's summaries, such as `Functions changes summary: 0 Removed, 1 Changed, 0 Added function`.
fn counts(report: &str) -> Vec<(String, u32)> {
    let summaries = report.lines().filter_map(|line| line.split_once(" summary: "));
    let numbers = summaries.flat_map(|(_, numbers)| numbers.split(", ")).map(|number| {
        let (count, what) = number.split_once(' ').unwrap();
        (what.split(' ').next().unwrap().to_lowercase(), count.parse().unwrap())
    });
    let numbers: Vec<_> = numbers.collect();
    assert_eq!(numbers.len(), 9, "the summaries of functions, variables and types: {report}");
    numbers
}

/// The new ABI with the structs of the old one, if they differ only by fields at their ends.
fn without_added_fields(old: &str, new: &str) -> Option<String> {
    let mut shorter = new.to_owned();
    for (name, before) in structs(old) {
        let after = structs(new).remove(name)?;
        let fields = |text: &'_ str| text.split_once('\n').map(|(_, fields)| fields.to_owned());
        if let (Some(before_fields), Some(after_fields)) = (fields(before), fields(after)) {
            after_fields.strip_prefix(&before_fields)?;
            shorter = shorter.replace(after, before);
        }
    }
    Some(shorter)
}

/// The structs of a dump by name: the line with the size and the lines of the fields.
fn structs(abi: &str) -> BTreeMap<&str, &str> {
    let mut structs = BTreeMap::new();
    for (start, _) in abi.match_indices("<class-decl ") {
        let line = abi[start..].lines().next().unwrap();
        let is_empty = line.ends_with("/>");
        let end = if is_empty { line.len() } else { abi[start..].find("</class-decl>").unwrap() };
        structs.insert(attribute(line, "name"), abi[start..start + end].trim_end());
    }
    structs
}

fn attribute<'a>(line: &'a str, name: &str) -> &'a str {
    let value = line.split_once(&format!(" {name}='")).and_then(|(_, rest)| rest.split_once('\''));
    value.unwrap_or_else(|| panic!("no {name} in {line}")).0
}

/// The functions of a dump and the fields of some structs, in the words of C and without `typedef` and `const`. So a
/// dump of C and a dump of Rust can be equal.
fn plain(abi: &str, with: &[&str]) -> BTreeMap<String, String> {
    let with_id = abi.lines().filter(|line| line.contains(" id='"));
    let types: HashMap<&str, &str> = with_id.map(|line| (attribute(line, "id"), line.trim())).collect();
    let mut plain = BTreeMap::new();
    let (mut function, mut parameters) = ("", Vec::new());
    for line in abi.lines().map(str::trim) {
        if line.starts_with("<function-decl ") {
            (function, parameters) = (attribute(line, "name"), Vec::new());
        } else if !function.starts_with("dl_auth_") {
            // a method of Rust
        } else if line.starts_with("<parameter ") {
            parameters.push(name_of(&types, attribute(line, "type-id")));
        } else if line.starts_with("<return ") {
            let returns = name_of(&types, attribute(line, "type-id"));
            plain.insert(function.to_owned(), format!("{returns} ({})", parameters.join(", ")));
        }
    }
    let structs = structs(abi);
    for name in with {
        let found = structs.get(name).unwrap_or_else(|| panic!("no {name} in the dump; {HAS_NO_TYPES}"));
        let lines: Vec<&str> = found.lines().map(str::trim).collect();
        let mut text = format!("{} bits", attribute(lines[0], "size-in-bits"));
        for pair in lines.windows(2).filter(|pair| pair[0].starts_with("<data-member ")) {
            let (at, kind) = (attribute(pair[0], "layout-offset-in-bits"), attribute(pair[1], "type-id"));
            write!(text, "; {} at {at}: {}", attribute(pair[1], "name"), name_of(&types, kind)).unwrap();
        }
        plain.insert((*name).to_owned(), text);
    }
    plain
}

fn name_of(types: &HashMap<&str, &str>, id: &str) -> String {
    let line = types[id];
    let inner = || name_of(types, attribute(line, "type-id"));
    match line[1..].split(' ').next().unwrap() {
        "typedef-decl" | "qualified-type-def" => inner(),
        "pointer-type-def" => inner() + "*",
        "array-type-def" => format!("{}[{} bits]", inner(), attribute(line, "size-in-bits")),
        "class-decl" => attribute(line, "name").to_owned(),
        "type-decl" => match attribute(line, "name") {
            "i8" if cfg!(target_arch = "x86_64") => "char",
            "u8" if cfg!(target_arch = "aarch64") => "char",
            "i32" => "int",
            "u32" => "unsigned int",
            "i64" => "long int",
            "u64" | "usize" => "unsigned long int",
            other => other,
        }
        .to_owned(),
        other => panic!("a type of the kind {other}"),
    }
}

const HAS_NO_TYPES: &str = "does the library have full debug information (CARGO_PROFILE_DEV_DEBUG)?";

/// The structs of the C API that have fields.
const STRUCTS: [&str; 2] = ["dl_auth_error_t", "dl_auth_info_t"];

#[test]
fn the_declarations_have_the_committed_abi() {
    let path: PathBuf = root().join("tests/abi/dl_auth.abi.xml");
    let is_written = std::env::var_os("DL_AUTH_WRITE").is_some();
    let new = abi_of(&declarations(), SONAME);
    if is_written && !path.exists() {
        fs::write(&path, &new).unwrap();
    }
    let old = fs::read_to_string(&path).unwrap();
    match compare(&old, &new) {
        (Breaking, report) => {
            panic!("this breaks programs that use {SONAME}; undo it, or see \"A new SONAME\" in docs/abi.md\n{report}")
        }
        _ if is_written => fs::write(&path, &new).unwrap(),
        (Addition, report) => panic!("this adds to the ABI; see \"An addition\" in docs/abi.md\n{report}"),
        (Change::None, _) => {}
    }
}

#[test]
fn the_committed_abi_and_the_library_have_each_exported_function_and_the_same_types() {
    let committed = fs::read_to_string(root().join("tests/abi/dl_auth.abi.xml")).unwrap();
    let built = abidw(&[], &panicking_library().join("libdl_auth.so"));
    assert!([&committed, &built].iter().all(|abi| abi.contains(&format!(" soname='{SONAME}'"))));
    let committed = plain(&committed, &STRUCTS);
    let mut built = plain(&built, &STRUCTS);
    built.retain(|name, _| !name.starts_with("dl_auth_test_"));
    for dump in [&committed, &built] {
        let functions: Vec<&String> = dump.keys().filter(|name| !STRUCTS.contains(&name.as_str())).collect();
        assert_eq!(
            functions,
            symbols().keys().collect::<Vec<_>>(),
            "the functions with types, and tests/abi/dl_auth.symbols; {HAS_NO_TYPES}"
        );
    }
    for (name, wanted) in &committed {
        assert_eq!(built.get(name), Some(wanted), "{name} in the library, and in the committed ABI");
    }
}

/// Edits of the declarations: the text, what replaces it, and what that means for a program.
const EDITS: [(&str, &str, Change); 20] = [
    // Functions.
    ("uint64_t wait_ms,\n", "uint32_t wait_ms,\n", Breaking),
    ("int64_t *unix_seconds", "uint64_t *unix_seconds", Breaking),
    ("const char *key,\n", "char *key,\n", Breaking),
    ("uint64_t dl_auth_generation(", "uint32_t dl_auth_generation(", Breaking),
    ("dl_auth_info_t *info,\n", "dl_auth_error_t *info,\n", Breaking),
    ("const char *dl_auth_version(void);", "", Breaking),
    ("const char *dl_auth_version(void);", "const char *dl_auth_version(void); int dl_auth_added(void);", Addition),
    ("const char *key,\n", "const char *name,\n", Change::None),
    // Structs.
    ("} dl_auth_info_t;", "  uint64_t more; $0", Addition),
    ("} dl_auth_error_t;", "  uint32_t more[2]; $0", Addition),
    ("uint64_t logins;", "uint64_t more; $0", Breaking),
    ("char message[512];", "char message[520];", Breaking),
    ("int32_t activity;", "uint32_t activity;", Breaking),
    ("uint64_t logins;\n  uint64_t refreshes;", "uint64_t refreshes;\n  uint64_t logins;", Breaking),
    ("  uint64_t wait_ms;\n", "", Breaking),
    // Constants.
    ("DL_AUTH_E_CLOSED = -4", "DL_AUTH_E_CLOSED = -5", Breaking),
    ("STATE_FRESH = 1,\n  DL_AUTH_STATE_DUE = 2", "STATE_DUE = 1,\n  DL_AUTH_STATE_FRESH = 2", Breaking),
    ("  DL_AUTH_E_TLS = -40,\n", "", Breaking),
    ("  DL_AUTH_E_TLS = -40,\n", "$0  DL_AUTH_E_ADDED = -98,\n", Addition),
    ("DL_AUTH_ABI_VERSION = ", "DL_AUTH_ABI_VERSION = 9", Change::None),
];

#[test]
fn each_kind_of_change_is_found() {
    let declarations = declarations();
    let old = abi_of(&declarations, SONAME);
    for (text, instead, change) in EDITS {
        let edited = declarations.replacen(text, &instead.replace("$0", text), 1);
        assert!(edited != declarations, "the declarations have no {text:?}");
        let new = abi_of(&edited, SONAME);
        let (found, report) = compare(&old, &new);
        assert_eq!(found, change, "{text:?} became {instead:?}:\n{report}");
        // The comparison with the built library finds the same, except constants, names of parameters and `const`.
        let is_in_c_only = text.contains(" = ") || text.starts_with("const char *key");
        assert_eq!(plain(&new, &STRUCTS) != plain(&old, &STRUCTS), !is_in_c_only, "{text:?} became {instead:?}");
    }
    assert_eq!(compare(&old, &abi_of(&declarations, "libdl_auth.so.1")).0, Breaking);
    // A struct that grows hides no other change.
    let grown = declarations.replace("} dl_auth_info_t;", "  uint64_t at_the_end;\n} dl_auth_info_t;");
    for (text, instead, _) in EDITS.iter().filter(|(_, _, change)| *change == Breaking) {
        let edited = grown.replacen(text, &instead.replace("$0", text), 1);
        assert_eq!(compare(&old, &abi_of(&edited, SONAME)).0, Breaking, "{text:?} in a struct that grows");
    }
}
