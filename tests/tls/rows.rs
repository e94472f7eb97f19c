//! The certificates and the rows of the table.

use dl_auth::Status;

use crate::pki::{CA, Cert, LEAF};

/// The server program, with the options of the row.
#[derive(Clone, Copy)]
pub enum By {
    /// nginx, with lines of its configuration.
    Nginx(&'static str),
    /// nginx without TLS.
    PlainNginx,
    /// `openssl s_server`.
    OpenSsl(&'static [&'static str]),
}

/// A configuration of a server, and the result of a login there.
#[derive(Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    /// The certificates that the server sends. It has the key of the first.
    pub sends: &'static [&'static str],
    pub by: By,
    /// The certificates in the `ca_file`.
    pub trusts: &'static [&'static str],
    pub host: &'static str,
    /// The status of the login; `None`: it returns a token.
    pub status: Option<Status>,
    /// Words that the message must contain, in addition to the host and the port.
    pub says: &'static [&'static str],
    /// Words that the message must not contain.
    pub never: &'static [&'static str],
}

/// The base of the rows: a server whose login succeeds.
const GOOD: Row = Row {
    name: "",
    sends: &["leaf"],
    by: By::Nginx(""),
    trusts: &["ca"],
    host: "localhost",
    status: None,
    says: &[],
    never: &[],
};

const fn good(name: &'static str, sends: &'static [&'static str], trusts: &'static [&'static str]) -> Row {
    Row { name, sends, trusts, ..GOOD }
}

const fn bad(
    name: &'static str,
    sends: &'static [&'static str],
    trusts: &'static [&'static str],
    says: &'static [&'static str],
) -> Row {
    Row { name, sends, trusts, says, status: Some(Status::Tls), ..GOOD }
}

const SELF: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1";
const SELF_CA: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:TRUE";

