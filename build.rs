//! Generates the C header into `OUT_DIR` from `src/capi/`, the table of options and the list of statuses. Also
//! generates the declarations for tools without a preprocessor, and sets the build date of the library.
//!
//! This script writes nothing into the source tree: `make generate` copies both files to `include/`, and a test fails
//! if they differ.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, fs};

#[path = "src/options.rs"]
#[allow(dead_code)] // the library uses more of this file
mod options;
#[path = "src/status.rs"]
#[allow(dead_code)]
mod status;
#[path = "packaging/wrap.rs"]
mod wrap;

use options::OPTIONS;
use status::STATUSES;
use wrap::wrap;

/// The width of the headers, in columns.
const WIDTH: usize = 80;

/// The source files, in the order of the header.
const SOURCES: [&str; 6] = ["handle.rs", "auth.rs", "config.rs", "error.rs", "info.rs", "jwt.rs"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=cbindgen.toml");
    println!("cargo::rerun-if-changed=src/capi");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rustc-env=DL_AUTH_BUILT_AT={}", built_at()?);
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    let part = |name: &str| env::var(format!("CARGO_PKG_VERSION_{name}"));
    config.after_includes = Some(format!(
        "\n{}\n/* The version of this header; dl_auth_version() returns the library's. */\n\
         #define DL_AUTH_VERSION \"{}\"\n\
         #define DL_AUTH_VERSION_MAJOR {}\n\
         #define DL_AUTH_VERSION_MINOR {}\n\
         #define DL_AUTH_VERSION_PATCH {}\n\n\
         #ifdef __cplusplus\n\
         extern \"C\" {{\n\
         #endif",
        chapter_of_options(),
        env::var("CARGO_PKG_VERSION")?,
        part("MAJOR")?,
        part("MINOR")?,
        part("PATCH")?,
    ));
    let declarations = cbindgen::Config {
        header: Some(DECLARATIONS.to_owned()),
        after_includes: None,
        trailer: None,
        sys_includes: Vec::new(),
        documentation: false,
        ..config.clone()
    };
    fs::write(out.join("dl_auth.h"), generate(&root, config, true)?)?;
    fs::write(out.join("dl_auth.cdef.h"), without_preprocessor(&generate(&root, declarations, false)?))?;
    Ok(())
}

