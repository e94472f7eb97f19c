//! Verifies servers' certificates, and keeps the certificates of a failed handshake.
//!
//! A certificate of `ca_file` that names itself as its issuer is pinned: a server that shows exactly this certificate
//! is trusted if the host name, the validity and the extended key usage fit. webpki verifies everything else.

use std::fmt;
use std::hint::black_box; // prevents inlining of rustls into this crate, which is compiled for speed: saves 10 KB
use std::net::IpAddr;
use std::time::SystemTime;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, RootCertStore, SignatureScheme};
use webpki::RawPublicKeyEntity;

use super::Certificate;
use super::der::X509;
use super::explain::{Peer, Report};
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock};

/// The certificates that are trusted.
pub struct Anchors {
    pub roots: RootCertStore,
    /// The certificates of `ca_file`. The CA certificates among them are also in the roots.
    pub ca_file: Vec<Certificate>,
    /// The number of roots that could not be read, and therefore are not trusted.
    pub unreadable: usize,
    /// The cryptography, which all sessions share.
    pub provider: Arc<CryptoProvider>,
}

impl Anchors {
    /// Whether this certificate is in `ca_file`, and names itself as its issuer.
    pub fn pins(&self, certificate: &CertificateDer<'_>) -> bool {
        self.ca_file.iter().any(|other| other == certificate)
            && X509::read(certificate).is_some_and(|read| read.is_self_issued())
    }

    /// The key of a pinned certificate that webpki cannot read, because its version is not 3.
    fn key_of_old(&self, certificate: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
        let old = X509::read(certificate).filter(|read| read.version < 3 && self.pins(certificate))?;
        Some(SubjectPublicKeyInfoDer::from(old.key.to_vec()))
    }

    fn verify_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.pins(end_entity) {
            return verify_pinned(end_entity, name, now);
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let signed: fn(&_, &_, &[_], _, &_) -> _ = verify_server_cert_signed_by_trust_anchor;
        black_box(signed)(
            &certificate,
            &self.roots,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        verify_server_name(&certificate, name)
    }

    fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        tls13: bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(key) = self.key_of_old(certificate) else {
            let verify: fn(&[u8], &CertificateDer<'_>, &_, &_) -> _ =
                if tls13 { verify_tls13_signature } else { verify_tls12_signature };
            return black_box(verify)(message, certificate, signed, &self.provider.signature_verification_algorithms);
        };
        let verify: fn(&[u8], &SubjectPublicKeyInfoDer<'_>, &_, &_) -> _ =
            if tls13 { verify_tls13_signature_with_raw_key } else { verify_tls12_signature_with_raw_key };
        black_box(verify)(message, &key, signed, &self.provider.signature_verification_algorithms)
    }
}

/// Verifies a certificate that is pinned: the user has given exactly this certificate. Its signature is not checked,
/// because it would prove nothing more. Whether it may issue others is not checked, because it has issued no other
/// certificate of this chain.
fn verify_pinned(certificate: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), Error> {
    let read = X509::read(certificate).ok_or(CertificateError::BadEncoding)?;
    let [not_before, not_after] =
        [read.validity.0, read.validity.1].map(|time| UnixTime::since_unix_epoch(std::time::Duration::from_secs(time)));
    if now < not_before {
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    if !read.is_for_servers() {
        return Err(CertificateError::InvalidPurpose.into());
    }
    if read.version >= 3 {
        return verify_server_name(&ParsedCertificate::try_from(certificate)?, name);
    }
    // Older versions have no extensions, and so no subjectAltName.
    let host = name.to_str();
    let address: Option<IpAddr> = host.parse().ok();
    let fits = |common: &String| match address {
        Some(address) => common.parse() == Ok(address),
        None => common.eq_ignore_ascii_case(&host),
    };
    if read.common_names().iter().any(fits) { Ok(()) } else { Err(CertificateError::NotValidForName.into()) }
}

/// The TLS 1.2 form of a function that rustls has only for TLS 1.3.
fn verify_tls12_signature_with_raw_key(
    message: &[u8],
    key: &SubjectPublicKeyInfoDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let (_, candidates) = algorithms
        .mapping
        .iter()
        .find(|(scheme, _)| *scheme == signed.scheme)
        .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    let key = RawPublicKeyEntity::try_from(key).map_err(|_| CertificateError::BadEncoding)?;
    let valid =
        candidates.iter().any(|algorithm| key.verify_signature(*algorithm, message, signed.signature()).is_ok());
    if valid { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
}

/// Verifies the server of one handshake, and explains a failure.
pub struct Verifier {
    anchors: Arc<Anchors>,
    name: ServerName<'static>,
    asked: AtomicBool,
    seen: Mutex<Option<Rejected>>,
}

/// The certificates that were rejected.
pub struct Rejected {
    /// The certificates that the server sent. Its own certificate is the first one.
    pub chain: Vec<Certificate>,
    /// Whether the chain was accepted, and only the server's signature of the handshake was not.
    pub trusted: bool,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    /// A verifier for a session with the server of this name.
    pub fn new(anchors: Arc<Anchors>, name: ServerName<'static>) -> Verifier {
        Verifier { anchors, name, asked: AtomicBool::new(false), seen: Mutex::new(None) }
    }

    /// Whether the server asked for a client certificate. It got none.
    pub fn asked_for_client_certificate(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Whether more roots could help: no root has the issuer's name, or the root with that name has another key.
    pub fn needs_more_roots(&self, error: &Error) -> bool {
        use CertificateError::{BadSignature, UnknownIssuer, UnsupportedSignatureAlgorithmForPublicKeyContext};
        let other_key = matches!(
            error,
            Error::InvalidCertificate(
                UnknownIssuer | BadSignature | UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
            )
        );
        other_key && lock(&self.seen).as_ref().is_some_and(|seen| !seen.trusted)
    }

    /// The sentence for a failure: what is wrong, with which certificate or with TLS, and what to do.
    #[inline(never)]
    pub fn explain(&self, error: &Error, peer: &Peer<'_>, now: SystemTime) -> String {
        let seen = lock(&self.seen);
        let report = Report {
            anchors: &self.anchors,
            host: &self.name.to_str(),
            seen: seen.as_ref(),
            asked: self.asked_for_client_certificate(),
            peer,
            now,
        };
        report.sentence(error)
    }

    fn remember<'a>(&self, certificates: impl Iterator<Item = &'a CertificateDer<'a>>, trusted: bool) {
        // A server may send many certificates in any order, but a path has only a few.
        let chain = certificates.take(64).map(|certificate| certificate.clone().into_owned()).collect();
        *lock(&self.seen) = Some(Rejected { chain, trusted });
    }

    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        tls13: bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        let outcome = self.anchors.verify_signature(message, certificate, signed, tls13);
        if outcome.is_err() {
            self.remember(std::iter::once(certificate), true);
        }
        outcome
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let outcome = self.anchors.verify_chain(end_entity, intermediates, name, now);
        if outcome.is_err() {
            self.remember(std::iter::once(end_entity).chain(intermediates), false);
        }
        outcome.map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.anchors.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Verifier {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<std::sync::Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