pub const CERTS: &[Cert] = &[
    CA,
    LEAF,
    // Keys and signatures.
    Cert { name: "leaf-p384", key: "p384", ..LEAF },
    Cert { name: "leaf-p521", key: "p521", ..LEAF },
    Cert { name: "leaf-1024", key: "rsa1024", ..LEAF },
    Cert { name: "leaf-2048", key: "rsa2048", ..LEAF },
    Cert { name: "leaf-4096", key: "rsa4096", ..LEAF },
    Cert { name: "leaf-8192", key: "rsa8192", ..LEAF },
    Cert { name: "leaf-pss", key: "pss2048", ..LEAF },
    Cert { name: "leaf-ed25519", key: "ed25519", ..LEAF },
    Cert { name: "leaf-ed448", key: "ed448", ..LEAF },
    Cert { name: "ca-p384", key: "p384", issuer: "ca-p384", ..CA },
    Cert { name: "ca-p521", key: "p521", issuer: "ca-p521", subject: "/CN=P-521 root", ..CA },
    Cert { name: "ca-1024", key: "rsa1024", issuer: "ca-1024", subject: "/CN=Old appliance", ..CA },
    Cert { name: "ca-2048", key: "rsa2048", issuer: "ca-2048", ..CA },
    Cert { name: "ca-pss", key: "pss2048", issuer: "ca-pss", subject: "/CN=PSS root", ..CA },
    Cert { name: "ca-ed25519", key: "ed25519", issuer: "ca-ed25519", ..CA },
    Cert { name: "ca-ed448", key: "ed448", issuer: "ca-ed448", ..CA },
    Cert { name: "by-p384", issuer: "ca-p384", ..LEAF },
    Cert { name: "by-p384-sha512", issuer: "ca-p384", hash: "sha512", ..LEAF },
    Cert { name: "by-p521", issuer: "ca-p521", ..LEAF },
    Cert { name: "by-p521-sha512", issuer: "ca-p521", hash: "sha512", ..LEAF },
    Cert { name: "by-1024", issuer: "ca-1024", ..LEAF },
    Cert { name: "by-2048-sha1", issuer: "ca-2048", hash: "sha1", ..LEAF },
    Cert { name: "by-2048-sha512", issuer: "ca-2048", hash: "sha512", ..LEAF },
    Cert {
        name: "by-2048-pss",
        issuer: "ca-2048",
        options: &["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"],
        ..LEAF
    },
    Cert { name: "by-pss", issuer: "ca-pss", ..LEAF },
    Cert { name: "by-ed25519", issuer: "ca-ed25519", hash: "null", ..LEAF },
    Cert { name: "by-ed448", issuer: "ca-ed448", hash: "null", ..LEAF },
    // Chains.
    Cert { name: "middle", key: "p256-2", subject: "/CN=Table intermediate", ..CA },
    Cert { name: "below", issuer: "middle", ..LEAF },
    Cert { name: "other", key: "p256-3", issuer: "other", subject: "/CN=Other root", ..CA },
    Cert { name: "namesake", key: "p256-3", issuer: "namesake", ..CA },
    Cert { name: "namesake-rsa", key: "rsa2048", issuer: "namesake-rsa", ..CA },
    Cert { name: "no-ca", key: "p256-2", subject: "/CN=Not a CA", extensions: "basicConstraints=CA:FALSE", ..CA },
    Cert { name: "below-no-ca", issuer: "no-ca", ..LEAF },
    Cert {
        name: "short",
        key: "p256-4",
        subject: "/CN=Short CA",
        extensions: "basicConstraints=critical,CA:TRUE,pathlen:0",
        ..CA
    },
    Cert { name: "below-short", key: "p256-5", subject: "/CN=Deep CA", issuer: "short", ..CA },
    Cert { name: "deep", issuer: "below-short", ..LEAF },
    Cert {
        name: "permits",
        key: "p256-2",
        subject: "/CN=Constrained CA",
        extensions: "basicConstraints=critical,CA:TRUE\nnameConstraints=critical,permitted;DNS:example,permitted;IP:127.0.0.0/255.0.0.0",
        ..CA
    },
    Cert { name: "permitted", issuer: "permits", extensions: "subjectAltName=DNS:gate.example", ..LEAF },
    Cert { name: "not-permitted", issuer: "permits", ..LEAF },
    Cert {
        name: "excludes",
        key: "p256-2",
        subject: "/CN=Excluding CA",
        extensions: "basicConstraints=critical,CA:TRUE\nnameConstraints=critical,excluded;DNS:localhost",
        ..CA
    },
    Cert { name: "excluded", issuer: "excludes", ..LEAF },
    // Times.
    Cert { name: "expired", years: (2010, 2020), ..LEAF },
    Cert { name: "early", years: (2044, 2045), ..LEAF },
    Cert { name: "expired-middle", key: "p256-2", subject: "/CN=Expired CA", years: (2010, 2020), ..CA },
    Cert { name: "below-expired", issuer: "expired-middle", ..LEAF },
    Cert {
        name: "expired-ca",
        key: "p256-4",
        subject: "/CN=Expired root",
        issuer: "expired-ca",
        years: (2010, 2020),
        ..CA
    },
    Cert { name: "by-expired-ca", issuer: "expired-ca", ..LEAF },
    // Names.
    Cert { name: "wildcard", extensions: "subjectAltName=DNS:*.gate.example", ..LEAF },
    Cert { name: "ip", subject: "/CN=ip", extensions: "subjectAltName=IP:127.0.0.1", ..LEAF },
    Cert { name: "ip-as-dns", extensions: "subjectAltName=DNS:127.0.0.1", ..LEAF },
    Cert { name: "cn-only", extensions: "basicConstraints=critical,CA:FALSE", ..LEAF },
    Cert { name: "cn-ip", subject: "/CN=127.0.0.1", extensions: "basicConstraints=critical,CA:FALSE", ..LEAF },
    Cert {
        name: "elsewhere",
        extensions: "subjectAltName=DNS:a.example,DNS:b.example,DNS:c.example,DNS:d.example",
        ..LEAF
    },
    Cert {
        name: "mail-first",
        extensions: "subjectAltName=email:a@b.example,email:c@b.example,URI:https://d.example,DNS:e.example,IP:127.0.0.9",
        ..LEAF
    },
    Cert {
        name: "hostile",
        subject: "/CN=x\n\u{1b}[31m{Some(\"y\")}",
        extensions: "basicConstraints=CA:FALSE",
        ..LEAF
    },
    // Extensions.
    Cert { name: "client-only", extensions: "subjectAltName=DNS:localhost\nextendedKeyUsage=clientAuth", ..LEAF },
    Cert { name: "critical", extensions: "subjectAltName=DNS:localhost\n1.2.3.4=critical,DER:0500", ..LEAF },
    Cert { name: "leaf-ca", extensions: SELF_CA, ..LEAF },
    // Versions.
    Cert { name: "v1", extensions: "", ..LEAF },
    Cert { name: "v1-ca", key: "p256-4", subject: "/CN=V1 root", issuer: "v1-ca", extensions: "", ..CA },
    Cert { name: "by-v1-ca", issuer: "v1-ca", ..LEAF },
    Cert { name: "v1-middle", key: "p256-2", subject: "/CN=V1 CA", extensions: "", ..CA },
    Cert { name: "by-v1-middle", issuer: "v1-middle", ..LEAF },
    // Self-signed.
    Cert { name: "self-ca", issuer: "self-ca", extensions: SELF_CA, ..LEAF },
    Cert { name: "self-no-ca", issuer: "self-no-ca", extensions: SELF, ..LEAF },
    Cert { name: "self-rsa", key: "rsa2048", issuer: "self-rsa", extensions: SELF_CA, ..LEAF },
    Cert { name: "self-sha1", key: "rsa2048", issuer: "self-sha1", extensions: SELF_CA, hash: "sha1", ..LEAF },
    Cert { name: "self-sha512", key: "p384", issuer: "self-sha512", extensions: SELF_CA, hash: "sha512", ..LEAF },
    Cert { name: "self-1024", key: "rsa1024", issuer: "self-1024", extensions: SELF_CA, ..LEAF },
    Cert { name: "self-other", key: "p256-3", issuer: "self-other", extensions: SELF_CA, ..LEAF },
    Cert { name: "self-expired", issuer: "self-expired", extensions: SELF_CA, years: (2010, 2020), ..LEAF },
    Cert { name: "self-early", issuer: "self-early", extensions: SELF_CA, years: (2044, 2045), ..LEAF },
    Cert { name: "self-no-san", issuer: "self-no-san", extensions: "basicConstraints=CA:TRUE", ..LEAF },
    Cert {
        name: "self-client",
        issuer: "self-client",
        extensions: "subjectAltName=DNS:localhost\nbasicConstraints=CA:TRUE\nextendedKeyUsage=clientAuth",
        ..LEAF
    },
    Cert {
        name: "self-ca-false",
        issuer: "self-ca-false",
        extensions: "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyCertSign",
        ..LEAF
    },
    Cert { name: "by-self-ca-false", subject: "/CN=x", issuer: "self-ca-false", ..LEAF },
    Cert { name: "by-self-no-ca", subject: "/CN=x", issuer: "self-no-ca", ..LEAF },
    Cert {
        name: "signs-ca",
        key: "p256-2",
        subject: "/CN=Key usage root",
        issuer: "signs-ca",
        extensions: "keyUsage=keyCertSign",
        ..CA
    },
    Cert { name: "by-signs-ca", issuer: "signs-ca", ..LEAF },
    Cert { name: "self-v1", issuer: "self-v1", extensions: "", ..LEAF },
    Cert { name: "self-v1-rsa", key: "rsa2048", issuer: "self-v1-rsa", extensions: "", ..LEAF },
    Cert { name: "self-v1-ip", subject: "/CN=127.0.0.1", issuer: "self-v1-ip", extensions: "", ..LEAF },
    Cert { name: "self-v1-expired", issuer: "self-v1-expired", extensions: "", years: (2010, 2020), ..LEAF },
];

