//! Which root certificates are trusted, how a server's certificate is verified, and what a failure means.
//!
//! All handles with the same roots share one set of parsed roots. Parsing 145 roots costs about as much as the rest of
//! a first login. The process does it once, under a lock, in the first refresh that needs it. A file that SSL_CERT_FILE
//! names is parsed when a handle is made, so that the handle's creation reports its errors. The system's bundle *file*
//! is read first. The system's directory repeats the same roots. It is read only if there is no file, or if an issuer
//! is unknown.

use once_cell::sync::OnceCell;

use crate::error::{Error, Status};
use crate::process::PerProcess;
use crate::sync::{Arc, Mutex, Weak, lock};

mod certificates;
mod der;
mod explain;
mod pem;
mod provider;
mod roots;
mod verify;
mod words;

pub use explain::Peer;
use roots::Store;
pub use roots::{Base, Certificate, Roots, SystemPaths, read_ca};
pub use verify::{Anchors, Verifier};
#[cfg(test)]
pub use words::clean;

/// Which roots are trusted, and the certificates that were read for it.
pub struct Trust {
    roots: Roots,
    anchors: OnceCell<Arc<Anchors>>,
    wider: OnceCell<Option<Arc<Anchors>>>,
}

static SHARED: PerProcess<Mutex<Vec<Weak<Trust>>>> = PerProcess::new();

impl Trust {
    /// The value that all handles with these roots share.
    pub fn shared(roots: Roots) -> Arc<Trust> {
        let shared = SHARED.get();
        let mut shared = lock(&shared);
        shared.retain(|trust| trust.strong_count() > 0);
        if let Some(trust) = find(&shared, &roots) {
            return trust;
        }
        let trust = Arc::new(Trust { roots, anchors: OnceCell::new(), wider: OnceCell::new() });
        shared.push(Arc::downgrade(&trust));
        trust
    }

    /// The value that living handles with these roots share, if there are such handles.
    fn existing(roots: &Roots) -> Option<Arc<Trust>> {
        find(&lock(&SHARED.get()), roots)
    }

    /// Which roots it trusts.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// The trusted certificates. The first call reads them. It may block on files, and on another thread that reads
    /// them.
    pub fn anchors(&self) -> Result<Arc<Anchors>, Error> {
        self.anchors.get_or_try_init(|| Ok(self.build(self.first_roots()?))).cloned()
    }

    /// More trusted certificates, if [`Trust::anchors`] has no certificate of the issuer: also those of the system's
    /// directories, or the bundled ones. `None`: there are no others.
    pub fn wider(&self) -> Option<Arc<Anchors>> {
        let make = || {
            // What was read is not read again: it may have changed, or be a pipe.
            let anchors = self.anchors().ok()?;
            let mut store = Store { roots: anchors.roots.clone(), unreadable: anchors.unreadable };
            let before = store.roots.len();
            match &self.roots.base {
                Base::SystemElseBundled(paths) if paths.may_lack_roots => store.add_bundled(),
                Base::System(paths) | Base::SystemElseBundled(paths) if paths.file.is_some() => {
                    paths.add_directories(&mut store);
                }
                _ => {}
            }
            (store.roots.len() > before).then(|| self.build(store))
        };
        self.wider.get_or_init(make).clone()
    }

    fn first_roots(&self) -> Result<Store, Error> {
        let mut store = Store::default();
        match &self.roots.base {
            Base::System(paths) | Base::SystemElseBundled(paths) => {
                store = paths.file_roots();
                if store.roots.is_empty() {
                    paths.add_directories(&mut store);
                }
                if store.roots.is_empty() {
                    paths.add_platform(&mut store);
                }
            }
            Base::Bundled | Base::Nothing => {}
        }
        // If SSL_CERT_FILE or SSL_CERT_DIR is set, only these roots are trusted, and those of `ca_file`.
        let nothing_else = store.roots.is_empty() && self.roots.ca.is_empty();
        match &self.roots.base {
            Base::System(paths) if nothing_else => return Err(no_roots(paths)),
            Base::SystemElseBundled(paths) if nothing_else && paths.named => return Err(no_roots(paths)),
            Base::SystemElseBundled(paths) if store.roots.is_empty() && !paths.named => store.add_bundled(),
            Base::Bundled => store.add_bundled(),
            Base::System(_) | Base::SystemElseBundled(_) | Base::Nothing => {}
        }
        // A certificate in `ca_file` that is not a CA certificate must not be able to issue others.
        let may_issue = |certificate: &&Certificate| der::X509::read(certificate).is_some_and(|read| read.may_issue());
        self.roots.ca.iter().filter(may_issue).for_each(|certificate| store.add(certificate));
        Ok(store)
    }

    fn build(&self, store: Store) -> Arc<Anchors> {
        Arc::new(Anchors {
            roots: store.roots,
            ca_file: self.roots.ca.clone(),
            unreadable: store.unreadable,
            provider: Arc::new(provider::provider()),
        })
    }
}

fn find(shared: &[Weak<Trust>], roots: &Roots) -> Option<Arc<Trust>> {
    shared.iter().filter_map(|trust| trust.upgrade()).find(|trust| trust.roots == *roots)
}

fn no_roots(paths: &SystemPaths) -> Error {
    let places: Vec<String> = paths.file.iter().chain(&paths.directories).map(|path| words::path(path)).collect();
    let places = if places.is_empty() { "any of the usual places".to_owned() } else { places.join(", ") };
    let message = if paths.named {
        format!(
            "there are no root certificates in {places}, which SSL_CERT_FILE or SSL_CERT_DIR names; correct \
             it: it must name a regular file with certificates, or a directory of such files"
        )
    } else {
        format!(
            "the system has no trusted root certificates in {places}; install them, or set SSL_CERT_FILE, \
             `ca_file`, or `tls_roots=bundled`"
        )
    };
    Error::new(Status::Tls, message)
}

#[cfg(test)]
mod tests;
