//! The environment that `dl_auth_new` reads: the variables of the process, or an array that the program passes.
//!
//! A program that changes its environment passes a copy, because C has no lock between `getenv` and `setenv`. In this
//! case, nothing here reads the environment of the process. Only the variables of dl_auth are copied. All copies are
//! wiped.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Status};

/// The variables without the prefix `DL_AUTH_` that options are read from.
const OTHERS: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The variables that a program passes. Only those of dl_auth are kept.
#[derive(Clone, Default)]
pub struct Environ(BTreeMap<String, Value>);

/// A value, wiped when dropped.
#[derive(Clone)]
pub struct Value(OsString);

impl Value {
    /// Takes ownership of a value; makes no copy. `None`: it is empty, which counts as unset.
    pub fn new(value: OsString) -> Option<Value> {
        (!value.is_empty()).then_some(Value(value))
    }

    /// The value as a path, which need not be UTF-8.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(&self.0)
    }

    /// The value as text; `None`: it is not UTF-8.
    pub fn text(&self) -> Option<Zeroizing<String>> {
        self.0.to_str().map(|text| Zeroizing::new(text.to_owned()))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        std::mem::take(&mut self.0).into_encoded_bytes().zeroize();
    }
}

impl Environ {
    /// Reads `NAME=VALUE` entries. The first of two entries with the same name counts, as with `getenv`. An entry that
    /// begins with `=` is ignored: Windows stores the current directories in such entries.
    pub fn new<'a>(entries: impl Iterator<Item = &'a [u8]>) -> Result<Environ, Error> {
        let mut environ = Environ::default();
        for (index, entry) in entries.enumerate() {
            let (name, value) = split(entry).ok_or_else(|| no_name(index, entry))?;
            let Some(name) = std::str::from_utf8(name).ok().filter(|name| is_read(name)) else { continue };
            let value = os_string(value).ok_or_else(|| {
                Error::new(Status::InvalidValue, format!("`variables[{index}]` ({name}) is not UTF-8"))
            })?;
            environ.0.entry(name.to_owned()).or_insert(Value(value));
        }
        Ok(environ)
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<OsString> {
        self.0.get(name).map(|value| value.0.clone())
    }
}

impl std::fmt::Debug for Environ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Whether an option is read from the variable of this name.
fn is_read(name: &str) -> bool {
    name.starts_with("DL_AUTH_") || OTHERS.contains(&name)
}

fn split(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = entry.iter().position(|byte| *byte == b'=')?;
    let (name, value) = entry.split_at_checked(at)?;
    Some((name, value.get(1..).unwrap_or_default()))
}

/// The error for an entry without `=`. The entry is shown only if it has the form of a name. Otherwise it may be a
/// value.
fn no_name(index: usize, entry: &[u8]) -> Error {
    let is_name = |text: &&str| {
        (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    let name = std::str::from_utf8(entry).ok().filter(is_name).map(|name| format!(" ({name})")).unwrap_or_default();
    let message = format!("`variables[{index}]`{name} has no `=`; each entry must be NAME=VALUE");
    Error::new(Status::InvalidValue, message)
}

#[cfg(unix)]
fn os_string(bytes: &[u8]) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(bytes.to_vec()))
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> Option<OsString> {
    std::str::from_utf8(bytes).ok().map(OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environ(entries: &[&[u8]]) -> Result<Environ, Error> {
        Environ::new(entries.iter().copied())
    }

    #[test]
    fn a_variable_has_the_first_value_that_was_given_for_it() {
        let environ = environ(&[b"DL_AUTH_URL=a=b", b"SSL_CERT_FILE=", b"DL_AUTH_URL=c", b"no_proxy=x"]).unwrap();
        for (name, value) in [
            ("DL_AUTH_URL", Some("a=b")),
            ("SSL_CERT_FILE", Some("")),
            ("no_proxy", Some("x")),
            ("NO_PROXY", None),
            ("DL_AUTH_WAIT", None),
        ] {
            assert_eq!(environ.get(name), value.map(OsString::from), "{name}");
        }
    }

    #[test]
    fn variables_that_are_not_of_dl_auth_are_not_copied() {
        let environ = environ(&[b"AWS_SECRET_ACCESS_KEY=canary", b"=C:=C:\\", b"=", b"\xff=x", b"DL_AUTH=x"]).unwrap();
        assert_eq!(environ.0.len(), 0);
    }

    #[test]
    fn the_error_of_an_entry_without_a_name_has_its_place_and_not_its_text_if_it_may_be_a_value() {
        for (entry, shown) in [
            (&b"DL_AUTH_USERNAME"[..], " (DL_AUTH_USERNAME)"),
            (b"HOME", " (HOME)"),
            (b"", ""),
            (b"hunter2", ""),
            (b"CANARY7", ""),
            (b"\xff", ""),
            (&[b'A'; 41], ""),
        ] {
            let error = environ(&[b"A=b", entry]).unwrap_err();
            assert_eq!(error.status(), Status::InvalidValue);
            let message = format!("`variables[1]`{shown} has no `=`; each entry must be NAME=VALUE");
            assert_eq!(error.message(), message);
        }
    }

    #[test]
    fn a_value_has_no_readable_debug_form() {
        assert_eq!(format!("{:?}", environ(&[b"DL_AUTH_PASSWORD=canary"]).unwrap()), "{\"DL_AUTH_PASSWORD\"}");
    }
}
