//! The cryptography of TLS: ring, because the entropy set-up of another provider costs 30 ms.

use rustls::Error;
use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;

use crate::sync::Arc;

/// The provider of all sessions. Do not use ring's own elsewhere: its code for private keys is 50 KB.
pub fn provider() -> CryptoProvider {
    CryptoProvider { key_provider: &NoKeys, ..ring::default_provider() }
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
