//! Whom to trust: the root certificates, and the one TLS set-up that all handles with the same trust share.
//!
//! Parsing 145 roots is most of what a first login costs, so it is done once for the process, under a lock, by the
//! first refresh that needs it. The system's bundle *file* is read first; its directory, which holds the same roots
//! once more, only when there is no file or an issuer is unknown. rustls runs on ring: another provider's entropy
//! set-up was measured to cost 30 ms.

use std::path::PathBuf;

use once_cell::sync::OnceCell;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::error::{Error, Status};
use crate::process::PerProcess;
use crate::sync::{Arc, Mutex, Weak, lock};

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

/// Where the system keeps its roots. What can be read there is taken; what cannot be read or is no certificate is not:
/// a system's store is not ours to judge. Found when a handle is made, for that is when the environment is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemPaths {
    file: Option<PathBuf>,
    directories: Vec<PathBuf>,
    /// Whether the user named them, and so meant these and no others.
    named: bool,
}

impl SystemPaths {
    /// What `SSL_CERT_FILE` and `SSL_CERT_DIR` say; where neither is set, the usual places.
    pub fn find(variable: impl Fn(&str) -> Option<PathBuf>) -> SystemPaths {
        let file = variable("SSL_CERT_FILE");
        let directories: Vec<PathBuf> =
            variable("SSL_CERT_DIR").iter().flat_map(|paths| std::env::split_paths(paths)).collect();
        if file.is_some() || !directories.is_empty() {
            return SystemPaths { file, directories, named: true };
        }
        let found = openssl_probe::probe();
        SystemPaths { file: found.cert_file, directories: found.cert_dir, named: false }
    }

