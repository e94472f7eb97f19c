//! The certificates: a CA that only this gate uses, and the kinds of server that a client may meet.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, io, process, time};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// One TLS configuration per kind of server, and the CA to trust.
pub(crate) struct Certs {
    pub ca_pem: String,
    pub good: Arc<ServerConfig>,
    pub wrong_host: Arc<ServerConfig>,
    pub expired: Arc<ServerConfig>,
    pub self_signed: Arc<ServerConfig>,
    pub two_intermediates: Arc<ServerConfig>,
    pub six_intermediates: Arc<ServerConfig>,
}

impl Certs {
    pub fn make() -> Fallible<Self> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, "dl_auth test gate CA");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (authority.not_before, authority.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2049, 12, 31));
        let ca_key = KeyPair::generate()?;
        let ca = authority.self_signed(&ca_key)?;
        let issuer = Issuer::new(authority, ca_key);

        let here = ["localhost", "127.0.0.1", "gate.test"];
        let signed = |names: &[&str], expiry| {
            let (params, key) = leaf(names, expiry)?;
            let cert = params.signed_by(&key, &issuer)?;
            config(vec![cert.der().clone()], &key)
        };
        let (params, key) = leaf(&here, 2049)?;
        let alone = params.self_signed(&key)?;
        Ok(Self {
            good: signed(&here, 2049)?,
            wrong_host: signed(&["elsewhere.invalid"], 2049)?,
            expired: signed(&here, 2001)?,
            self_signed: config(vec![alone.der().clone()], &key)?,
            two_intermediates: chain(2, &here, &issuer)?,
            six_intermediates: chain(6, &here, &issuer)?,
            ca_pem: pem(ca.der()),
        })
    }
}

fn pem(der: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in BASE64.encode(der).as_bytes().chunks(64) {
        text.extend(line.iter().copied().map(char::from).chain(['\n']));
    }
    text + "-----END CERTIFICATE-----\n"
}

fn leaf(names: &[&str], expiry: i32) -> Fallible<(CertificateParams, KeyPair)> {
    let mut params = CertificateParams::new(names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or_default());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true; // strict verifiers, such as Python's, require it
    (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(expiry, 12, 31));
    Ok((params, KeyPair::generate()?))
}

/// A server whose certificate has this many intermediates above it. All their keys are on the curve P-384.
fn chain(intermediates: usize, names: &[&str], root: &Issuer<'_, KeyPair>) -> Fallible<Arc<ServerConfig>> {
    let mut certs = Vec::new();
    let mut above: Option<Issuer<'_, KeyPair>> = None;
    for number in 0..=intermediates {
        let (mut params, _) = leaf(names, 2049)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
        if number < intermediates {
            params.distinguished_name.push(DnType::CommonName, format!("intermediate {number}"));
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        }
        certs.insert(0, params.signed_by(&key, above.as_ref().unwrap_or(root))?.der().clone());
        above = Some(Issuer::new(params, key));
    }
    config(certs, above.ok_or("no certificate")?.key())
}

fn config(certs: Vec<CertificateDer<'static>>, key: &KeyPair) -> Fallible<Arc<ServerConfig>> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certs, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A new folder that only its owner can read, with the CA in it. It is removed when dropped.
pub(crate) struct Folder {
    path: PathBuf,
    ca_file: PathBuf,
}

impl Folder {
    pub fn with_ca(pem: &str) -> io::Result<Self> {
        let nanos = time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        for attempt in 0..100 {
            let path = env::temp_dir().join(format!("dl_auth_gate-{}-{nanos:x}-{attempt}", process::id()));
            match private_folder(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            let folder = Self { ca_file: path.join("ca.pem"), path };
            fs::File::create(&folder.ca_file)?.write_all(pem.as_bytes())?;
            return Ok(folder);
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free name for a temporary folder"))
    }

    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
