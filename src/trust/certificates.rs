//! Sentences that say what is wrong with a certificate.

use std::hint::black_box;

use rustls::CertificateError as Bad;
use rustls::pki_types::{SubjectPublicKeyInfoDer, TrustAnchor};
use webpki::RawPublicKeyEntity;

use super::der::{Name, X509, key_algorithm, rsa_bits};
use super::explain::{Report, date};
use super::words::{algorithm, clean, in_quotes, key, numbers, quoted, words};
use crate::secret::Secrets;

/// The server's certificate, and the certificates above it that the server sent.
fn path<'a>(chain: &'a [X509<'a>]) -> Vec<&'a X509<'a>> {
    let mut path: Vec<&X509<'_>> = chain.first().into_iter().collect();
    while let Some(last) = path.last().filter(|last| !last.is_self_issued() && path.len() < chain.len()) {
        let Some(issuer) = chain.iter().skip(1).find(|next| next.subject == last.issuer) else { break };
        path.push(issuer);
    }
    path
}

/// The keys that dl_auth can verify with.
const KEYS: &str = "an RSA key, or an ECDSA key on P-256 or P-384";

/// The certificates of a failed handshake.
pub struct Certificates<'a> {
    report: &'a Report<'a>,
    chain: &'a [X509<'a>],
    path: Vec<&'a X509<'a>>,
}

