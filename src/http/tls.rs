//! A TLS session for one connection: rustls on ring, without a client certificate and without resumption.

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Error};

use crate::sync::Arc;
use crate::trust::{Anchors, Verifier};

/// Starts a TLS session with the server of this name. The verifier trusts these anchors, and explains a failure.
pub fn session(anchors: Arc<Anchors>, name: ServerName<'static>) -> Result<(ClientConnection, Arc<Verifier>), Error> {
    let provider = anchors.provider.clone();
    let verifier = Arc::new(Verifier::new(anchors, name.clone()));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_client_cert_resolver(verifier.clone());
    // rustls resumes a session only with the same verifier, and each session has a separate one. A session ends long
    // before the next login.
    config.resumption = Resumption::disabled();
    // Not inlined, because rustls is compiled for size and this crate for speed. This saves 3 KB.
    let connection: fn(_, _) -> _ = ClientConnection::new;
    Ok((std::hint::black_box(connection)(Arc::new(config), name)?, verifier))
}
