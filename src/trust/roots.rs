//! The root certificates, and the places that they are read from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::der::X509;
use super::{Trust, pem, words};
use crate::error::{Error, Status};
use crate::file::{self, Fault, Regular};
use crate::process::occupying_stdio;
use crate::sync::{Arc, Mutex, try_lock};

/// The certificate of a certificate authority.
pub type Certificate = CertificateDer<'static>;

/// Which roots to trust, before any certificate of the system is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    /// The roots other than those of `ca_file`.
    pub base: Base,
    /// The roots of `ca_file`.
    pub ca: Vec<Certificate>,
}

/// The source of the roots other than those of `ca_file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// `tls_roots=auto`.
    SystemElseBundled(SystemPaths),
    /// `tls_roots=system`.
    System(SystemPaths),
    /// `tls_roots=bundled`: Mozilla's roots, which are compiled into the library.
    Bundled,
    /// `tls_roots=ca_file_only`.
    Nothing,
}

/// The maximum size of a file of roots, in bytes. It stops the read of an endless device. Usual bundles have 1 % of
/// this size.
const FILE_MAX: u64 = 64 << 20;

/// The usual places of a bundle, in the order in which they are tried. The crate `openssl-probe` has the same list, but
/// it reads the process's environment too.
const FILES: [&str; 11] = [
    "/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Gentoo, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora, RHEL 7 and later
    "/etc/pki/tls/certs/ca-bundle.crt",                  // RHEL 6
    "/etc/ssl/ca-bundle.pem",                            // SUSE
    "/etc/pki/tls/cacert.pem",                           // OpenELEC
    "/etc/ssl/cert.pem",                                 // Alpine, OpenBSD
    "/opt/etc/ssl/certs/ca-certificates.crt",            // Entware
    "/etc/ssl/certs/cacert.pem",                         // OpenHarmony
    "/usr/local/etc/ssl/cert.pem",                       // FreeBSD
    "/usr/local/share/certs/ca-root-nss.crt",            // DragonFly
    "/etc/openssl/certs/ca-certificates.crt",            // NetBSD
];

/// The usual directories of certificates.
const DIRECTORIES: [&str; 5] = [
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/security/certificates", // OpenHarmony
    "/usr/local/share/certs",     // FreeBSD
    "/etc/openssl/certs",         // NetBSD
];

/// Where the system stores its roots. Roots there that cannot be read are skipped and counted, because the user did not
/// choose them. A file that the user named is used completely or refused. The environment is read when a handle is
/// made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemPaths {
    pub file: Option<PathBuf>,
    pub directories: Vec<PathBuf>,
    /// Whether the user named these places. If so, only the roots in them are trusted.
    pub named: bool,
    /// Whether the system's store may lack a root that the system trusts. Windows fetches a root when a program that
    /// uses the TLS of Windows needs it first.
    pub may_lack_roots: bool,
    /// The length and the time of the last change of the file that the user named. Handles share the roots of a file
    /// only if both are equal.
    pub(super) stamp: Option<(u64, SystemTime)>,
    pub(super) read: Read,
}

/// Holds the roots of the file from its check until [`SystemPaths::file_roots`] takes them. So the file is parsed once.
#[derive(Clone, Default)]
pub(super) struct Read(Arc<Mutex<Option<Store>>>);

impl PartialEq for Read {
    /// Roots from the same places are equal, whether they have been read or not.
    fn eq(&self, _: &Read) -> bool {
        true
    }
}

impl Eq for Read {}

impl fmt::Debug for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Read")
    }
}

/// The length and the time of the last change of a regular file.
#[inline(never)]
fn stamp(file: &Path) -> Option<(u64, SystemTime)> {
    Regular::open(file).ok()?.stamp()
}

impl SystemPaths {
    /// The places in `SSL_CERT_FILE` and `SSL_CERT_DIR`, or the usual places if neither is set.
    pub fn find(variable: impl Fn(&str) -> Option<PathBuf>) -> SystemPaths {
        let file = variable("SSL_CERT_FILE");
        let directories: Vec<PathBuf> =
            variable("SSL_CERT_DIR").iter().flat_map(|paths| std::env::split_paths(paths)).collect();
        if file.is_some() || !directories.is_empty() {
            let stamp = file.as_deref().and_then(stamp);
            return SystemPaths { file, directories, named: true, stamp, ..SystemPaths::default() };
        }
        if cfg!(any(windows, target_vendor = "apple")) {
            return SystemPaths { may_lack_roots: cfg!(windows), ..SystemPaths::default() }; // see `add_platform`
        }
        let found = |places: &[&str]| places.iter().map(PathBuf::from).filter(|place| place.exists()).collect();
        let files: Vec<PathBuf> = found(&FILES);
        SystemPaths { file: files.into_iter().next(), directories: found(&DIRECTORIES), ..SystemPaths::default() }
    }

