//! Whom to trust: the root certificates, and the one TLS set-up that all handles with the same trust share.
//!
//! Parsing 145 roots is most of what a first login costs, so it is done once for the process, under a lock, by the
//! first refresh that needs it. The system's bundle *file* is read first; its directory, which holds the same roots
//! once more, only when there is no file or an issuer is unknown. rustls runs on ring: another provider's entropy
//! set-up was measured to cost 30 ms.

use std::fmt;
use std::path::PathBuf;

use once_cell::sync::OnceCell;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::error::{Error, Status};
use crate::process::PerProcess;
use crate::sync::{Arc, Mutex, Weak, lock, try_lock};

mod certificates;
mod der;
mod explain;
mod pem;
mod verify;
mod words;

pub use explain::Peer;
use verify::Anchors;
pub use verify::Witness;

/// A certificate authority's certificate.
pub type Certificate = CertificateDer<'static>;

/// Whom to trust, before any certificate of the system is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    /// The roots that are there anyway.
    pub base: Base,
    /// Those of `ca_file`.
    pub ca: Vec<Certificate>,
}

/// Where the roots come from, besides `ca_file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// `tls_roots=auto`.
    SystemElseBundled(SystemPaths),
    /// `tls_roots=system`.
    System(SystemPaths),
    /// `tls_roots=bundled`: Mozilla's, compiled in.
    Bundled,
    /// `tls_roots=ca_file_only`.
    Nothing,
}

/// Where the system keeps its roots. What can be read there is taken, and the rest is counted: a system's store is not
/// ours to judge. A file that the user named must be read whole. Found when a handle is made, for that is when the
/// environment is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemPaths {
    file: Option<PathBuf>,
    directories: Vec<PathBuf>,
    /// Whether the user named them, and so meant these and no others.
    named: bool,
    read: Read,
}

/// The roots of the file, from its check until the set-up takes them, so that they are parsed once.
#[derive(Clone, Default)]
struct Read(Arc<Mutex<Option<Store>>>);

impl PartialEq for Read {
    /// What was read says nothing on where it is.
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

impl SystemPaths {
    /// What `SSL_CERT_FILE` and `SSL_CERT_DIR` say; where neither is set, the usual places.
    pub fn find(variable: impl Fn(&str) -> Option<PathBuf>) -> SystemPaths {
        let file = variable("SSL_CERT_FILE");
        let directories: Vec<PathBuf> =
            variable("SSL_CERT_DIR").iter().flat_map(|paths| std::env::split_paths(paths)).collect();
        if file.is_some() || !directories.is_empty() {
            return SystemPaths { file, directories, named: true, read: Read::default() };
        }
        let found = openssl_probe::probe();
        SystemPaths { file: found.cert_file, directories: found.cert_dir, named: false, read: Read::default() }
    }

    /// What the file has. One certificate at a time is held besides the roots made of them.
    fn file_roots(&self) -> Store {
        // After a fork, another thread of the parent may hold the lock for ever.
        if let Some(store) = try_lock(&self.read.0).and_then(|mut read| read.take()) {
            return store;
        }
        let mut store = Store::default();
        if let Some(Ok(file)) = self.file.as_deref().map(pem::read) {
            for block in pem::certificates(&file) {
                match block {
                    Ok(block) => store.add([block.certificate]),
                    Err(_) => store.unreadable += 1,
                }
            }
        }
        store
    }

    /// Reads the file that SSL_CERT_FILE names. One that does not exist, or is a pipe, is left to the set-up.
    fn check(&self) -> Result<(), Error> {
        let Some(file) = self.file.as_ref().filter(|file| self.named && file.is_file()) else { return Ok(()) };
        let place = file.display();
        let invalid = |why: String| {
            Error::new(Status::InvalidValue, format!("SSL_CERT_FILE cannot be used: {why}; the file is {place}"))
        };
        let bytes = pem::read(file).map_err(|error| invalid(error.to_string()))?;
        let roots = named_roots(&bytes, |_| ()).map_err(invalid)?;
        if let Some(mut read) = try_lock(&self.read.0) {
            *read = Some(Store { roots, unreadable: 0 });
        }
        Ok(())
    }

