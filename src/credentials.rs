//! The credentials of a handle, and the password file.

use std::path::{Path, PathBuf};

use crate::file;
use crate::secret::Secret;

/// A user of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The username.
    pub username: Secret,
    /// The password of this user.
    pub password: Secret,
    /// The file that the password was read from. Its content may change later.
    pub password_file: Option<PathBuf>,
}

impl Credentials {
    /// A user with this password, which was not read from a file.
    pub fn new(username: Secret, password: Secret) -> Credentials {
        Credentials { username, password, password_file: None }
    }
}

/// Reads the password in a `password_file`. The error says why it cannot be used.
pub fn read_password(path: &Path) -> Result<Secret, String> {
    let bytes = file::read_configured(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "the file is not UTF-8")?;
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if line.is_empty() || line.contains('\0') {
        return Err("the file is empty, or contains a NUL".to_owned());
    }
    Ok(Secret::new(line.to_owned()))
}
