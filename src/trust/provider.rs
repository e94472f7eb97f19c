//! The cryptography of TLS: ring. Another provider was not used, because the set-up of its entropy source costs 30 ms.

use rustls::Error;
use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;

use crate::sync::Arc;

/// The provider of all sessions. Do not use rustls's provider for ring directly: its code for private keys adds 50 KB.
pub fn provider() -> CryptoProvider {
    CryptoProvider { key_provider: &NoKeys, ..ring::default_provider() }
}

/// Refuses every private key. dl_auth never sends a client certificate, so it needs no private key. Without this type,
/// the library would contain code for signatures that it never uses.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("private keys are not supported".to_owned()))
    }
}
