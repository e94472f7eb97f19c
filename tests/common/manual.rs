//! Reads the documentation of the functions in `include/dl_auth.h`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::header;

/// A function of the header.
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its type, such as `dl_auth_status_t`.
    pub returns: String,
    /// The names of its parameters.
    pub parameters: Vec<String>,
    /// The lines of the comment before it, without the stars.
    pub lines: Vec<String>,
}

impl Function {
    /// The statuses in its list: `- DL_AUTH_E_X: condition`.
    pub fn statuses(&self) -> BTreeSet<&str> {
        let items = self.lines.iter().filter_map(|line| line.strip_prefix("- ")?.split_once(": "));
        items.map(|(status, _)| status).filter(|status| status.starts_with("DL_AUTH_")).collect()
    }
}

/// The functions of a header, in the order of the header.
pub fn functions(header: &str) -> Vec<Function> {
    let comments = header.split("/**").skip(1).filter_map(|rest| rest.split_once("*/"));
    comments.filter_map(|(comment, code)| function(comment, code.trim())).collect()
}

fn function(comment: &str, code: &str) -> Option<Function> {
    let (before, after) = code.split_once(';')?.0.split_once('(')?;
    let words =
        |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect::<Vec<_>>();
    let name = words(before).pop().filter(|name| name.starts_with("dl_auth_"))?;
    if code.starts_with('#') || code.starts_with("typedef") {
        return None;
    }
    let parameters = after.strip_suffix(')')?.split(',').filter_map(|parameter| words(parameter).pop());
    Some(Function {
        returns: before.strip_suffix(&name)?.trim().to_owned(),
        parameters: parameters.filter(|name| name != "void").collect(),
        lines: comment
            .lines()
            .map(|line| line.trim().trim_start_matches('*').strip_prefix(' ').unwrap_or("").to_owned())
            .collect(),
        name,
    })
}

/// The name of each status by its number.
pub fn statuses(header: &str) -> BTreeMap<i32, String> {
    let defined = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once(' '));
    let statuses = defined.filter(|(name, _)| *name == "DL_AUTH_OK" || name.starts_with("DL_AUTH_E_"));
    let number = |value: &str| value.trim_matches(['(', ')']).parse().expect("a status is a number");
    statuses.map(|(name, value)| (number(value), name.to_owned())).collect()
}

/// The status that each function can return. It is in no list, because the conventions at the top of the header
/// describe it.
const INTERNAL: &str = "DL_AUTH_E_INTERNAL";

/// The record that a program of `tests/c/` writes to the file in CHECK_STATUSES (`struct returned` of `check.h`): each
/// function, and the statuses that it returned.
pub fn recorded(file: &Path) -> BTreeMap<String, BTreeSet<i32>> {
    const ROW: usize = 32 + 128;
    let record = std::fs::read(file).expect("the program records the statuses");
    assert!(!record.is_empty() && record.chunks_exact(ROW).remainder().is_empty(), "{} bytes", record.len());
    record
        .chunks(ROW)
        .map(|row| {
            let (function, statuses) = row.split_at(32);
            let function = String::from_utf8_lossy(function).trim_end_matches('\0').to_owned();
            let returned = (0..).zip(statuses).filter(|(_, seen)| **seen == 1).map(|(number, _): (i32, _)| -number);
            (function, returned.collect())
        })
        .collect()
}

/// The parts of a record that the header does not document: functions that the header does not have, and statuses that
/// a function returned but that are not in its list.
pub fn undocumented(header: &str, record: &BTreeMap<String, BTreeSet<i32>>) -> Vec<String> {
    let (functions, names) = (functions(header), statuses(header));
    let mut missing = Vec::new();
    for (name, returned) in record {
        let Some(function) = functions.iter().find(|function| function.name == *name) else {
            missing.push(format!("there is no function {name}"));
            continue;
        };
        for number in returned {
            let status = names.get(number).map_or("a status without a name", String::as_str);
            if status != INTERNAL && !function.statuses().contains(status) {
                missing.push(format!("{name} returned {status} ({number})"));
            }
        }
    }
    missing
}

/// Asserts that the header documents each status that a program of `tests/c/` got from each function.
pub fn assert_documented(program: &str, file: &Path) {
    let (header, record) = (header(), recorded(file));
    let missing = undocumented(&header, &record);
    assert!(missing.is_empty(), "include/dl_auth.h does not list: {missing:#?}");

    let declared = functions(&header).into_iter().filter(|function| function.returns == "dl_auth_status_t");
    let declared: BTreeSet<String> = declared.map(|function| function.name).collect();
    assert_eq!(record.keys().cloned().collect::<BTreeSet<_>>(), declared, "the functions that check.h records");

    // Checks that the record is not always empty. `cancel` calls each function, `header` calls no function of the
    // record, and `unload` calls the functions by their addresses.
    let silent: Vec<_> = record.iter().filter(|(_, returned)| returned.is_empty()).map(|(name, _)| name).collect();
    match program {
        "cancel" => assert!(silent.is_empty(), "{program} recorded nothing for {silent:?}"),
        "header" | "unload" => {}
        _ => assert!(silent.len() < record.len(), "{program} recorded nothing"),
    }
}