    fn directory_roots(&self) -> Vec<Certificate> {
        let load = |directory| rustls_native_certs::load_certs_from_paths(None, Some(directory)).certs;
        self.directories.iter().map(PathBuf::as_path).flat_map(load).collect()
    }

    /// On systems that keep their roots in no file, and where nobody named one: those of their own store.
    fn platform_roots(&self) -> Vec<Certificate> {
        let has_store = cfg!(any(windows, target_vendor = "apple"));
        if has_store && !self.named { rustls_native_certs::load_native_certs().certs } else { Vec::new() }
    }
}

impl Roots {
    /// Tells what is wrong with the file that SSL_CERT_FILE names, where it is used and no living handle has read it.
    pub fn check(&self) -> Result<(), Error> {
        match &self.base {
            Base::System(paths) | Base::SystemElseBundled(paths) if Trust::living(self).is_none() => paths.check(),
            _ => Ok(()),
        }
    }
}

/// The certificates in a `ca_file`, or what is wrong with it.
pub fn read_ca(file: &[u8]) -> Result<Vec<Certificate>, String> {
    let mut certificates = Vec::new();
    named_roots(file, |certificate| certificates.push(certificate))?;
    Ok(certificates)
}

/// The roots in a file that the user named. All of it is used, or none.
fn named_roots(file: &[u8], mut keep: impl FnMut(Certificate)) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for block in pem::certificates(file) {
        let block = block?;
        roots.add(CertificateDer::from(block.certificate.as_ref())).map_err(|error| {
            format!("{} is no certificate that can be used: {}", block.place(), words::refused(&error))
        })?;
        keep(block.certificate);
    }
    if roots.is_empty() { Err(pem::instead(file)) } else { Ok(roots) }
}

/// A trust, and the TLS set-ups made for it.
pub struct Trust {
    roots: Roots,
    setup: OnceCell<Arc<Setup>>,
    wider: OnceCell<Option<Arc<Setup>>>,
}

static SHARED: PerProcess<Mutex<Vec<Weak<Trust>>>> = PerProcess::new();

impl Trust {
    /// The one that all handles with these roots share.
    pub fn shared(roots: Roots) -> Arc<Trust> {
        let shared = SHARED.get();
        let mut shared = lock(&shared);
        shared.retain(|trust| trust.strong_count() > 0);
        if let Some(trust) = living(&shared, &roots) {
            return trust;
        }
        let trust = Arc::new(Trust { roots, setup: OnceCell::new(), wider: OnceCell::new() });
        shared.push(Arc::downgrade(&trust));
        trust
    }

    /// The one that handles with these roots have already.
    fn living(roots: &Roots) -> Option<Arc<Trust>> {
        living(&lock(&SHARED.get()), roots)
    }

    /// Whom it trusts.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// The set-up, made at the first call. May block on files and on another thread that makes it.
    pub fn setup(&self) -> Result<Arc<Setup>, Error> {
        self.setup.get_or_try_init(|| Ok(self.build(self.first_roots()?))).cloned()
    }

    /// A set-up that trusts more, for an issuer that the first does not know: the directories as well as the file.
    pub fn wider(&self) -> Option<Arc<Setup>> {
        let make = || match &self.roots.base {
            Base::System(paths) | Base::SystemElseBundled(paths) if paths.file.is_some() => {
                let more = paths.directory_roots();
                if more.is_empty() {
                    return None;
                }
                let mut store = self.first_roots().ok()?;
                store.add(more);
                Some(self.build(store))
            }
            _ => None,
        };
        self.wider.get_or_init(make).clone()
    }