    /// One at a time, so that neither the file nor all of its certificates are ever held at once.
    fn file_roots(&self) -> impl Iterator<Item = Certificate> {
        let certificates = self.file.as_deref().and_then(|file| CertificateDer::pem_file_iter(file).ok());
        certificates.into_iter().flatten().flatten()
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

/// The certificates in a `ca_file`, or what is wrong with it.
pub fn read_ca(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let certificates: Vec<Certificate> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the file is no PEM: {error}"))?;
    if certificates.is_empty() {
        return Err("there is no certificate in the file".to_owned());
    }
    let mut store = RootCertStore::empty();
    for (index, certificate) in certificates.iter().enumerate() {
        let place = format!("certificate {} of {} in the file", index + 1, certificates.len());
        store.add(certificate.clone()).map_err(|error| format!("{place} cannot be used: {error}"))?;
    }
    Ok(certificates)
}

/// A trust, and the TLS set-ups made for it.
pub struct Trust {
    roots: Roots,
    setup: OnceCell<Arc<Setup>>,
    wider: OnceCell<Option<Arc<Setup>>>,
}

impl Trust {
    /// The one that all handles with these roots share.
    pub fn shared(roots: Roots) -> Arc<Trust> {
        static SHARED: PerProcess<Mutex<Vec<Weak<Trust>>>> = PerProcess::new();
        let shared = SHARED.get();
        let mut shared = lock(&shared);
        shared.retain(|trust| trust.strong_count() > 0);
        if let Some(trust) = shared.iter().filter_map(|trust| trust.upgrade()).find(|trust| trust.roots == roots) {
            return trust;
        }
        let (setup, wider) = (OnceCell::new(), OnceCell::new());
        let trust = Arc::new(Trust { roots, setup, wider });
        shared.push(Arc::downgrade(&trust));
        trust
    }

    /// Whom it trusts.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// The set-up, made at the first call. May block on files and on another thread that makes it.
    pub fn setup(&self) -> Result<Arc<Setup>, Error> {
        self.setup.get_or_try_init(|| self.build(self.first_roots()?)).cloned()
    }

    /// A set-up that trusts more, for an issuer that the first does not know: the directories as well as the file.
    pub fn wider(&self) -> Option<Arc<Setup>> {
        let make = || match &self.roots.base {
            Base::System(paths) | Base::SystemElseBundled(paths) if paths.file.is_some() => {
                let more = paths.directory_roots();
                if more.is_empty() {
                    return None;
                }
                let mut roots = self.first_roots().ok()?;
                roots.add(more);
                self.build(roots).ok()
            }
            _ => None,
        };
        self.wider.get_or_init(make).clone()
    }

    fn first_roots(&self) -> Result<Store, Error> {
        let mut store = Store { roots: RootCertStore::empty(), unreadable: 0 };
        match &self.roots.base {
            Base::System(paths) | Base::SystemElseBundled(paths) => {
                store.add(paths.file_roots());
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

    fn build(&self, store: Store) -> Result<Arc<Setup>, Error> {
        let provider =
            rustls::crypto::CryptoProvider { key_provider: &NoKeys, ..rustls::crypto::ring::default_provider() };
        let provider = Arc::new(provider);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(Status::Internal, format!("TLS cannot be set up: {error}")))?
            .with_root_certificates(store.roots)
            .with_no_client_auth();
        Ok(Arc::new(Setup { config: Arc::new(config), unreadable: store.unreadable }))
    }
}

/// What TLS sessions start with.
#[derive(Debug)]
pub struct Setup {
    config: Arc<ClientConfig>,
    unreadable: usize,
}

impl Setup {
    /// Starts a TLS session with the server of this name.
    pub fn session(&self, name: ServerName<'static>) -> Result<(ClientConnection, Arc<Witness>), rustls::Error> {
        let session = ClientConnection::new(self.config.clone(), name)?;
        Ok((session, Arc::new(Witness { unreadable: self.unreadable })))
    }
}

/// What one handshake has seen of the server.
#[derive(Debug)]
pub struct Witness {
    unreadable: usize,
}

/// The other side of a handshake.
pub struct Peer<'a> {
    /// What a message calls it.
    pub shown: &'a str,
    /// The option that names it.
    pub option: &'static str,
}

impl Witness {
    /// Whether the server asked for a client certificate.
    pub fn asked_for_client_certificate(&self) -> bool {
        false
    }

    /// Whether more roots could help: none has the issuer's name, or the one that has it has another key.
    pub fn wants_more_roots(&self, error: &rustls::Error) -> bool {
        use rustls::CertificateError::{BadSignature, UnknownIssuer};
        matches!(error, rustls::Error::InvalidCertificate(UnknownIssuer | BadSignature))
    }

    /// The sentence for a failure.
    pub fn explain(&self, error: &rustls::Error, peer: &Peer<'_>, now: std::time::SystemTime) -> String {
        explain(error, peer.shown, peer.option, self.unreadable, now)
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

/// The sentence for a TLS failure: what is wrong with whose certificate, and what to do. `option` is the one that names
/// the host.
fn explain(error: &rustls::Error, host: &str, option: &str, unreadable: usize, now: std::time::SystemTime) -> String {
    use rustls::CertificateError as Bad;
    let clock = format!("this machine's clock says {}", httpdate::fmt_http_date(now));
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer | Bad::BadSignature => {
                let skipped =
                    if unreadable > 0 { format!(" ({unreadable} roots could not be read)") } else { String::new() };
                format!(
                    "the certificate of {host} is not trusted: its issuer is unknown{skipped}; if it is your own, give its CA as `ca_file`"
                )
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                format!("the certificate of {host} is for another host; check `{option}`")
            }
            Bad::Expired | Bad::ExpiredContext { .. } => {
                format!("the certificate of {host} has expired, or {clock} and is wrong")
            }
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                format!("the certificate of {host} is not valid yet, or {clock} and is wrong")
            }
            Bad::Revoked => format!("the certificate of {host} was revoked"),
            other => format!("the certificate of {host} is not acceptable: {other}"),
        },
        other => format!("TLS with {host} failed: {other}; check that `{option}` names an https port"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_with_the_same_roots_share_one_setup() {
        let roots = || Roots { base: Base::Bundled, ca: Vec::new() };
        let (first, second) = (Trust::shared(roots()), Trust::shared(roots()));
        assert!(Arc::ptr_eq(&first.setup().unwrap(), &second.setup().unwrap()));
        let other = Trust::shared(Roots { base: Base::Nothing, ca: Vec::new() });
        assert!(!Arc::ptr_eq(&first, &other));
    }

    #[test]
    fn a_ca_file_must_hold_certificates_that_can_be_used() {
        for (pem, why) in [
            (&b""[..], "no certificate"),
            (b"hello", "no certificate"),
            (b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "no PEM"),
            (b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n", "certificate 1 of 1"),
        ] {
            let error = read_ca(pem).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_system_without_roots_is_an_error_or_falls_back_to_the_bundled_ones() {
        let nowhere = SystemPaths { file: Some("/nowhere/roots.pem".into()), ..SystemPaths::default() };
        let trust = |base| Trust::shared(Roots { base, ca: Vec::new() });
        let error = trust(Base::System(nowhere.clone())).setup().unwrap_err();
        assert_eq!(error.status(), Status::Tls);
        assert!(error.message().contains("/nowhere/roots.pem"), "{error}");
        assert!(trust(Base::SystemElseBundled(nowhere.clone())).first_roots().unwrap().roots.len() > 100);
        let named = SystemPaths { named: true, ..nowhere };
        assert!(trust(Base::SystemElseBundled(named)).setup().is_err(), "who names a file means no others");
    }
}
