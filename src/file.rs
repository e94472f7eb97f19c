//! Opens and reads files that a user or the system names, and that may hold secrets.
//!
//! Opening a file never blocks. At any moment, another program may replace a file by a pipe of the same name. So the
//! file is opened in non-blocking mode, and its type is read from the descriptor.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::process::above_stdio;

/// A regular file that is open for reading.
pub struct Regular {
    file: File,
    meta: Metadata,
}

/// Why a file cannot be read.
#[derive(Debug)]
pub enum Fault {
    /// It cannot be opened, and its type is unknown.
    Unknown(io::Error),
    /// It exists, and cannot be opened or read.
    Unreadable(io::Error),
    /// It is a directory, a pipe, a device or a socket.
    NotRegular,
    /// It is larger than the limit.
    TooLarge,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unknown(error) | Fault::Unreadable(error) => error.fmt(f),
            Fault::NotRegular => f.write_str("it is not a regular file"),
            Fault::TooLarge => ErrorKind::FileTooLarge.fmt(f),
        }
    }
}

impl Regular {
    /// Opens a file. Its descriptor is above 2, so that no output to the standard streams goes into the file.
    pub fn open(path: &Path) -> Result<Regular, Fault> {
        let mut options = File::options();
        options.read(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
        // `O_CLOEXEC` is set by std.
        let opened = above_stdio(|| options.open(path)).and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((meta, file)) if meta.is_file() => Ok(Regular { file, meta }),
            Ok(_) => Err(Fault::NotRegular),
            // Only for the message.
            Err(error) => Err(match std::fs::metadata(path) {
                Ok(meta) if meta.is_file() => Fault::Unreadable(error),
                Ok(_) => Fault::NotRegular,
                Err(_) => Fault::Unknown(error),
            }),
        }
    }

    /// The length and the time of the last change.
    pub fn stamp(&self) -> Option<(u64, SystemTime)> {
        Some((self.meta.len(), self.meta.modified().ok()?))
    }

    /// The content, at most `max` bytes. It is read into one buffer, which is wiped when it is dropped. Another buffer
    /// is needed only if the file has grown and holds more than its length says.
    pub fn read(mut self, max: u64) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let room = |bytes: u64| usize::try_from(bytes.min(max)).ok().and_then(|bytes| bytes.checked_add(1));
        let buffer = |bytes| Some(Zeroizing::new(vec![0; room(bytes)?]));
        if self.meta.len() > max {
            return Err(Fault::TooLarge);
        }
        // One extra byte, because the last read must find the end.
        let mut bytes = buffer(self.meta.len()).ok_or(Fault::TooLarge)?;
        let mut length = 0;
        loop {
            if length == bytes.len() {
                if length as u64 > max {
                    return Err(Fault::TooLarge);
                }
                let mut larger = buffer(2 * length as u64 + 4096).ok_or(Fault::TooLarge)?;
                larger.iter_mut().zip(bytes.iter()).for_each(|(to, from)| *to = *from);
                bytes = larger;
            }
            match self.file.read(bytes.get_mut(length..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(amount) => length += amount,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Unreadable(error)),
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// The content of a regular file.
pub fn read(path: &Path, max: u64) -> Result<Zeroizing<Vec<u8>>, Fault> {
    Regular::open(path)?.read(max)
}

/// The maximum size of a file that the configuration names.
const CONFIGURED_MAX: u64 = 4 << 20;

/// Reads a file that the configuration names. The error is for the user of the configuration.
pub fn read_configured(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    read(path, CONFIGURED_MAX).map_err(|fault| {
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

#[cfg(test)]
pub mod tests;