const NO_COMMON: &[&str] = &["in common", "P-384", "2048"];
const CLIENT: &[&str] = &["client certificate", "does not support", "`url`"];
const OLD: &[&str] = &["neither TLS 1.2 nor TLS 1.3", "enable"];

pub const ROWS: &[Row] = &[
    // Keys and signatures.
    good("ECDSA P-256", &["leaf"], &["ca"]),
    good("ECDSA P-384", &["leaf-p384"], &["ca"]),
    good("RSA 2048", &["leaf-2048"], &["ca"]),
    good("RSA 4096", &["leaf-4096"], &["ca"]),
    good("RSA 8192", &["leaf-8192"], &["ca"]),
    good("Ed25519", &["leaf-ed25519"], &["ca"]),
    good("signed with Ed25519", &["by-ed25519"], &["ca-ed25519"]),
    good("signed with P-384", &["by-p384"], &["ca-p384"]),
    good("signed with RSA and SHA-512", &["by-2048-sha512"], &["ca-2048"]),
    good("signed with RSA-PSS by an RSA key", &["by-2048-pss"], &["ca-2048"]),
    bad("ECDSA P-521", &["leaf-p521"], &["ca"], NO_COMMON),
    bad("RSA-PSS key", &["leaf-pss"], &["ca"], NO_COMMON),
    bad("Ed448", &["leaf-ed448"], &["ca"], NO_COMMON),
    bad("RSA 1024", &["leaf-1024"], &["ca"], &["RSA key of 1024 bits", "2048", "certificate of localhost"]),
    Row {
        by: By::Nginx("ssl_protocols TLSv1.2;"),
        ..bad("RSA 1024 in TLS 1.2", &["leaf-1024"], &["ca"], &["RSA key of 1024 bits", "2048"])
    },
    bad("RSA 1024 CA", &["by-1024"], &["ca-1024"], &["\"Old appliance\"", "RSA key of 1024 bits", "replace that CA"]),
    bad("P-521 CA, SHA-256", &["by-p521"], &["ca-p521"], &["\"P-521 root\"", "ECDSA P-521", "P-384"]),
    bad("P-521 CA, SHA-512", &["by-p521-sha512"], &["ca-p521"], &["ecdsa-with-SHA512", "SHA-384"]),
    bad("ECDSA with SHA-512", &["by-p384-sha512"], &["ca-p384"], &["ecdsa-with-SHA512", "dl_auth cannot verify"]),
    bad("SHA-1", &["by-2048-sha1"], &["ca-2048"], &["sha1WithRSAEncryption", "no longer safe", "SHA-256"]),
    bad("RSA-PSS CA", &["by-pss"], &["ca-pss"], &["rsassaPss"]),
    bad("Ed448 CA", &["by-ed448"], &["ca-ed448"], &["Ed448", "dl_auth cannot verify"]),
    // Chains.
    good("with its intermediate", &["below", "middle"], &["ca"]),
    good("an intermediate as root", &["below"], &["middle"]),
    good("with an intermediate that no path needs", &["leaf", "middle"], &["ca"]),
    bad(
        "missing intermediate",
        &["below"],
        &["ca"],
        &["not trusted", "\"Table intermediate\"", "intermediate CA, configure"],
    ),
    bad("another CA", &["leaf"], &["other"], &["not trusted", "\"Table root\"", "`ca_file`"]),
    bad(
        "another CA, with an intermediate",
        &["below", "middle"],
        &["other"],
        &["\"Table root\"", "its CA \"Table intermediate\""],
    ),
    bad("another CA, and the root sent", &["leaf", "ca"], &["other"], &["its root CA \"Table root\" is unknown"]),
    bad(
        "the server's own certificate as root",
        &["leaf"],
        &["leaf"],
        &["CA \"Table root\"", "give that CA as `ca_file`"],
    ),
    bad("a CA of the same name", &["leaf"], &["namesake"], &["does not verify", "\"Table root\"", "`ca_file`"]),
    bad(
        "a CA of the same name and RSA",
        &["leaf"],
        &["namesake-rsa"],
        &["\"Table root\"", "does not verify", "`ca_file`"],
    ),
    bad(
        "a CA of the same name, and the old root sent",
        &["leaf", "ca"],
        &["namesake"],
        &["the certificate of localhost", "trusted CA \"Table root\"", "new key", "`ca_file`"],
    ),
    bad(
        "a CA of the same name, and the whole old chain sent",
        &["below", "middle", "ca"],
        &["namesake-rsa"],
        &["CA certificate \"Table intermediate\"", "trusted CA \"Table root\"", "new key"],
    ),
    bad("no CA as intermediate", &["below-no-ca", "no-ca"], &["ca"], &["\"Not a CA\"", "CA:TRUE"]),
    bad("path length", &["deep", "below-short", "short"], &["ca"], &["\"Short CA\"", "path length"]),
    bad("a CA's own certificate", &["leaf-ca"], &["ca"], &["CA:FALSE"]),
    Row { host: "gate.example", ..good("permitted name", &["permitted", "permits"], &["ca"]) },
    bad(
        "name that is not permitted",
        &["not-permitted", "permits"],
        &["ca"],
        &["name constraints", "\"localhost\", 127.0.0.1"],
    ),
    bad("excluded name", &["excluded", "excludes"], &["ca"], &["name constraints", "localhost"]),
    good("a whole chain as ca_file", &["below", "middle"], &["below", "middle", "ca"]),
    good("a root with keyCertSign alone", &["by-signs-ca"], &["signs-ca"]),
    // Times.
    bad("expired", &["expired"], &["ca"], &["certificate of localhost", "has expired on Wed, 01 Jan 2020", "clock"]),
    bad("not valid yet", &["early"], &["ca"], &["not valid yet: it begins on Fri, 01 Jan 2044", "clock"]),
    bad(
        "expired intermediate",
        &["below-expired", "expired-middle"],
        &["ca"],
        &["CA certificate \"Expired CA\"", "has expired"],
    ),
    // A root certificate is only a name and a key. Its dates are not part of the path (RFC 5280, section 6.1).
    good("expired root", &["by-expired-ca"], &["expired-ca"]),
    // Names.
    Row { host: "a.gate.example", ..good("wildcard", &["wildcard"], &["ca"]) },
    Row {
        host: "a.b.gate.example",
        ..bad(
            "wildcard for one label",
            &["wildcard"],
            &["ca"],
            &["another host", "names \"*.gate.example\"", "through the proxy"],
        )
    },
    Row { host: "127.0.0.1", ..good("IP in subjectAltName", &["ip"], &["ca"]) },
    bad("IP alone", &["ip"], &["ca"], &["another host", "it names 127.0.0.1, and not localhost"]),
    Row {
        host: "127.0.0.1",
        ..bad("IP as DNS name", &["ip-as-dns"], &["ca"], &["as a DNS name", "subjectAltName=IP:127.0.0.1"])
    },
    bad(
        "CN only",
        &["cn-only"],
        &["ca"],
        &["no subjectAltName", "common name \"localhost\"", "subjectAltName=DNS:localhost"],
    ),
    Row {
        host: "127.0.0.1",
        ..bad("IP in CN only", &["cn-ip"], &["ca"], &["no subjectAltName", "subjectAltName=IP:127.0.0.1"])
    },
    bad(
        "another host",
        &["elsewhere"],
        &["ca"],
        &["another host", "\"a.example\", \"b.example\", \"c.example\" and 1 more", "`url`"],
    ),
    bad("names of other kinds", &["mail-first"], &["ca"], &["names \"e.example\", 127.0.0.9, one", "and 2 more"]),
    bad("hostile name", &["hostile"], &["ca"], &["no subjectAltName"]),
    // Extensions.
    bad("for clients only", &["client-only"], &["ca"], &["not for servers", "serverAuth"]),
    bad("unknown critical extension", &["critical"], &["ca"], &["critical extension", "OID 1.2.3.4"]),
    // Versions.
    bad("v1", &["v1"], &["ca"], &["certificate of localhost", "version 1", "version 3"]),
    good("v1 root", &["by-v1-ca"], &["v1-ca"]),
    bad("v1 intermediate", &["by-v1-middle", "v1-middle"], &["ca"], &["CA certificate \"V1 CA\"", "version 1"]),
    // Self-signed.
    good("pinned, CA:TRUE", &["self-ca"], &["self-ca"]),
    good("pinned, CA:FALSE", &["self-no-ca"], &["self-no-ca"]),
    Row { host: "127.0.0.1", ..good("pinned, by address", &["self-ca"], &["self-ca"]) },
    Row { by: By::Nginx("ssl_protocols TLSv1.2;"), ..good("pinned, TLS 1.2", &["self-rsa"], &["self-rsa"]) },
    good("pinned, among others", &["self-ca"], &["ca", "self-other", "self-ca"]),
    good("pinned, SHA-1", &["self-sha1"], &["self-sha1"]),
    good("pinned, ECDSA with SHA-512", &["self-sha512"], &["self-sha512"]),
    bad("pinned, RSA 1024", &["self-1024"], &["self-1024"], &["RSA key of 1024 bits"]),
    bad("not pinned, CA:TRUE", &["self-ca"], &["other"], &["self-signed", "give it as `ca_file`"]),
    bad("not pinned, CA:FALSE", &["self-no-ca"], &["other"], &["self-signed", "give it as `ca_file`"]),
    bad("not pinned, v1", &["self-v1"], &["other"], &["self-signed", "give it as `ca_file`"]),
    bad(
        "another pinned of the same name",
        &["self-ca"],
        &["self-other"],
        &["self-signed", "does not have exactly this", "`ca_file`"],
    ),
    Row {
        host: "gate.example",
        ..bad("pinned, wrong host", &["self-ca"], &["self-ca"], &["another host", "\"localhost\", 127.0.0.1"])
    },
    bad("pinned, expired", &["self-expired"], &["self-expired"], &["has expired", "clock"]),
    bad("pinned, not valid yet", &["self-early"], &["self-early"], &["not valid yet", "clock"]),
    bad("pinned, without a name", &["self-no-san"], &["self-no-san"], &["no subjectAltName", "localhost"]),
    bad("pinned, for clients only", &["self-client"], &["self-client"], &["serverAuth"]),
    good("pinned, CA:FALSE with keyCertSign", &["self-ca-false"], &["self-ca-false"]),
    bad("by a pinned CA:FALSE", &["by-self-ca-false"], &["self-ca-false"], &["may not issue", "CA:TRUE", "`ca_file`"]),
    bad(
        "by a pinned CA:FALSE that is sent",
        &["by-self-ca-false", "self-ca-false"],
        &["self-ca-false"],
        &["may not issue", "CA:TRUE"],
    ),
    bad("by a pinned certificate", &["by-self-no-ca"], &["self-no-ca"], &["may not issue", "CA:TRUE", "`ca_file`"]),
    bad(
        "by a pinned certificate that is sent",
        &["by-self-no-ca", "self-no-ca"],
        &["ca", "self-no-ca"],
        &["may not issue", "CA:TRUE"],
    ),
    bad(
        "another pinned of the same name, CA:FALSE",
        &["self-ca"],
        &["self-no-ca"],
        &["self-signed", "does not have exactly this", "`ca_file`"],
    ),
    bad("a certificate of the same name as the given leaf", &["leaf"], &["leaf-p384"], &["\"Table root\"", "unknown"]),
    good("pinned v1", &["self-v1"], &["self-v1"]),
    Row { by: By::Nginx("ssl_protocols TLSv1.2;"), ..good("pinned v1, TLS 1.2", &["self-v1"], &["self-v1"]) },
    Row {
        by: By::Nginx("ssl_protocols TLSv1.2;"),
        ..good("pinned v1, RSA, TLS 1.2", &["self-v1-rsa"], &["self-v1-rsa"])
    },
    good("pinned v1, RSA", &["self-v1-rsa"], &["self-v1-rsa"]),
    Row { host: "127.0.0.1", ..good("pinned v1, by address", &["self-v1-ip"], &["self-v1-ip"]) },
    Row {
        host: "127.0.0.1",
        ..bad("pinned v1, wrong host", &["self-v1"], &["self-v1"], &["another host", "common name is \"localhost\""])
    },
    bad("pinned v1, expired", &["self-v1-expired"], &["self-v1-expired"], &["has expired"]),
    // The protocol.
    Row { by: By::Nginx("ssl_protocols TLSv1;"), ..bad("TLS 1.0 alone", &["leaf-2048"], &["ca"], OLD) },
    Row { by: By::Nginx("ssl_protocols TLSv1.1;"), ..bad("TLS 1.1 alone", &["leaf-2048"], &["ca"], OLD) },
    Row { by: By::Nginx("ssl_protocols TLSv1.2;"), ..good("TLS 1.2 alone", &["leaf"], &["ca"]) },
    Row { by: By::Nginx("ssl_protocols TLSv1.3;"), ..good("TLS 1.3 alone", &["leaf"], &["ca"]) },
    Row {
        by: By::Nginx("ssl_protocols TLSv1.2; ssl_ciphers AES128-GCM-SHA256:@SECLEVEL=0;"),
        ..bad("no shared cipher", &["leaf-2048"], &["ca"], NO_COMMON)
    },
    Row { by: By::Nginx("ssl_ecdh_curve secp384r1;"), ..good("HelloRetryRequest", &["leaf"], &["ca"]) },
    Row { by: By::Nginx("ssl_ecdh_curve secp521r1;"), ..bad("no shared curve", &["leaf"], &["ca"], NO_COMMON) },
    Row {
        by: By::Nginx("ssl_reject_handshake on;"),
        ..bad("unknown name", &["leaf"], &["ca"], &["no certificate for the name localhost", "`url`"])
    },
    Row {
        by: By::PlainNginx,
        ..bad("no TLS", &["leaf"], &["ca"], &["does not answer in TLS", "`url` names an https port"])
    },
    Row {
        by: By::OpenSsl(&["-tls1_2", "-Verify", "1"]),
        ..bad("client certificate, TLS 1.2", &["leaf"], &["ca"], CLIENT)
    },
    Row {
        by: By::OpenSsl(&["-tls1_3", "-Verify", "1"]),
        ..bad("client certificate, TLS 1.3", &["leaf"], &["ca"], CLIENT)
    },
    // nginx completes the handshake, and then answers 400 with an HTML page.
    Row {
        by: By::Nginx("ssl_protocols TLSv1.2; ssl_verify_client on; ssl_client_certificate ca.pem;"),
        ..bad("client certificate, nginx, TLS 1.2", &["leaf"], &["ca"], CLIENT)
    },
    Row {
        by: By::Nginx("ssl_protocols TLSv1.3; ssl_verify_client on; ssl_client_certificate ca.pem;"),
        ..bad("client certificate, nginx, TLS 1.3", &["leaf"], &["ca"], CLIENT)
    },
];
