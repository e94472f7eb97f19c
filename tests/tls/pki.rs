//! Keys and certificates, made by the `openssl` command.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Scratch, run};

/// The content of a certificate. See [`LEAF`] and [`CA`].
#[derive(Clone, Copy)]
pub struct Cert {
    /// The name of its file and of the file of its key.
    pub name: &'static str,
    /// The kind of its key, see `Pki::key`.
    pub key: &'static str,
    /// The distinguished name.
    pub subject: &'static str,
    /// The name of the certificate that signs it, or its own.
    pub issuer: &'static str,
    /// Lines of OpenSSL's configuration. Without lines, the certificate has version 1.
    pub extensions: &'static str,
    pub hash: &'static str,
    /// It is valid from the first year to the second.
    pub years: (u16, u16),
    /// More options of `openssl ca`.
    pub options: &'static [&'static str],
}

/// The base of the certificates for localhost.
pub const LEAF: Cert = Cert {
    name: "leaf",
    key: "p256",
    subject: "/CN=localhost",
    issuer: "ca",
    extensions: "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE",
    hash: "sha256",
    years: (2020, 2045),
    options: &[],
};

/// The base of the root certificates.
pub const CA: Cert = Cert {
    name: "ca",
    key: "p256",
    subject: "/CN=Table root",
    issuer: "ca",
    extensions: "basicConstraints=critical,CA:TRUE",
    ..LEAF
};

/// A directory of keys and certificates.
pub struct Pki {
    scratch: Scratch,
    made: RefCell<HashSet<String>>,
}

impl Pki {
    pub fn new() -> Pki {
        let scratch = Scratch::new("tls");
        fs::write(
            scratch.0.join("ca.cnf"),
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\nunique_subject=no\npolicy=p\n\
             email_in_dn=yes\npreserve=yes\n[p]\ncommonName=optional\n[req]\ndistinguished_name=n\n[n]\n",
        )
        .unwrap();
        fs::write(scratch.0.join("index"), "").unwrap();
        Pki { scratch, made: RefCell::default() }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.scratch.0.join(file)
    }

    pub fn directory(&self) -> &Path {
        &self.scratch.0
    }

    /// A key, made once for each kind and number: "p256", "rsa2048", "p256-2".
    fn key(&self, kind: &str) -> String {
        let file = format!("{kind}.key");
        if self.made.borrow_mut().insert(kind.to_owned()) {
            self.generate(kind, &file);
        }
        file
    }

    fn generate(&self, kind: &str, file: &str) {
        let (name, options): (_, &[&str]) = match kind.split('-').next().unwrap() {
            "p256" => ("EC", &["ec_paramgen_curve:P-256"]),
            "p384" => ("EC", &["ec_paramgen_curve:P-384"]),
            "p521" => ("EC", &["ec_paramgen_curve:P-521"]),
            "ed25519" => ("ED25519", &[]),
            "ed448" => ("ED448", &[]),
            "pss2048" => ("RSA-PSS", &["rsa_keygen_bits:2048"]),
            "rsa1024" => ("RSA", &["rsa_keygen_bits:1024"]),
            "rsa2048" => ("RSA", &["rsa_keygen_bits:2048"]),
            // More primes are found sooner, and the public key looks like any other.
            "rsa4096" => ("RSA", &["rsa_keygen_bits:4096", "rsa_keygen_primes:4"]),
            "rsa8192" => ("RSA", &["rsa_keygen_bits:8192", "rsa_keygen_primes:5"]),
            other => panic!("unknown kind of key: {other}"),
        };
        let mut arguments = vec!["genpkey", "-algorithm", name, "-out", file];
        options.iter().for_each(|option| arguments.extend(["-pkeyopt", option]));
        self.openssl(&arguments);
    }

    fn openssl(&self, arguments: &[&str]) {
        run(Command::new("openssl").current_dir(self.directory()).env("OPENSSL_CONF", "ca.cnf").args(arguments));
    }

    /// Makes a certificate, `{name}.pem`, with a key, `{name}.key`. The certificate of the issuer must exist.
    pub fn make(&self, cert: &Cert) {
        let key = self.key(cert.key);
        let (own, csr, out) =
            (format!("{}.key", cert.name), format!("{}.csr", cert.name), format!("{}.pem", cert.name));
        fs::copy(self.path(&key), self.path(&own)).unwrap();
        self.openssl(&["req", "-new", "-utf8", "-key", &own, "-subj", cert.subject, "-out", &csr]);
        let (from, until) = (format!("{}0101000000Z", cert.years.0), format!("{}0101000000Z", cert.years.1));
        let hash = if cert.key.starts_with("ed") && cert.issuer == cert.name { "null" } else { cert.hash };
        let mut arguments = vec!["ca", "-batch", "-notext", "-config", "ca.cnf", "-in", &csr, "-out", &out];
        arguments.extend(["-startdate", &from, "-enddate", &until, "-md", hash]);
        let issuer = (format!("{}.pem", cert.issuer), format!("{}.key", cert.issuer));
        if cert.issuer == cert.name {
            arguments.extend(["-selfsign", "-keyfile", &own]);
        } else {
            arguments.extend(["-cert", &issuer.0, "-keyfile", &issuer.1]);
        }
        let extensions = format!("{}.ext", cert.name);
        if !cert.extensions.is_empty() {
            fs::write(self.path(&extensions), format!("[e]\n{}\n", cert.extensions)).unwrap();
            arguments.extend(["-extfile", &extensions, "-extensions", "e"]);
        }
        arguments.extend(cert.options);
        self.openssl(&arguments);
    }

    /// Joins PEM files: the chain that a server sends, or a `ca_file`.
    pub fn join(&self, names: &[&str]) -> PathBuf {
        let path = self.path(&format!("joined-{}.pem", names.join("+")));
        let text: String =
            names.iter().map(|name| fs::read_to_string(self.path(&format!("{name}.pem"))).unwrap()).collect();
        fs::write(&path, text).unwrap();
        path
    }
}