    /// The roots in the file.
    pub fn file_roots(&self) -> Store {
        // In a child process, the lock may be held by a thread that exists only in the parent process.
        if let Some(store) = try_lock(&self.read.0).and_then(|mut read| read.take()) {
            return store;
        }
        let mut store = Store::default();
        self.file.iter().for_each(|file| store.add_file(file));
        store
    }

    /// Reads the file that SSL_CERT_FILE names. If the file does not exist or is not a regular file, [`Trust::anchors`]
    /// reports it.
    fn check(&self) -> Result<(), Error> {
        let Some(file) = self.file.as_ref().filter(|_| self.named) else { return Ok(()) };
        let place = words::path(file);
        let invalid = |why: String| {
            Error::new(Status::InvalidValue, format!("SSL_CERT_FILE cannot be used: {why}; the file is {place}"))
        };
        let bytes = match file::read(file, FILE_MAX) {
            Err(Fault::Unknown(_) | Fault::NotRegular) => return Ok(()),
            read => read.map_err(|fault| invalid(fault.to_string()))?,
        };
        let roots = named_roots(&bytes, &mut |_| true).map_err(invalid)?;
        if let Some(mut read) = try_lock(&self.read.0) {
            *read = Some(Store { roots, unreadable: 0 });
        }
        Ok(())
    }

    /// Adds the roots in the files of the directories.
    pub fn add_directories(&self, store: &mut Store) {
        for entry in self
            .directories
            .iter()
            .filter_map(|path| occupying_stdio(|| std::fs::read_dir(path)).ok())
            .flatten()
            .flatten()
        {
            store.add_file(&entry.path());
        }
        // A directory has each root under several names.
        let mut roots = Vec::with_capacity(store.roots.len());
        for root in std::mem::take(&mut store.roots.roots) {
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        store.roots.roots = roots;
    }

    /// The roots of the system store, on systems that do not keep them in a file, if the user named no place.
    #[cfg_attr(not(any(windows, target_vendor = "apple")), allow(unused_variables))]
    pub fn add_platform(&self, store: &mut Store) {
        #[cfg(any(windows, target_vendor = "apple"))]
        if !self.named {
            rustls_native_certs::load_native_certs().certs.iter().for_each(|certificate| store.add(certificate));
        }
    }
}

impl Roots {
    /// Reports what is wrong with the file that SSL_CERT_FILE names, if it is used and no living handle has read it.
    pub fn check(&self) -> Result<(), Error> {
        match &self.base {
            Base::System(paths) | Base::SystemElseBundled(paths) if Trust::existing(self).is_none() => paths.check(),
            _ => Ok(()),
        }
    }
}

/// The certificates in a `ca_file`, or why it cannot be used.
pub fn read_ca(file: &[u8]) -> Result<Vec<Certificate>, String> {
    let mut certificates = Vec::new();
    named_roots(file, &mut |certificate| {
        // The library must know whether this certificate may issue others.
        let read = X509::read(&certificate).is_some();
        certificates.push(certificate);
        read
    })?;
    Ok(certificates)
}

/// The roots in a file that the user named. The whole file is used or refused. `keep` gets each certificate, and
/// returns whether it can be used.
fn named_roots(file: &[u8], keep: &mut dyn FnMut(Certificate) -> bool) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for block in pem::certificates(file) {
        let block = block?;
        let place = block.place();
        let unusable =
            |why: &str| format!("{place} cannot be used as a certificate: {why}; replace it, or take it out");
        roots
            .add(CertificateDer::from(block.certificate.as_ref()))
            .map_err(|error| unusable(&words::refused(&error)))?;
        if !keep(block.certificate) {
            return Err(unusable("its fields cannot be read"));
        }
    }
    pem::check(file)?;
    if roots.is_empty() { Err(pem::instead(file)) } else { Ok(roots) }
}

/// Roots in the form of rustls, and the number of roots that could not be read.
pub struct Store {
    pub roots: RootCertStore,
    pub unreadable: usize,
}

impl Default for Store {
    fn default() -> Store {
        Store { roots: RootCertStore::empty(), unreadable: 0 }
    }
}

impl Store {
    /// Holds one certificate at a time in addition to the roots.
    fn add_file(&mut self, path: &Path) {
        let file = match file::read(path, FILE_MAX) {
            Ok(file) => file,
            Err(fault) => {
                self.unreadable += usize::from(matches!(fault, Fault::TooLarge));
                return;
            }
        };
        for block in pem::certificates(&file) {
            match block {
                Ok(block) => self.add(&block.certificate),
                Err(_) => self.unreadable += 1,
            }
        }
    }

    pub fn add(&mut self, certificate: &Certificate) {
        let read = self.roots.add(CertificateDer::from(certificate.as_ref()));
        self.unreadable += usize::from(read.is_err());
    }

    /// Adds the bundled roots that it does not have.
    pub fn add_bundled(&mut self) {
        let others = webpki_roots::TLS_SERVER_ROOTS.iter().filter(|root| !self.roots.roots.contains(root));
        let others: Vec<_> = others.cloned().collect();
        self.roots.extend(others);
    }
}
