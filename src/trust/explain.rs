//! The sentence for a TLS failure: what is wrong, whose certificate it is, and what to do.
//!
//! The TLS library reports a failure in its internal terms. This module reads the certificates of the failed handshake
//! again. So the message can show what an operator can correct: names, dates, algorithms and sizes of keys.

use std::time::{Duration, SystemTime};

use rustls::{AlertDescription as Alert, Error, PeerIncompatible};

use super::certificates::Certificates;
use super::der::X509;
use super::verify::{Anchors, Rejected};
use super::words::{clean, words};
use crate::secret::Secrets;

/// The server of the failed handshake.
pub struct Peer<'a> {
    /// Its host and port, and the proxy before it.
    pub shown: &'a str,
    /// The option that names it: `url` or `proxy`.
    pub option: &'static str,
    /// Secrets that are removed from its text.
    pub secrets: &'a Secrets,
}

/// The facts about a failed handshake.
pub struct Report<'a> {
    pub anchors: &'a Anchors,
    /// The name that the certificate must have.
    pub host: &'a str,
    /// The certificates that were rejected.
    pub seen: Option<&'a Rejected>,
    /// Whether the server asked for a client certificate.
    pub asked: bool,
    pub peer: &'a Peer<'a>,
    pub now: SystemTime,
}

const CAPABILITIES: &str = "dl_auth has TLS 1.2 and 1.3, ECDHE with X25519, P-256 or P-384, AES-GCM or ChaCha20, and \
                            verifies ECDSA keys on P-256 and P-384, Ed25519, and RSA of 2048 to 8192 bits";

impl Report<'_> {
    /// The sentence for this failure.
    pub fn sentence(&self, error: &Error) -> String {
        let Peer { shown, option, .. } = self.peer;
        match error {
            Error::InvalidCertificate(bad) => {
                let chain: Vec<X509<'_>> =
                    self.seen.iter().flat_map(|seen| &seen.chain).map_while(|der| X509::read(der)).collect();
                Certificates::new(self, &chain).sentence(bad)
            }
            Error::AlertReceived(alert) => self.alert(*alert),
            Error::PeerIncompatible(why) => match why {
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled => self.no_version(),
                why => {
                    format!("{shown} has no TLS in common with dl_auth: {}; {CAPABILITIES}", words(&format!("{why:?}")))
                }
            },
            Error::InvalidMessage(why) => format!(
                "{shown} does not answer in TLS: {}; check that `{option}` names an https port, and that no proxy or \
                 firewall answers instead of it",
                words(&format!("{why:?}"))
            ),
            Error::PeerMisbehaved(why) => format!(
                "{shown} violates the TLS protocol: {}; update the server, or the proxy or firewall that answers \
                 instead of it",
                words(&format!("{why:?}"))
            ),
            Error::NoCertificatesPresented => format!("{shown} sends no certificate; install one on the server"),
            Error::DecryptError | Error::PeerSentOversizedRecord => {
                format!(
                    "{shown} sends TLS records that cannot be decrypted; check the network and the proxies before it"
                )
            }
            Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
                format!("{shown} sends a TLS message out of order; check that `{option}` names an https port")
            }
            Error::General(text) => self.other(&clean(text, self.peer.secrets)),
            Error::Other(_) => self.other("an unexpected error in the TLS library"),
            Error::InvalidEncryptedClientHello(why) => self.other(&words(&format!("{why:?}"))),
            Error::InvalidCertRevocationList(why) => {
                self.other(&format!("certificate revocation list: {}", words(&format!("{why:?}"))))
            }
            other => self.other(&words(&format!("{other:?}"))),
        }
    }

    fn other(&self, why: &str) -> String {
        format!(
            "TLS with {} failed: {why}; check the server that `{}` names; if this failure does not stop, report it",
            self.peer.shown, self.peer.option
        )
    }

    fn no_version(&self) -> String {
        format!(
            "{} supports neither TLS 1.2 nor TLS 1.3, and older versions are not safe; enable one of the two there",
            self.peer.shown
        )
    }

    #[inline(never)]
    fn alert(&self, alert: Alert) -> String {
        let Peer { shown, option, .. } = self.peer;
        // Servers answer with these alerts to a client without a certificate: the first in TLS 1.2, the second in TLS
        // 1.3.
        let refuses_client = matches!(
            alert,
            Alert::HandshakeFailure
                | Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::NoCertificate
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied
        );
        match alert {
            _ if refuses_client && self.asked || alert == Alert::CertificateRequired => format!(
                "{shown} requires a client certificate, which dl_auth does not support; configure the server to accept \
                 clients without one, or change `{option}`"
            ),
            Alert::ProtocolVersion => self.no_version(),
            Alert::HandshakeFailure | Alert::InsufficientSecurity => format!(
                "{shown} and dl_auth have no cipher suite, key exchange or signature algorithm in common; change the server's TLS \
                 settings or its certificate: {CAPABILITIES}"
            ),
            Alert::UnrecognisedName => format!(
                "{shown} has no certificate for the name {} and refuses it; check the host in `{option}`",
                clean(self.host, Secrets::NONE)
            ),
            Alert::Unknown(number) => {
                format!("{shown} ended TLS with the unknown alert {number}; read the reason in the server's log")
            }
            alert => format!(
                "{shown} ended TLS with the alert \"{}\"; read the reason in the server's log",
                words(&format!("{alert:?}"))
            ),
        }
    }

    /// The clock that dates are compared with.
    pub fn clock(&self) -> String {
        let now = self.now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
        format!("this machine's clock, which shows {}", date(now))
    }
}

/// A date as text. A date after the year 9999 is shown as the last second of that year.
pub fn date(unix_seconds: u64) -> String {
    const YEAR_10000: u64 = 253_402_300_800;
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds.min(YEAR_10000 - 1)))
}

#[cfg(test)]
mod tests;
