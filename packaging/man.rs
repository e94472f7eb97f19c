//! Makes the manual pages from the comments of the C header. `tests/generated.rs` compares them with `packaging/man`.

use std::collections::BTreeMap;

use crate::wrap::wrap;

/// The width of the lines in the sources of the pages.
const WIDTH: usize = 66;

/// A declaration of the header, with its comment.
struct Declaration {
    comment: Vec<Block>,
    code: Vec<String>,
}

/// A part of a comment.
enum Block {
    Paragraph(String),
    Item(String),
    Heading(String),
    Code(Vec<String>),
    /// `@param` or `@return`: its word and its text.
    Tag(String, String),
}

/// The pages: the name of each file, and its text.
pub fn pages(header: &str) -> BTreeMap<String, String> {
    let version = header.split_once("#define DL_AUTH_VERSION \"").and_then(|(_, rest)| rest.split_once('"'));
    let version = version.map_or("", |(version, _)| version);
    let declarations = declarations(header);
    let functions: Vec<(&str, &Declaration)> =
        declarations.iter().filter_map(|declaration| Some((function(declaration)?, declaration))).collect();
    let mut pages: BTreeMap<String, String> =
        functions.iter().map(|(name, of)| (format!("{name}.3"), page(name, of, version))).collect();
    pages.insert("dl_auth.3".to_owned(), overview(header, &declarations, &functions, version));
    pages
}

/// The name of the function that a declaration declares.
fn function(declaration: &Declaration) -> Option<&str> {
    let first = declaration.code.first()?;
    let (before, _) = first.split_once('(')?;
    let name = before.rsplit([' ', '*']).next()?;
    (name.starts_with("dl_auth_") && !first.starts_with('#')).then_some(name)
}

/// All declarations with a separate comment, in their order.
fn declarations(header: &str) -> Vec<Declaration> {
    let mut found = Vec::new();
    let mut lines = header.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(text) = line.strip_prefix("/**") else { continue };
        let mut comment = Vec::new();
        match text.strip_suffix("*/") {
            Some(text) => comment.push(text.trim().to_owned()),
            None => comment.extend(lines.by_ref().take_while(|line| *line != " */").map(without_star)),
        }
        let mut code = Vec::new();
        let mut in_struct = false;
        for line in lines.by_ref() {
            in_struct = (in_struct || line.ends_with('{')) && !line.starts_with('}');
            code.push(line.to_owned());
            if !in_struct && (line.ends_with(';') || line.starts_with('#')) {
                break;
            }
        }
        found.push(Declaration { comment: blocks(&comment), code });
    }
    found
}

fn without_star(line: &str) -> String {
    line.strip_prefix(" * ").unwrap_or_default().to_owned()
}

/// Parses a comment.
fn blocks(lines: &[String]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut code: Option<Vec<String>> = None;
    let mut continues = false;
    for line in lines {
        let text = line.trim();
        if text.starts_with("```") {
            match code.take() {
                Some(lines) => blocks.push(Block::Code(lines)),
                None => code = Some(Vec::new()),
            }
            continues = false;
        } else if let Some(code) = &mut code {
            code.push(line.clone());
        } else if text.is_empty() {
            continues = false;
        } else if let Some(text) = line.strip_prefix("- ") {
            blocks.push(Block::Item(text.to_owned()));
            continues = true;
        } else if let Some(tag) = line.strip_prefix('@') {
            let (word, text) = tag.split_once(' ').unwrap_or((tag, ""));
            blocks.push(Block::Tag(word.to_owned(), text.to_owned()));
            continues = true;
        } else if !continues && text.len() > 2 && text.chars().all(|c| c.is_ascii_uppercase()) {
            blocks.push(Block::Heading(text.to_owned()));
        } else {
            match blocks.last_mut() {
                Some(Block::Paragraph(before) | Block::Item(before) | Block::Tag(_, before)) if continues => {
                    *before = format!("{before} {text}").trim().to_owned();
                }
                _ => blocks.push(Block::Paragraph(text.to_owned())),
            }
            continues = true;
        }
    }
    blocks
}

/// Escapes text for troff. With `marked`, text in backquotes becomes bold.
fn escaped(text: &str, marked: bool) -> String {
    let mut made = String::new();
    let mut bold = false;
    for character in text.chars() {
        match character {
            '`' if marked => {
                bold = !bold;
                made += if bold { "\\fB" } else { "\\fR" };
            }
            '\\' => made += "\\e",
            '-' => made += "\\-",
            '\'' => made += "\\(aq",
            '`' => made += "\\(ga",
            '^' => made += "\\(ha",
            '~' => made += "\\(ti",
            other => made.push(other),
        }
    }
    made
}

/// A paragraph. A line must not begin with a dot, which would be a command.
fn text(of: &str) -> String {
    wrap(of, WIDTH).iter().map(|line| guarded(&escaped(line, true))).collect()
}

fn guarded(line: &str) -> String {
    format!("{}{line}\n", if line.starts_with('.') { "\\&" } else { "" })
}

fn code<'a>(lines: impl IntoIterator<Item = &'a String>) -> String {
    let lines: String = lines.into_iter().map(|line| guarded(&escaped(line, false))).collect();
    format!(".nf\n{lines}.fi\n")
}

fn section(name: &str) -> String {
    format!(".SH {name}\n")
}

