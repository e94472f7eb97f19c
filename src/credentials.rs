//! The credentials of a handle, and the files that a configuration names.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::file::Fault;
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

/// The maximum size of a file that the configuration names.
const FILE_MAX: u64 = 4 << 20;

/// Reads a file that the configuration names.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    crate::file::read(path, FILE_MAX).map_err(|fault| {
        let why = match fault {
            // The path is shown only if such a file exists: the value may be the password, set here by mistake.
            Fault::Unknown(error) => {
                return format!(
                    "it cannot be read: {error}; the path is not shown, because a secret may be set here by mistake"
                );
            }
            Fault::TooLarge => "it is larger than 4 MiB".to_owned(),
            Fault::NotRegular => "it is not a regular file; copy the content of a pipe or a device into one".to_owned(),
            fault => fault.to_string(),
        };
        let shown = path.to_string_lossy().replace(char::is_control, "?");
        format!("{shown} cannot be read: {why}")
    })
}

/// Reads the password in a `password_file`. The error says why it cannot be used.
pub fn read_password(path: &Path) -> Result<Secret, String> {
    let bytes = read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "the file is not UTF-8")?;
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if line.is_empty() || line.contains('\0') {
        return Err("the file is empty, or contains a NUL".to_owned());
    }
    Ok(Secret::new(line.to_owned()))
}