const DECLARATIONS: &str = "\
/*
 * The declarations of dl_auth.h for tools without a preprocessor: cffi, LuaJIT
 * and PHP FFI. These tools define size_t, uint32_t and similar types. In PHP:
 *   FFI::cdef(file_get_contents(\"dl_auth.cdef.h\"), \"libdl_auth.so.0\")
 * and not FFI::load. Before a call, set the field `size` of a struct to its
 * size. dl_auth.h is the manual.
 *
 * `make generate` makes this file from src/capi/. Do not edit it.
 */";

fn generate(root: &Path, config: cbindgen::Config, documented: bool) -> Result<String, Box<dyn Error>> {
    let builder = SOURCES.iter().fold(cbindgen::Builder::new().with_config(config), |builder, source| {
        builder.with_src(root.join("src/capi").join(source))
    });
    let mut header = Vec::new();
    builder.generate()?.write(&mut header);
    let header = tidy(&String::from_utf8(header)?);
    let ok = "#define DL_AUTH_OK 0\n";
    let (before, after) = header.split_once(ok).ok_or("cbindgen did not write DL_AUTH_OK")?;
    Ok(wrap_comments(&[before, ok, &statuses(documented), after].concat()))
}

/// The constants of the statuses.
fn statuses(documented: bool) -> String {
    let mut text = String::new();
    for status in STATUSES {
        text += "\n";
        if documented {
            text += &format!("/** {} {} */\n", status.condition, status.advice);
        }
        text += &format!("#define {} ({})\n", status.name, status.number);
    }
    text
}

/// The chapter of the header with the table of options.
fn chapter_of_options() -> String {
    let mut text = "/*\n * Options: the keys of dl_auth_config_set.\n".to_owned();
    for option in OPTIONS {
        text += &format!(" *\n * {}\n", option.name);
        let form = format!("Must be {}.", option.form());
        let others = format!("Default: {}. Environment: {}.", option.default(), option.variable());
        for line in [option.description(), form, others].iter().flat_map(|part| wrap(part, WIDTH - 7)) {
            text += &format!(" *     {line}\n");
        }
    }
    text + " */\n"
}

/// Turns each group of `#define` lines into an `enum`.
fn without_preprocessor(header: &str) -> String {
    let mut declarations = String::new();
    let mut constants: Vec<String> = Vec::new();
    for line in header.lines() {
        if let Some((name, value)) = line.strip_prefix("#define ").and_then(|line| line.split_once(' ')) {
            constants.push(format!("  {name} = {}", value.trim_matches(['(', ')'])));
        } else if !(line.is_empty() && (!constants.is_empty() || declarations.ends_with("\n\n"))) {
            if !constants.is_empty() {
                declarations += &format!("enum {{\n{}\n}};\n\n", constants.join(",\n"));
                constants.clear();
            }
            declarations += line;
            declarations += "\n";
        }
    }
    declarations
}

/// 1 January 2025 in Unix seconds. The source code is not older than this.
const NOT_BEFORE: u64 = 1_735_689_600;

/// The build date in Unix seconds: `SOURCE_DATE_EPOCH`, so that two builds can be equal byte by byte. Without this
/// variable: the current time. A date before `NOT_BEFORE` is a placeholder of the build tool, or the clock is wrong.
fn built_at() -> Result<u64, Box<dyn Error>> {
    let seconds = match env::var("SOURCE_DATE_EPOCH").ok().filter(|seconds| !seconds.is_empty()) {
        Some(seconds) => seconds.parse().map_err(|error| format!("SOURCE_DATE_EPOCH={seconds}: {error}"))?,
        None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs(),
    };
    Ok(seconds.max(NOT_BEFORE))
}

/// Does what cbindgen has no setting for. It puts a negative number in parentheses, because `5 X` would be a
/// subtraction otherwise. It puts a comment of one line on one line, and names types by their `typedef`.
fn tidy(header: &str) -> String {
    let mut tidied: Vec<String> = Vec::new();
    for line in header.lines() {
        let before = tidied.len().saturating_sub(2);
        if line.trim() == "*/" && tidied.get(before).is_some_and(|opening| opening.trim() == "/**") {
            let text = tidied.pop().unwrap_or_default();
            let opening = tidied.pop().unwrap_or_default();
            tidied.push(format!("{opening} {} */", text.trim().trim_start_matches("* ")));
        } else if let Some((name, number)) = line.strip_prefix("#define ").and_then(|line| line.split_once(" -")) {
            tidied.push(format!("#define {name} (-{number})"));
        } else if line.starts_with("typedef struct") {
            tidied.push(line.to_owned());
        } else {
            tidied.push(line.replace("struct dl_auth_", "dl_auth_"));
        }
    }
    tidied.join("\n") + "\n"
}

/// Wraps the documentation comments at [`WIDTH`], because the sources are wider. Code between fences and rows of tables
/// stay as they are.
fn wrap_comments(header: &str) -> String {
    let mut wrapped: Vec<String> = Vec::new();
    let mut comment: Option<Vec<&str>> = None;
    for line in header.lines() {
        let indent = " ".repeat(line.len() - line.trim_start().len());
        match (&mut comment, line.trim()) {
            (None, "/**") => comment = Some(Vec::new()),
            (None, text) if text.starts_with("/**") && line.len() > WIDTH => {
                let text = text.trim_start_matches("/**").trim_end_matches("*/").trim();
                push_comment(&mut wrapped, &indent, &[text]);
            }
            (None, _) => wrapped.push(line.to_owned()),
            (Some(lines), "*/") => {
                push_comment(&mut wrapped, indent.get(1..).unwrap_or_default(), lines);
                comment = None;
            }
            (Some(lines), text) => {
                let text = text.strip_prefix('*').unwrap_or(text);
                lines.push(text.strip_prefix(' ').unwrap_or(text));
            }
        }
    }
    wrapped.join("\n") + "\n"
}

fn push_comment(header: &mut Vec<String>, indent: &str, lines: &[&str]) {
    let width = WIDTH - indent.len() - " * ".len();
    header.push(format!("{indent}/**"));
    header.extend(wrap_paragraphs(lines, width).iter().map(|line| format!("{indent} * {line}").trim_end().to_owned()));
    header.push(format!("{indent} */"));
}

/// Wraps paragraphs, list items, and tags such as `@param`.
fn wrap_paragraphs(lines: &[&str], width: usize) -> Vec<String> {
    let (mut wrapped, mut paragraph, mut in_code) = (Vec::new(), String::new(), false);
    for line in lines {
        let fence = line.starts_with("```");
        let verbatim = fence || in_code || line.is_empty() || line.starts_with('|');
        if verbatim || line.starts_with("- ") || line.starts_with('@') {
            push_paragraph(&mut wrapped, &std::mem::take(&mut paragraph), width);
        }
        if verbatim {
            wrapped.push((*line).to_owned());
            in_code ^= fence;
        } else {
            paragraph += if paragraph.is_empty() { "" } else { " " };
            paragraph += line.trim();
        }
    }
    push_paragraph(&mut wrapped, &paragraph, width);
    wrapped
}

/// Wraps one paragraph. All lines after the first one of a list item or a tag are indented.
fn push_paragraph(wrapped: &mut Vec<String>, paragraph: &str, width: usize) {
    if paragraph.is_empty() {
        return;
    }
    let hang = if paragraph.starts_with("- ") || paragraph.starts_with('@') { "  " } else { "" };
    let lines = wrap(paragraph, width - hang.len());
    wrapped.extend(
        lines.iter().enumerate().map(|(nth, line)| if nth == 0 { line.clone() } else { format!("{hang}{line}") }),
    );
}
