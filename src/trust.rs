//! TLS: the root certificates, and the one set-up that all handles with the same roots share.
//!
//! Parsing 145 roots costs about as much as the rest of a first login. The process does it once, under a lock, in the
//! first refresh that needs it; a file that SSL_CERT_FILE names is parsed when a handle is made, so that its faults are
//! told there. The system's bundle *file* comes first. Its directory has the same roots once more, and is read only
//! when there is no file or an issuer is unknown. rustls runs on ring: another provider's entropy set-up costs 30 ms.

use once_cell::sync::OnceCell;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::error::{Error, Status};
use crate::process::PerProcess;
use crate::sync::{Arc, Mutex, Weak, lock};

mod certificates;
mod der;
mod explain;
mod pem;
mod roots;
mod verify;
mod words;

pub use explain::Peer;
use roots::Store;
pub use roots::{Base, Certificate, Roots, SystemPaths, read_ca};
use verify::Anchors;
pub use verify::Witness;
#[cfg(test)]
pub use words::clean;

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
                // The file is not read again: it may have changed, or be a pipe.
                let anchors = &self.setup().ok()?.anchors;
                let mut store = Store { roots: anchors.roots.clone(), unreadable: anchors.unreadable };
                let before = store.roots.len();
                paths.add_directories(&mut store);
                if store.roots.len() == before {
                    return None;
                }
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
                    paths.add_directories(&mut store);
                }
                if store.roots.is_empty() {
                    paths.add_platform(&mut store);
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
        // A certificate that is not a CA's must not become able to issue others because it is in the file.
        let may_issue = |certificate: &&Certificate| der::X509::read(certificate).is_some_and(|read| read.may_issue());
        self.roots.ca.iter().filter(may_issue).for_each(|certificate| store.add(certificate));
        Ok(store)
    }

    fn build(&self, store: Store) -> Arc<Setup> {
        let provider = CryptoProvider { key_provider: &NoKeys, ..rustls::crypto::ring::default_provider() };
        let anchors = Anchors {
            roots: store.roots,
            ca_file: self.roots.ca.clone(),
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
        // Not inlined: rustls is compiled for size, and this crate for speed. That is 3 KB.
        let connection: fn(_, _) -> _ = ClientConnection::new;
        Ok((std::hint::black_box(connection)(Arc::new(config), name)?, witness))
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

fn no_roots(paths: &SystemPaths) -> Error {
    let places: Vec<String> = paths.file.iter().chain(&paths.directories).map(|path| words::path(path)).collect();
    let places = if places.is_empty() { "any of the usual places".to_owned() } else { places.join(", ") };
    let message = if paths.named {
        format!(
            "there are no root certificates in {places}, which SSL_CERT_FILE or SSL_CERT_DIR names; correct \
             it: a regular file, or a directory of such files, with certificates is needed"
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
