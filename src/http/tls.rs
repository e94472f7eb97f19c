//! A TLS session for one connection: rustls on ring, without a client certificate and without resumption.
//!
//! ring, because the entropy set-up of another provider costs 30 ms.

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::sign::SigningKey;
use rustls::{ClientConfig, ClientConnection, Error};

use crate::sync::Arc;
use crate::trust::{Anchors, Verifier};

/// Starts a TLS session with the server of this name. The verifier trusts these anchors, and explains a failure.
pub fn session(anchors: Arc<Anchors>, name: ServerName<'static>) -> Result<(ClientConnection, Arc<Verifier>), Error> {
    let verifier = Arc::new(Verifier::new(anchors, name.clone()));
    let provider = CryptoProvider { key_provider: &NoKeys, ..ring::default_provider() };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_client_cert_resolver(verifier.clone());
    // rustls resumes a session only with the same verifier, and each session has a separate one. A session ends long
    // before the next login.
    config.resumption = Resumption::disabled();
    // Not inlined: rustls is compiled for size, and this crate for speed. That is 3 KB.
    let connection: fn(_, _) -> _ = ClientConnection::new;
    Ok((std::hint::black_box(connection)(Arc::new(config), name)?, verifier))
}

/// dl_auth never shows a client certificate, so it reads no private key. This keeps the code that signs out of the
/// library.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("private keys are not supported".to_owned()))
    }
}
