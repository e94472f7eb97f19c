//! A directory as a store. The processes of one user on one machine use it.
//!
//! Each record has two files: `NAME` is the record, and `NAME.lock` is locked by the process that refreshes it. The
//! kernel releases a lock when its process ends. The lock file is never deleted, because two processes could then lock
//! two files of the same name. A record is written to `NAME.new` and renamed, so a reader finds a whole record. It is
//! not written through to the disk (`fsync`), because it is a cache.
//!
//! No other user can read or change the files: the directory and the files must belong to this user, and only this user
//! may write to them. A link is not followed. The files are opened in non-blocking mode, so a pipe blocks no process.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use fs4::{FileExt, TryLockError};

use super::{Lock, Look, Moment, Store, fault};
use crate::attempt::Attempt;
use crate::clock::{Clock, System, millis};
use crate::error::Error;
use crate::process::{NotInherited, PerProcess, above_stdio, not_inherited};
use crate::sync::{Mutex, lock};

/// The maximum size of a record.
const RECORD_MAX: u64 = 64 << 10;

/// A directory with records.
pub struct Directory {
    path: PathBuf,
    /// The record that was read last. While the file is the same, it is not read again.
    seen: Mutex<Option<Seen>>,
}

struct Seen {
    name: String,
    stamp: Stamp,
    sealed: Vec<u8>,
}

/// Two different files have different stamps.
#[derive(Clone, Copy, PartialEq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// The number of the file, and the time of its last change of any kind.
    identity: (u64, i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Stamp {
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            (meta.ino(), meta.ctime(), meta.ctime_nsec())
        };
        #[cfg(not(unix))]
        let identity = (0, 0, 0);
        Stamp { length: meta.len(), modified: meta.modified().ok(), identity }
    }
}

impl Directory {
    /// A store in this directory. Nothing is read or made yet.
    pub fn new(path: PathBuf) -> Directory {
        // Without a slash at the end, which would follow a link.
        Directory { path: path.components().collect(), seen: Mutex::default() }
    }

    fn fault(&self, what: &str, error: io::Error) -> Error {
        self.unusable(&format!("{what}: {error}"))
    }

    /// The reason comes first: the path may be too long for the message.
    fn unusable(&self, why: &str) -> Error {
        fault(format!("the store cannot be used: {why}; the directory is {}", self.path.display()))
    }

    /// Makes the directory if it is missing. Checks that no other user can change it.
    fn prepare(&self) -> Result<(), Error> {
        let meta = match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut builder = fs::DirBuilder::new();
                builder.recursive(true);
                #[cfg(unix)]
                std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
                builder.create(&self.path).map_err(|error| self.fault("the directory cannot be made", error))?;
                fs::symlink_metadata(&self.path)
            }
            meta => meta,
        };
        let meta = meta.map_err(|error| self.fault("the directory cannot be read", error))?;
        let wrong = if meta.is_symlink() {
            Some("it is a link; name the directory itself")
        } else if meta.is_dir() {
            foreign(&meta)
        } else {
            Some("it is a file; name a directory")
        };
        wrong.map_or(Ok(()), |wrong| Err(self.unusable(wrong)))
    }

    fn file(&self, name: &str, end: &str) -> PathBuf {
        self.path.join(format!("{name}{end}"))
    }

    /// Opens a file of this user, and nothing else.
    fn open(&self, path: &Path, options: &mut OpenOptions) -> io::Result<(File, Metadata)> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
        }
        let file = above_stdio(|| options.open(path))?;
        let meta = file.metadata()?;
        let wrong = if meta.is_file() { foreign(&meta) } else { Some("it is not a regular file") };
        wrong.map_or(Ok((file, meta)), |wrong| Err(io::Error::new(ErrorKind::PermissionDenied, wrong)))
    }
}

/// Why another user may have changed this file or directory.
#[cfg(unix)]
fn foreign(meta: &Metadata) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt;
    if meta.uid() != crate::process::effective_user() {
        return Some("it belongs to another user; name a directory of this user");
    }
    (meta.mode() & 0o022 != 0).then_some("other users may write to it; remove their permission (chmod go-w)")
}

/// Other systems than Unix have no such permissions. There, a directory of the user's profile is private.
#[cfg(not(unix))]
fn foreign(_: &Metadata) -> Option<&'static str> {
    None
}