/// The text of blocks. A paragraph directly after a heading needs no command.
fn body(of: &[Block]) -> String {
    let mut made = String::new();
    for block in of {
        let begin = if made.is_empty() || made.lines().next_back().is_some_and(|line| line.starts_with(".SH")) {
            ""
        } else {
            ".PP\n"
        };
        made += &match block {
            Block::Paragraph(paragraph) => begin.to_owned() + &text(paragraph),
            Block::Item(item) => match item.split_once(": ") {
                Some((term, rest)) if !term.contains(' ') || term == "minimum interval" || term == "valid, expired" => {
                    format!(".TP\n{}{}", text(&format!("`{term}`")), text(rest))
                }
                _ => format!(".IP \\(bu 2\n{}", text(item)),
            },
            Block::Heading(name) => section(name),
            Block::Code(lines) => format!("{begin}.RS 4\n{}.RE\n", code(lines)),
            Block::Tag(..) => String::new(),
        };
    }
    made
}

fn head(name: &str, version: &str, about: &str) -> String {
    let about = about.split(". ").next().unwrap_or_default().trim_end_matches('.');
    let mut letters = about.chars();
    let about: String = letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect();
    let about = escaped(&about.replace('`', ""), false);
    format!(
        ".\\\" Made from include/dl_auth.h by `make generate`. Do not edit.\n\
         .TH {} 3 \"\" \"dl_auth {version}\" \"dl_auth manual\"\n\
         .nh\n.ad l\n\
         .SH NAME\n{name} \\- {about}\n\
         .SH SYNOPSIS\n",
        name.to_ascii_uppercase()
    )
}

/// The page of a function.
fn page(name: &str, of: &Declaration, version: &str) -> String {
    let about = match of.comment.first() {
        Some(Block::Paragraph(first)) => first.as_str(),
        _ => "",
    };
    let mut made = head(name, version, about);
    made += ".nf\n.B #include <dl_auth.h>\n.fi\n.PP\n";
    made += &code(&of.code);
    let mut description = Vec::new();
    let (mut parameters, mut result, mut notes, mut since) = (String::new(), String::new(), String::new(), "");
    let mut in_result = false;
    for block in &of.comment {
        match block {
            Block::Tag(word, rest) if word.starts_with("param") => {
                let (parameter, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                parameters += &format!(".TP\n{}{}", text(&format!("`{parameter}`")), text(rest));
            }
            Block::Tag(word, rest) if word == "return" => {
                in_result = true;
                result += &text(rest);
            }
            Block::Tag(word, rest) if word == "since" => since = rest,
            Block::Item(_) if in_result => result += &body(std::slice::from_ref(block)),
            Block::Paragraph(paragraph) => match paragraph.split_once(": ") {
                Some((word @ ("Ownership" | "Threads" | "Blocking"), rest)) => {
                    in_result = false;
                    let begin = if notes.is_empty() { "" } else { ".PP\n" };
                    notes += &format!("{begin}{}", text(&format!("`{word}:` {rest}")));
                }
                _ => description.push(block),
            },
            _ => description.push(block),
        }
    }
    made += &section("DESCRIPTION");
    let mut first = true;
    for block in description {
        let part = body(std::slice::from_ref(block));
        if !first && !part.starts_with('.') || matches!(block, Block::Code(_)) {
            made += ".PP\n";
        }
        made += &part;
        first = false;
    }
    for (name, part) in [("PARAMETERS", parameters), ("RETURN VALUE", result), ("NOTES", notes)] {
        if !part.is_empty() {
            made += &(section(name) + &part);
        }
    }
    made + &section("HISTORY") + &text(&format!("Since dl_auth {since}.")) + &section("SEE ALSO") + ".BR dl_auth (3)\n"
}

/// The page of the library: what the header says before its first declaration, the options, the types and constants,
/// and the names of all functions.
fn overview(header: &str, all: &[Declaration], functions: &[(&str, &Declaration)], version: &str) -> String {
    let lines = |begin: &str| -> Vec<String> {
        let (_, rest) = header.split_once(begin).unwrap_or_default();
        rest.lines().skip(1).take_while(|line| *line != " */").map(without_star).collect()
    };
    let words =
        |line: &String| line.replace("This header writes", "This page writes").replace("in backquotes", "in bold");
    let mut introduction = blocks(&lines("").iter().map(words).collect::<Vec<_>>());
    introduction.retain(|block| !matches!(block, Block::Paragraph(text) if text.contains("`make generate`")));
    let about = match introduction.first() {
        Some(Block::Paragraph(first)) => first.replacen("dl_auth: ", "", 1),
        _ => String::new(),
    };
    let mut made = head("dl_auth", version, &about);
    made += ".nf\n.B #include <dl_auth.h>\n.fi\n.PP\n.nf\n";
    for (name, _) in functions {
        made += &format!(".BR {name} (3)\n");
    }
    made += ".fi\n";
    made += &section("DESCRIPTION");
    made += &body(&introduction);

    made += &section("OPTIONS");
    made += "The keys of\n.BR dl_auth_config_set (3):\n";
    let mut option = String::new();
    for line in lines("/*\n * Options").iter().chain([&String::new()]) {
        if let Some(more) = line.strip_prefix("    ") {
            option += &format!("{}{more}", if option.is_empty() { "" } else { " " });
        } else {
            if !option.is_empty() {
                made += &text(&std::mem::take(&mut option));
            }
            if !line.is_empty() {
                made += &format!(".TP\n{}", text(&format!("`{line}`")));
            }
        }
    }
    made += &section("CONSTANTS");
    for (of, line) in all.iter().filter_map(|of| Some((of, of.code.first()?.strip_prefix("#define ")?))) {
        made += &format!(".TP\n{}", text(&format!("`{line}`")));
        made += &body(&of.comment);
    }
    made += &section("TYPES");
    for of in all.iter().filter(|of| of.code.first().is_some_and(|line| line.starts_with("typedef"))) {
        made += &format!(".PP\n{}.PP\n{}", code(&of.code), body(&of.comment));
    }
    made.replace(".SH TYPES\n.PP\n", ".SH TYPES\n")
}