    fn first_roots(&self) -> Result<Store, Error> {
        let mut store = Store::default();
        match &self.roots.base {
            Base::System(paths) | Base::SystemElseBundled(paths) => {
                store = paths.file_roots();
                if store.roots.is_empty() {
                    store.add(paths.directory_roots());
                }
                if store.roots.is_empty() {
                    store.add(paths.platform_roots());
                }
            }
            Base::Bundled | Base::Nothing => {}
        }
        // Who names the places means these, and gets no others in their stead; a `ca_file` he has named as well.
        let nothing_else = store.roots.is_empty() && self.roots.ca.is_empty();
        match &self.roots.base {
            Base::System(paths) if nothing_else => return Err(no_roots(paths)),
            Base::SystemElseBundled(paths) if nothing_else && paths.named => return Err(no_roots(paths)),
            Base::SystemElseBundled(paths) if store.roots.is_empty() && !paths.named => store.add_bundled(),
            Base::Bundled => store.add_bundled(),
            Base::System(_) | Base::SystemElseBundled(_) | Base::Nothing => {}
        }
        store.add(self.roots.ca.iter().cloned());
        Ok(store)
    }

    fn build(&self, store: Store) -> Arc<Setup> {
        let provider = CryptoProvider { key_provider: &NoKeys, ..rustls::crypto::ring::default_provider() };
        let pinned =
            |certificate: &&Certificate| der::X509::read(certificate).is_some_and(|read| read.is_self_issued());
        let anchors = Anchors {
            roots: store.roots,
            pinned: self.roots.ca.iter().filter(pinned).cloned().collect(),
            unreadable: store.unreadable,
            algorithms: provider.signature_verification_algorithms,
        };
        Arc::new(Setup { provider: Arc::new(provider), anchors: Arc::new(anchors) })
    }
}

fn living(shared: &[Weak<Trust>], roots: &Roots) -> Option<Arc<Trust>> {
    shared.iter().filter_map(|trust| trust.upgrade()).find(|trust| trust.roots == *roots)
}

/// What the sessions of all handles with the same trust share.
pub struct Setup {
    provider: Arc<CryptoProvider>,
    anchors: Arc<Anchors>,
}

impl Setup {
    /// Starts a TLS session with the server of this name.
    pub fn session(&self, name: ServerName<'static>) -> Result<(ClientConnection, Arc<Witness>), rustls::Error> {
        let witness = Arc::new(Witness::new(self.anchors.clone(), name.clone()));
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(witness.clone())
            .with_client_cert_resolver(witness.clone());
        // rustls resumes a session with the same verifier only, and each has one for itself. A session ends long before
        // the next login.
        config.resumption = Resumption::disabled();
        Ok((ClientConnection::new(Arc::new(config), name)?, witness))
    }
}

/// No client certificate is ever shown, so no private key is read: else the code that signs with one is linked.
#[derive(Debug)]
struct NoKeys;

impl rustls::crypto::KeyProvider for NoKeys {
    fn load_private_key(
        &self,
        _: rustls::pki_types::PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn rustls::sign::SigningKey>, rustls::Error> {
        Err(rustls::Error::General("there are no private keys here".to_owned()))
    }
}

/// Roots as rustls has them, and how many could not be read.
struct Store {
    roots: RootCertStore,
    unreadable: usize,
}

impl Default for Store {
    fn default() -> Store {
        Store { roots: RootCertStore::empty(), unreadable: 0 }
    }
}

impl Store {
    fn add(&mut self, certificates: impl IntoIterator<Item = Certificate>) {
        self.unreadable += self.roots.add_parsable_certificates(certificates).1;
    }

    fn add_bundled(&mut self) {
        self.roots.extend(webpki_roots::TLS_SERVER_ROOTS.to_vec());
    }
}

fn no_roots(paths: &SystemPaths) -> Error {
    let places: Vec<String> =
        paths.file.iter().chain(&paths.directories).map(|path| path.display().to_string()).collect();
    let places = if places.is_empty() { "any of the usual places".to_owned() } else { places.join(", ") };
    let message = format!(
        "the system has no trusted root certificates in {places}; install them, or set SSL_CERT_FILE, \
         `ca_file`, or `tls_roots=bundled`"
    );
    Error::new(Status::Tls, message)
}

#[cfg(test)]
mod tests;