impl<'a> Certificates<'a> {
    /// The certificates that the server sent. Its own certificate is the first one.
    pub fn new(report: &'a Report<'a>, chain: &'a [X509<'a>]) -> Certificates<'a> {
        Certificates { report, path: path(chain), chain }
    }

    /// The secrets to remove from the names in certificates.
    fn secrets(&self) -> &Secrets {
        self.report.peer.secrets
    }

    /// The start of a message: it names the certificate of the server, or one above it.
    fn whose(&self, certificate: Option<&X509<'_>>) -> String {
        let shown = self.report.peer.shown;
        match (certificate, self.chain.first()) {
            (Some(certificate), Some(first)) if !std::ptr::eq(certificate, first) => {
                format!("the CA certificate {} that {shown} sends", quoted(certificate.subject, self.secrets()))
            }
            _ => format!("the certificate of {shown}"),
        }
    }

    /// A sentence about a certificate.
    fn say(&self, certificate: Option<&X509<'_>>, fault: &str) -> String {
        format!("{} {fault}", self.whose(certificate))
    }

    /// The first certificate with this property. The certificates in the path are searched first.
    fn find(&self, is: impl Fn(&X509<'_>) -> bool) -> Option<&X509<'_>> {
        self.path.iter().copied().chain(self.chain).find(|certificate| is(certificate))
    }

    /// The sentence for this fault.
    pub fn sentence(&self, bad: &Bad) -> String {
        match bad {
            Bad::UnknownIssuer => self.unknown_issuer(),
            Bad::BadSignature | Bad::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => self.bad_signature(),
            #[allow(deprecated)] // the library may still return it
            Bad::UnsupportedSignatureAlgorithm => self.unsupported(None),
            Bad::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => {
                self.unsupported(Some(signature_algorithm_id))
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => self.other_name(),
            Bad::Expired => self.expired(None),
            Bad::ExpiredContext { not_after, .. } => self.expired(Some(not_after.as_secs())),
            Bad::NotValidYet => self.not_yet(None),
            Bad::NotValidYetContext { not_before, .. } => self.not_yet(Some(not_before.as_secs())),
            Bad::Revoked => self.say(None, "was revoked; replace it"),
            Bad::UnhandledCriticalExtension => self.critical_extension(),
            Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => self.say(
                self.find(|certificate| !certificate.is_for_servers()),
                "is not for servers: its extended key usage lacks serverAuth; have it issued with serverAuth",
            ),
            Bad::Other(error) => match error.0.downcast_ref::<webpki::Error>() {
                Some(error) => self.refused_by_webpki(error),
                None => self.not_acceptable("an unexpected error in the TLS library"),
            },
            other => self.not_acceptable(&words(&format!("{other:?}"))),
        }
    }

    fn not_acceptable(&self, why: &str) -> String {
        format!(
            "the certificate of {} or one above it is not acceptable: {why}; have it issued again",
            self.report.peer.shown
        )
    }

    #[inline(never)]
    fn refused_by_webpki(&self, error: &webpki::Error) -> String {
        use webpki::Error as Refused;
        match error {
            Refused::CaUsedAsEndEntity | Refused::UnsupportedCertVersion if self.is_self_signed() => {
                self.unknown_issuer()
            }
            Refused::CaUsedAsEndEntity => self
                .say(None, "is a CA certificate (CA:TRUE), which cannot be a server's; have one issued with CA:FALSE"),
            Refused::EndEntityUsedAsCa => self.say(
                self.path.iter().copied().skip(1).find(|issuer| !issuer.ca().0),
                "may not issue certificates, because it lacks CA:TRUE; correct the certificates that the server sends",
            ),
            Refused::PathLenConstraintViolated => {
                let mut issuers = self.path.iter().copied().enumerate().skip(1);
                let short = issuers.find(|(at, ca)| ca.ca().1.is_some_and(|most| at - 1 > most));
                self.say(
                    short.map(|(_, ca)| ca),
                    "allows fewer CAs below it than there are (path length); have the server's certificate issued by a \
                     CA nearer to it",
                )
            }
            Refused::NameConstraintViolation => {
                let names = self.names().unwrap_or_default();
                let fault = format!(
                    "has a name that its CA may not issue for (name constraints): it names {names}; have it issued by \
                     another CA, or for other names"
                );
                self.say(None, &fault)
            }
            Refused::UnsupportedCertVersion => self.say(
                self.find(|certificate| certificate.version < 3),
                "is X.509 version 1 or 2, and only version 3 is accepted; have it issued as version 3 (`openssl x509 \
                 -req` needs -extfile for that)",
            ),
            Refused::UnsupportedCriticalExtension => self.critical_extension(),
            other => self.not_acceptable(&words(&format!("{other:?}"))),
        }
    }

    fn critical_extension(&self) -> String {
        let with = self.find(|certificate| certificate.unknown_critical_extension().is_some());
        let id = with
            .and_then(|with| with.unknown_critical_extension())
            .map(|id| format!(" (OID {})", numbers(id, self.secrets())));
        let id = id.unwrap_or_default();
        self.say(with, &format!("has a critical extension that dl_auth does not support{id}; have it issued without"))
    }

    fn is_self_signed(&self) -> bool {
        self.chain.first().is_some_and(X509::is_self_issued)
    }

    /// Whether `ca_file` has a certificate with this subject.
    #[inline(never)]
    fn is_in_file(&self, subject: &[u8]) -> bool {
        let mut file = self.report.anchors.ca_file.iter().filter_map(|der| X509::read(der));
        file.any(|certificate| certificate.subject == subject)
    }

    fn unknown_issuer(&self) -> String {
        let skipped = match self.report.anchors.unreadable {
            0 => String::new(),
            1 => " (1 root could not be read)".to_owned(),
            many => format!(" ({many} roots could not be read)"),
        };
        let untrusted = |why: String| self.say(None, &format!("is not trusted: {why}"));
        let Some((leaf, last)) = self.path.first().zip(self.path.last()) else {
            return untrusted(format!("its issuer is unknown{skipped}; if it is your own, give its CA as `ca_file`"));
        };
        if self.is_self_signed() {
            let other = if self.is_in_file(leaf.subject) {
                ", and `ca_file` does not have exactly this certificate"
            } else {
                ""
            };
            return untrusted(format!("it is self-signed{other}{skipped}; if it is your own, give it as `ca_file`"));
        }
        let ca = quoted(last.issuer, self.secrets());
        let shown = self.report.seen.and_then(|seen| seen.chain.first());
        if shown.is_some_and(|shown| self.report.anchors.ca_file.contains(shown)) {
            return untrusted(format!(
                "its CA {ca} is unknown, and the certificate itself in `ca_file` does not help; give that CA as `ca_file`"
            ));
        }
        if self.is_in_file(last.issuer) && self.issuer_keys(last, true).is_empty() {
            return untrusted(format!(
                "the certificate {ca} in `ca_file` may not issue others, because it lacks CA:TRUE; give a CA certificate as \
                 `ca_file`"
            ));
        }
        if last.is_self_issued() {
            return untrusted(format!(
                "its root CA {ca} is unknown{skipped}; if that is your own, give it as `ca_file`"
            ));
        }
        let below = if self.path.len() > 1 {
            format!("its CA {}", quoted(last.subject, self.secrets()))
        } else {
            "it".to_owned()
        };
        untrusted(format!(
            "the CA {ca} that issued {below} is unknown{skipped}; if that is your own root, give it as `ca_file`; if it is \
             an intermediate CA, configure the server to send its certificate"
        ))
    }

    /// The keys that have the name of this certificate's issuer, and whether they are trusted.
    fn issuer_keys(&self, certificate: &X509<'_>, trusted_alone: bool) -> Vec<(SubjectPublicKeyInfoDer<'_>, bool)> {
        let key_of: fn(&TrustAnchor<'static>) -> _ = webpki::spki_for_anchor;
        let key_of = black_box(key_of); // not inlined, see verify.rs
        let mut keys = Vec::new();
        for root in &self.report.anchors.roots.roots {
            if root.subject.as_ref() == certificate.issuer {
                keys.push((key_of(root), true));
            }
        }
        for ca in self.chain.iter().skip(1) {
            if !trusted_alone && ca.subject == certificate.issuer {
                keys.push((SubjectPublicKeyInfoDer::from(ca.key), false));
            }
        }
        keys
    }

    /// The first certificate whose signature does not verify with any key that has its issuer's name, and these keys.
    /// If there is no such certificate, the search uses only the trusted keys: a server may send the old certificate of
    /// a CA that has a new key.
    #[inline(never)]
    fn broken_link(&self) -> Option<(&X509<'_>, Vec<(SubjectPublicKeyInfoDer<'_>, bool)>)> {
        for trusted_alone in [false, true] {
            for certificate in self.path.iter().copied() {
                let keys = self.issuer_keys(certificate, trusted_alone);
                if !keys.is_empty() && !keys.iter().any(|(key, _)| self.is_signed_by(certificate, key)) {
                    return Some((certificate, keys));
                }
            }
        }
        None
    }

    fn is_signed_by(&self, certificate: &X509<'_>, key: &SubjectPublicKeyInfoDer<'_>) -> bool {
        let Ok(entity) = RawPublicKeyEntity::try_from(key) else { return false };
        let mut algorithms = self.report.anchors.provider.signature_verification_algorithms.all.iter().copied();
        algorithms.any(|algorithm| {
            algorithm.signature_alg_id().as_ref() == certificate.algorithm
                && entity.verify_signature(algorithm, certificate.signed, certificate.signature).is_ok()
        })
    }

    /// The sentence for a signature that does not verify, or for a key of a kind that does not fit.
    #[inline(never)]
    fn bad_signature(&self) -> String {
        let wrong_size = |key: &[u8]| rsa_bits(key).filter(|bits| !(2048..=8192).contains(bits));
        let in_handshake = self.report.seen.is_some_and(|seen| seen.trusted);
        if let Some(leaf) = self.chain.first().filter(|_| in_handshake) {
            let fault = match (wrong_size(leaf.key), self.can_verify_with(leaf.key)) {
                (Some(bits), _) => format!(
                    "has an RSA key of {bits} bits; dl_auth accepts 2048 to 8192 bits: have one issued for another key"
                ),
                (None, false) => {
                    format!("has a key that dl_auth cannot verify with ({}); have one issued for {KEYS}", key(leaf.key, self.secrets()))
                }
                (None, true) => {
                    "has another key than the one that the server signs with; give the server the key that belongs to it"
                        .to_owned()
                }
            };
            return self.say(None, &fault);
        }
        let Some((certificate, keys)) = self.broken_link() else { return self.not_acceptable("bad signature") };
        let ca = quoted(certificate.issuer, self.secrets());
        let fault = if let Some(bits) = keys.iter().find_map(|(key, _)| wrong_size(key)) {
            format!("its CA {ca} has an RSA key of {bits} bits; dl_auth accepts 2048 to 8192 bits: replace that CA")
        } else if let Some((unfit, _)) = keys.iter().find(|(key, _)| !self.can_verify_with(key)) {
            format!(
                "dl_auth cannot verify with the key of its CA {ca} ({}); use a CA with {KEYS}",
                key(unfit, self.secrets())
            )
        } else if self.is_self_signed() {
            return self.unknown_issuer();
        } else if keys.iter().any(|(_, trusted)| *trusted) {
            format!(
                "its signature does not verify with the key of the trusted CA {ca}; that CA has a new key, or another CA \
                 has the same name: give the right one as `ca_file`"
            )
        } else {
            format!(
                "its signature does not verify with the key of the CA {ca} that the server sends; correct the certificates \
                 that the server sends"
            )
        };
        self.say(Some(certificate), &format!("is not trusted: {fault}"))
    }

    fn can_verify_with(&self, key: &[u8]) -> bool {
        let mut algorithms = self.report.anchors.provider.signature_verification_algorithms.all.iter();
        algorithms.any(|algorithm| Some(algorithm.public_key_alg_id().as_ref()) == key_algorithm(key))
    }

    fn unsupported(&self, id: Option<&Vec<u8>>) -> String {
        let signed = id.and_then(|id| self.find(|certificate| certificate.algorithm == id.as_slice()));
        let name = id.map_or_else(|| "an unknown algorithm".to_owned(), |id| algorithm(id, self.secrets()));
        let weak = name.starts_with("sha1") || name.starts_with("md") || name.ends_with("SHA1");
        let why = if weak { "which is no longer safe" } else { "which dl_auth cannot verify" };
        let fault = format!("is signed with {name}, {why}; have it signed with SHA-256 or SHA-384 by a CA with {KEYS}");
        self.say(signed, &fault)
    }

    /// A few of the server's names.
    fn names(&self) -> Option<String> {
        const SHOWN: usize = 3;
        let names = self.chain.first()?.names()?;
        let text = |name: &Name| match name {
            Name::Dns(name) => in_quotes(name, self.secrets()),
            Name::Ip(address) => clean(&address.to_string(), self.secrets()),
            Name::Other => "one of another kind".to_owned(),
        };
        let mut shown = Vec::new();
        for of_hosts in [true, false] {
            for name in &names {
                if shown.len() < SHOWN && of_hosts == (*name != Name::Other) {
                    shown.push(text(name));
                }
            }
        }
        let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
        Some(if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") + &more })
    }

    #[inline(never)]
    fn other_name(&self) -> String {
        let (option, host) = (self.report.peer.option, clean(self.report.host, Secrets::NONE));
        let address = self.report.host.parse::<std::net::IpAddr>().is_ok();
        let wanted = if address { format!("IP:{host}") } else { format!("DNS:{host}") };
        let names = self.names();
        let Some(leaf) = self.chain.first() else {
            return self.say(None, &format!("is for another host; check `{option}`"));
        };
        let common = leaf.common_names().last().map(|name| in_quotes(name, self.secrets())).unwrap_or_default();
        let as_dns = Name::Dns(self.report.host.to_owned());
        let fault = match names {
            None if leaf.version < 3 => {
                format!("is for another host: its common name is {common}, and not {host}; check `{option}`")
            }
            None if common.is_empty() => format!("has no subjectAltName; have it issued with subjectAltName={wanted}"),
            None => format!(
                "has no subjectAltName, and its common name {common} alone does not count; have it issued with \
                 subjectAltName={wanted}"
            ),
            Some(_) if address && leaf.names().is_some_and(|names| names.contains(&as_dns)) => format!(
                "has the address {host} as a DNS name, which is not valid; have it issued with \
                 subjectAltName={wanted}"
            ),
            Some(names) => format!(
                "is for another host: it names {names}, and not {host}; check `{option}`, or have it issued for {host}"
            ),
        };
        self.say(None, &fault)
    }

    fn expired(&self, not_after: Option<u64>) -> String {
        let expired = not_after.and_then(|end| self.find(|certificate| certificate.validity.1 == end));
        let when = not_after.map(|end| format!(" on {}", date(end))).unwrap_or_default();
        self.say(expired, &format!("has expired{when}; replace it, or correct {}", self.report.clock()))
    }

    fn not_yet(&self, not_before: Option<u64>) -> String {
        let early = not_before.and_then(|start| self.find(|certificate| certificate.validity.0 == start));
        let when = not_before.map(|start| format!(": it begins on {}", date(start))).unwrap_or_default();
        self.say(early, &format!("is not valid yet{when}; correct {}, or wait", self.report.clock()))
    }
}