impl Store for Directory {
    fn read(&self, name: &str, _: &Attempt) -> Result<Look, Error> {
        let path = self.file(name, "");
        let at = moment();
        let nothing = |error: io::Error| match error.kind() {
            ErrorKind::NotFound => Ok(Look { sealed: None, at }),
            // What is wrong with the directory explains more.
            _ => Err(self.prepare().err().unwrap_or_else(|| self.fault("the record cannot be read", error))),
        };
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(error) => return nothing(error),
        };
        let seen = lock(&self.seen);
        if let Some(seen) = seen.as_ref().filter(|seen| seen.name == name && seen.stamp == Stamp::of(&meta)) {
            return Ok(Look { sealed: Some(seen.sealed.clone()), at });
        }
        drop(seen);
        self.prepare()?;
        let (file, meta) = match self.open(&path, OpenOptions::new().read(true)) {
            Ok(opened) => opened,
            Err(error) => return nothing(error),
        };
        let mut sealed = Vec::new();
        file.take(RECORD_MAX)
            .read_to_end(&mut sealed)
            .map_err(|error| self.fault("the record cannot be read", error))?;
        let stamp = Stamp::of(&meta);
        *lock(&self.seen) = Some(Seen { name: name.to_owned(), stamp, sealed: sealed.clone() });
        Ok(Look { sealed: Some(sealed), at })
    }

    fn try_lock(&self, name: &str, _: &Attempt) -> Result<Option<Box<dyn Lock + '_>>, Error> {
        self.prepare()?;
        let path = self.file(name, ".lock");
        let options = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true);
            options
        };
        let opened = not_inherited(|| self.open(&path, &mut options()).map(|(file, _)| file));
        let file = opened.map_err(|error| self.fault("the lock file cannot be opened", error))?;
        match FileExt::try_lock(file.get()) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(self.fault("the lock file cannot be locked", error)),
        }
        let locked = Locked { directory: self, name: name.to_owned(), file };
        // The file may have been deleted since it was opened. Then another process locks another file.
        Ok(locked.is_current(&path).then(|| Box::new(locked) as Box<dyn Lock>))
    }

    fn for_child(&self) -> Box<dyn Store> {
        Box::new(Directory::new(self.path.clone()))
    }
}

/// The locked file. A child of fork closes it: it would keep the lock otherwise.
struct Locked<'a> {
    directory: &'a Directory,
    name: String,
    file: NotInherited<File>,
}

impl Locked<'_> {
    fn is_current(&self, path: &Path) -> bool {
        let (opened, named) = (self.file.get().metadata(), fs::symlink_metadata(path));
        matches!((opened, named), (Ok(opened), Ok(named)) if Stamp::of(&opened).identity.0 == Stamp::of(&named).identity.0)
    }
}

impl Lock for Locked<'_> {
    fn publish(&mut self, sealed: &[u8], _: Duration, _: &Attempt) -> Result<(), Error> {
        let new = self.directory.file(&self.name, ".new");
        let write = || {
            let (mut file, _) =
                self.directory.open(&new, OpenOptions::new().write(true).create(true).truncate(true))?;
            file.write_all(sealed)?;
            drop(file);
            fs::rename(&new, self.directory.file(&self.name, ""))
        };
        write().map_err(|error| {
            fs::remove_file(&new).ok(); // a part of a record takes space
            self.directory.fault("the record cannot be written", error)
        })
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // Before the descriptor is closed: a child that was forked a moment ago may still have a copy of it.
        FileExt::unlock(self.file.get()).ok();
    }
}

/// Now. The suspend-aware clock is the same for all processes of one boot in one time namespace.
fn moment() -> Moment {
    static CLOCK: PerProcess<OnceLock<[u8; 16]>> = PerProcess::new();
    let clock = *CLOCK.get().get_or_init(|| {
        let boot = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = fs::read_link("/proc/self/ns/time").unwrap_or_default();
        if boot.is_empty() {
            let mut random = [0; 16];
            fastrand::Rng::new().fill(&mut random); // no other process has it: the wall clock is used
            return random;
        }
        let text = [boot.as_slice(), namespace.as_os_str().as_encoded_bytes()].concat();
        let digest = ring::digest::digest(&ring::digest::SHA256, &text);
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    });
    Moment { clock, ms: millis(System.boot()), wall_ms: System.wall_ms() }
}
