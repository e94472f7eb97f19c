//! Every error of the TLS library has a sentence in plain words. A test compares the lists here with the library's
//! source, so that the test fails if a new version adds a variant.

#![allow(deprecated)] // the library may still return some deprecated errors

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{
    CertRevocationListError, CertificateError, ContentType, EncryptedClientHelloError, ExtendedKeyPurpose,
    HandshakeType, InconsistentKeys, InvalidMessage, OtherError, PeerMisbehaved, RootCertStore,
};

use super::*;

const SHOWN: &str = "gate.example:443 through the proxy proxy.example:3128";

fn anchors() -> Anchors {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Anchors { roots: RootCertStore::empty(), ca_file: Vec::new(), unreadable: 2, provider }
}

fn sentence(error: &Error, seen: Option<&Rejected>, asked: bool) -> String {
    let peer = Peer { shown: SHOWN, option: "url", secrets: Secrets::NONE };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    Report { anchors: &anchors(), host: "gate.example", seen, asked, peer: &peer, now }.sentence(error)
}

/// The names of the variants in debug output.
fn names<T: Debug>(values: &[T]) -> BTreeSet<String> {
    let name = |value| format!("{value:?}").split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned();
    values.iter().map(name).collect()
}

/// The source directory of a package in the version of Cargo.lock.
fn package(name: &str) -> PathBuf {
    let rustc = output(Command::new("rustc").arg("-vV"));
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    // The packages for other platforms may not have been downloaded.
    cargo.args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", host]);
    let metadata: serde_json::Value =
        serde_json::from_str(&output(cargo.current_dir(env!("CARGO_MANIFEST_DIR")))).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let manifest = packages.iter().find(|package| package["name"] == name).unwrap()["manifest_path"].as_str().unwrap();
    Path::new(manifest).parent().unwrap().to_owned()
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The variants of an enumeration in this source.
fn variants(source: &str, name: &str) -> BTreeSet<String> {
    let start = source.find(&format!("pub enum {name} {{")).unwrap_or_else(|| panic!("{name}"));
    let rest = &source[start..];
    let indent = rest.lines().nth(1).unwrap().chars().take_while(|c| *c == ' ').count();
    let body = &rest[..rest.find(&format!("\n{}}}", " ".repeat(indent - 4))).unwrap()];
    let lines = body.lines().skip(1).filter_map(|line| line.strip_prefix(&" ".repeat(indent)));
    let variants = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    variants.map(|line| line.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()).collect()
}

macro_rules! all {
    ($of:ident: $($variant:ident),* $(,)?) => { vec![$($of::$variant),*] };
}

fn alerts() -> Vec<Alert> {
    all!(Alert: CloseNotify, UnexpectedMessage, BadRecordMac, DecryptionFailed, RecordOverflow, DecompressionFailure,
        HandshakeFailure, NoCertificate, BadCertificate, UnsupportedCertificate, CertificateRevoked, CertificateExpired,
        CertificateUnknown, IllegalParameter, UnknownCA, AccessDenied, DecodeError, DecryptError, ExportRestriction,
        ProtocolVersion, InsufficientSecurity, InternalError, InappropriateFallback, UserCanceled, NoRenegotiation,
        MissingExtension, UnsupportedExtension, CertificateUnobtainable, UnrecognisedName, BadCertificateStatusResponse,
        BadCertificateHashValue, UnknownPSKIdentity, CertificateRequired, NoApplicationProtocol,
        EncryptedClientHelloRequired)
}

fn incompatible() -> Vec<PeerIncompatible> {
    let mut all = all!(PeerIncompatible: EcPointsExtensionRequired, ExtendedMasterSecretExtensionRequired,
        IncorrectCertificateTypeExtension, KeyShareExtensionRequired, NamedGroupsExtensionRequired,
        NoCertificateRequestSignatureSchemesInCommon, NoCipherSuitesInCommon, NoEcPointFormatsInCommon,
        NoKxGroupsInCommon, NoSignatureSchemesInCommon, NullCompressionRequired, ServerDoesNotSupportTls12Or13,
        ServerSentHelloRetryRequestWithUnknownExtension, ServerTlsVersionIsDisabledByOurConfig,
        SignatureAlgorithmsExtensionRequired, SupportedVersionsExtensionRequired, Tls12NotOffered,
        Tls12NotOfferedOrEnabled, Tls13RequiredForQuic, UncompressedEcPointsRequired,
        UnsolicitedCertificateTypeExtension);
    all.push(PeerIncompatible::ServerRejectedEncryptedClientHello(Some(Vec::new())));
    all
}

fn misbehaved() -> Vec<PeerMisbehaved> {
    all!(PeerMisbehaved: AttemptedDowngradeToTls12WhenTls13IsSupported, BadCertChainExtensions, CipherSuiteDifferedOnRetry,
        DisallowedEncryptedExtension, DuplicateClientHelloExtensions, DuplicateEncryptedExtensions,
        DuplicateHelloRetryRequestExtensions, DuplicateNewSessionTicketExtensions, DuplicateServerHelloExtensions,
        DuplicateServerNameTypes, EarlyDataAttemptedInSecondClientHello, EarlyDataExtensionWithoutResumption,
        EarlyDataOfferedWithVariedCipherSuite, EchAcceptanceVariedAfterRetry, HandshakeHashVariedAfterRetry,
        IllegalHelloRetryRequestWithEmptyCookie, IllegalHelloRetryRequestWithNoChanges,
        IllegalHelloRetryRequestWithOfferedGroup, IllegalHelloRetryRequestWithUnofferedCipherSuite,
        IllegalHelloRetryRequestWithUnofferedNamedGroup, IllegalHelloRetryRequestWithUnsupportedVersion,
        IllegalHelloRetryRequestWithWrongSessionId, IllegalHelloRetryRequestWithInvalidEch,
        IllegalMiddleboxChangeCipherSpec, IllegalTlsInnerPlaintext, IncorrectBinder, InvalidCertCompression,
        InvalidMaxEarlyDataSize, InvalidKeyShare, KeyEpochWithPendingFragment, KeyUpdateReceivedInQuicConnection,
        MessageInterleavedWithHandshakeMessage, MissingBinderInPskExtension, MissingKeyShare,
        MissingPskExtensionInSecondClientHello, MissingPskModesExtension, MissingQuicTransportParameters,
        OfferedDuplicateCertificateCompressions, OfferedDuplicateKeyShares, OfferedEarlyDataWithOldProtocolVersion,
        OfferedEmptyApplicationProtocol, OfferedIncorrectCompressions, PskExtensionMustBeLast,
        PskExtensionWithMismatchedIdsAndBinders, RefusedToFollowHelloRetryRequest,
        RejectedEarlyDataInterleavedWithHandshakeMessage, ResumptionAttemptedWithVariedEms,
        ResumptionOfferedWithVariedCipherSuite, ResumptionOfferedWithVariedEms,
        ResumptionOfferedWithIncompatibleCipherSuite, SelectedDifferentCipherSuiteAfterRetry, SelectedInvalidPsk,
        SelectedTls12UsingTls13VersionExtension, SelectedUnofferedApplicationProtocol,
        SelectedUnofferedCertCompression, SelectedUnofferedCipherSuite, SelectedUnofferedCompression,
        SelectedUnofferedKxGroup, SelectedUnofferedPsk, SelectedUnusableCipherSuiteForVersion,
        ServerEchoedCompatibilitySessionId, ServerHelloMustOfferUncompressedEcPoints, ServerNameDifferedOnRetry,
        ServerNameMustContainOneHostName, SignedKxWithWrongAlgorithm, SignedHandshakeWithUnadvertisedSigScheme,
        TooManyEmptyFragments, TooManyKeyUpdateRequests, TooManyRenegotiationRequests, TooManyWarningAlertsReceived,
        TooMuchEarlyDataReceived, UnexpectedCleartextExtension, UnsolicitedCertExtension,
        UnsolicitedEncryptedExtension, UnsolicitedSctList, UnsolicitedServerHelloExtension, WrongGroupForKeyShare,
        UnsolicitedEchExtension)
}

fn messages() -> Vec<InvalidMessage> {
    use InvalidMessage as M;
    let mut all = all!(M: CertificatePayloadTooLarge, HandshakePayloadTooLarge, InvalidCcs, InvalidContentType,
        InvalidCertificateStatusType, InvalidCertRequest, InvalidDhParams, InvalidEmptyPayload, InvalidKeyUpdate,
        InvalidServerName, MessageTooLarge, MessageTooShort, MissingKeyExchange, NoSignatureSchemes,
        UnknownProtocolVersion, UnsupportedCompression, UnsupportedCurveType, EmptyTicketValue, IllegalEmptyValue,
        PreSharedKeyIsNotFinalExtension, UnknownHelloRetryRequestExtension, UnknownCertificateExtension);
    all.extend([M::MissingData("ServerHello"), M::TrailingData("ServerHello"), M::UnexpectedMessage("ServerHello")]);
    all.extend([M::IllegalEmptyList("ServerHello"), M::DuplicateExtension(7)]);
    all
}

fn certificates() -> Vec<CertificateError> {
    use CertificateError as C;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(1_700_000_000));
    let mut all = all!(C: BadEncoding, Expired, NotValidYet, Revoked, UnhandledCriticalExtension, UnknownIssuer,
        UnknownRevocationStatus, ExpiredRevocationList, BadSignature, UnsupportedSignatureAlgorithm, NotValidForName,
        InvalidPurpose, InvalidOcspResponse, ApplicationVerificationFailure);
    let id = vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];
    all.extend([
        C::ExpiredContext { time, not_after: UnixTime::since_unix_epoch(Duration::MAX) },
        C::NotValidYetContext { time, not_before: time },
        C::ExpiredRevocationListContext { time, next_update: time },
        C::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: id.clone(),
            supported_algorithms: Vec::new(),
        },
        C::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: id.clone(),
            public_key_algorithm_id: id,
        },
        C::NotValidForNameContext {
            expected: ServerName::try_from("gate.example").unwrap(),
            presented: vec!["DnsName(\"other.example\")".to_owned()],
        },
        C::InvalidPurposeContext {
            required: ExtendedKeyPurpose::ServerAuth,
            presented: vec![ExtendedKeyPurpose::ClientAuth, ExtendedKeyPurpose::Other(vec![1, 2, 3])],
        },
        C::Other(OtherError(Arc::from(Box::<dyn std::error::Error + Send + Sync>::from("Some(Other { x: [1] })")))),
    ]);
    all
}

fn lists() -> Vec<CertRevocationListError> {
    use CertRevocationListError as L;
    let mut all = all!(L: BadSignature, UnsupportedSignatureAlgorithm, InvalidCrlNumber, InvalidRevokedCertSerialNumber,
        IssuerInvalidForCrl, ParseError, UnsupportedCrlVersion, UnsupportedCriticalExtension, UnsupportedDeltaCrl,
        UnsupportedIndirectCrl, UnsupportedRevocationReason);
    all.extend([
        L::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: vec![1, 2],
            supported_algorithms: Vec::new(),
        },
        L::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: vec![1, 2],
            public_key_algorithm_id: vec![3, 4],
        },
        L::Other(OtherError(Arc::new(webpki::Error::BadDer))),
    ]);
    all
}

fn webpki_errors() -> Vec<webpki::Error> {
    use webpki::Error as W;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(1_700_000_000));
    let unsupported = webpki::UnsupportedSignatureAlgorithmContext {
        signature_algorithm_id: vec![1, 2],
        supported_algorithms: vec![],
    };
    let unfit = webpki::UnsupportedSignatureAlgorithmForPublicKeyContext {
        signature_algorithm_id: vec![1, 2],
        public_key_algorithm_id: vec![3, 4],
    };
    let mut all = all!(W: BadDer, BadDerTime, CaUsedAsEndEntity, CertDistrusted, CertRevoked, EmptyEkuExtension, EndEntityUsedAsCa,
        ExtensionValueInvalid, InvalidCertValidity, InvalidCrlNumber, InvalidNetworkMaskConstraint,
        InvalidSerialNumber, InvalidCrlSignatureForPublicKey, InvalidSignatureForPublicKey, IssuerNotCrlSigner,
        MalformedDnsIdentifier, MalformedExtensions, MalformedNameConstraint,
        MaximumNameConstraintComparisonsExceeded, MaximumPathBuildCallsExceeded, MaximumPathDepthExceeded,
        MaximumSignatureChecksExceeded, NameConstraintViolation, PathLenConstraintViolated, RequiredEkuNotFound,
        SignatureAlgorithmMismatch, UnknownIssuer, UnknownRevocationStatus, UnsupportedCertVersion,
        UnsupportedCriticalExtension, UnsupportedCrlIssuingDistributionPoint, UnsupportedCrlVersion,
        UnsupportedDeltaCrl, UnsupportedIndirectCrl, UnsupportedNameType, UnsupportedRevocationReason,
        UnsupportedRevocationReasonsPartitioning, UnsupportedCrlSignatureAlgorithm, UnsupportedSignatureAlgorithm,
        UnsupportedCrlSignatureAlgorithmForPublicKey, UnsupportedSignatureAlgorithmForPublicKey);
    all.extend([
        W::CertExpired { time, not_after: time },
        W::CertNotValidYet { time, not_before: time },
        W::CrlExpired { time, next_update: time },
        W::CertNotValidForName(webpki::InvalidNameContext {
            expected: ServerName::try_from("gate.example").unwrap(),
            presented: vec!["DnsName(\"other.example\")".to_owned()],
        }),
        W::RequiredEkuNotFoundContext(webpki::RequiredEkuNotFoundContext {
            required: webpki::KeyUsage::server_auth(),
            present: vec![vec![1, 2, 3]],
        }),
        W::TrailingData(webpki::DerTypeId::Certificate),
        W::UnsupportedSignatureAlgorithmContext(unsupported.clone()),
        W::UnsupportedCrlSignatureAlgorithmContext(unsupported),
        W::UnsupportedSignatureAlgorithmForPublicKeyContext(unfit.clone()),
        W::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(unfit),
    ]);
    all
}

/// One of each variant of the outermost type.
fn errors() -> Vec<Error> {
    let mut all = all!(Error: NoCertificatesPresented, UnsupportedNameType, DecryptError, EncryptError,
        FailedToGetCurrentTime, FailedToGetRandomBytes, HandshakeNotComplete, PeerSentOversizedRecord,
        NoApplicationProtocol, BadMaxFragmentSize);
    all.extend([
        Error::InappropriateMessage {
            expect_types: vec![ContentType::Handshake, ContentType::Alert],
            got_type: ContentType::ApplicationData,
        },
        Error::InappropriateHandshakeMessage {
            expect_types: vec![HandshakeType::ServerHello],
            got_type: HandshakeType::Unknown(99),
        },
        Error::InvalidEncryptedClientHello(EncryptedClientHelloError::SniRequired),
        Error::InvalidMessage(InvalidMessage::InvalidCcs),
        Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon),
        Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare),
        Error::AlertReceived(Alert::Unknown(200)),
        Error::InvalidCertificate(CertificateError::BadEncoding),
        Error::InvalidCertRevocationList(CertRevocationListError::ParseError),
        Error::General("Some(Thing { bytes: [1, 2], name: \"x\" })\n\u{1b}".to_owned()),
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch),
        Error::Other(OtherError(Arc::from(Box::<dyn std::error::Error + Send + Sync>::from("Some(Other { x: [1] })")))),
    ]);
    all
}

#[test]
fn every_error_of_the_tls_library_is_reported_in_words() {
    let mut all = errors();
    all.extend(alerts().into_iter().map(Error::AlertReceived));
    all.extend(incompatible().into_iter().map(Error::PeerIncompatible));
    all.extend(misbehaved().into_iter().map(Error::PeerMisbehaved));
    all.extend(messages().into_iter().map(Error::InvalidMessage));
    all.extend(certificates().into_iter().map(Error::InvalidCertificate));
    all.extend(lists().into_iter().map(Error::InvalidCertRevocationList));
    all.extend(
        all!(EncryptedClientHelloError: InvalidConfigList, NoCompatibleConfig, SniRequired)
            .into_iter()
            .map(Error::InvalidEncryptedClientHello),
    );
    all.extend(all!(InconsistentKeys: KeyMismatch, Unknown).into_iter().map(Error::InconsistentKeys));
    all.extend(
        webpki_errors()
            .into_iter()
            .map(|error| Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))),
    );
    let junk = |trusted| Rejected { chain: vec![b"junk".to_vec().into(), b"0".to_vec().into()], trusted };
    for error in &all {
        for seen in [None, Some(&junk(false)), Some(&junk(true))] {
            for asked in [false, true] {
                let said = sentence(error, seen, asked);
                assert!(said.contains(SHOWN) && said.len() < 512 && said.contains("; "), "{error:?}: {said}");
                assert_plain(&said);
            }
        }
    }
}

/// Whether a sentence contains no part of Rust's debug output.
fn assert_plain(said: &str) {
    let odd = ['{', '}', '[', ']', '<', '>', '\\', '|', '\n', '\u{1b}', '_'];
    let known = ["dl_auth", "ca_file"].iter().fold(said.to_owned(), |said, name| said.replace(name, ""));
    assert!(!known.contains(odd) && !known.contains("::") && !known.contains("Some("), "{said}");
    let fine = ["subjectAltName", "serverAuth", "ChaCha20"];
    let camel = |word: &&str| {
        let mut pairs = word.chars().zip(word.chars().skip(1)).zip(word.chars().skip(2));
        pairs.any(|((one, two), three)| one.is_lowercase() && two.is_uppercase() && three.is_lowercase())
    };
    let words = known.split(|c: char| !c.is_alphanumeric());
    let camel: Vec<&str> = words.filter(camel).filter(|word| !fine.contains(word)).collect();
    assert!(camel.is_empty(), "{camel:?} in: {said}");
}

#[test]
fn the_lists_of_errors_are_complete() {
    let rustls = package("rustls");
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let (errors_rs, enums_rs) = (read(rustls.join("src/error.rs")), read(rustls.join("src/enums.rs")));
    let webpki_rs = read(package("rustls-webpki").join("src/error.rs"));
    assert_eq!(names(&errors()), variants(&errors_rs, "Error"));
    assert_eq!(names(&alerts()), variants(&enums_rs, "AlertDescription"));
    assert_eq!(names(&incompatible()), variants(&errors_rs, "PeerIncompatible"));
    assert_eq!(names(&misbehaved()), variants(&errors_rs, "PeerMisbehaved"));
    assert_eq!(names(&certificates()), variants(&errors_rs, "CertificateError"));
    assert_eq!(names(&lists()), variants(&errors_rs, "CertRevocationListError"));
    assert_eq!(names(&webpki_errors()), variants(&webpki_rs, "Error"));
    // This variant holds a value of a type that the test cannot make. The words are made from the variant's name.
    let mut all_messages = names(&messages());
    all_messages.insert("UnsupportedKeyExchangeAlgorithm".to_owned());
    assert_eq!(all_messages, variants(&errors_rs, "InvalidMessage"));
    assert_eq!(words("UnsupportedKeyExchangeAlgorithm(ECDHE)"), "unsupported key exchange algorithm");
    for (of, count) in [("EncryptedClientHelloError", 3), ("InconsistentKeys", 2)] {
        assert_eq!(variants(&errors_rs, of).len(), count, "{of}");
    }
}

#[test]
fn a_refusal_names_the_missing_client_certificate_only_if_the_server_asked_for_one() {
    let said = |alert, asked| sentence(&Error::AlertReceived(alert), None, asked);
    for alert in [Alert::HandshakeFailure, Alert::BadCertificate, Alert::CertificateRequired] {
        assert!(said(alert, true).contains("client certificate"), "{alert:?}");
    }
    assert!(!said(Alert::HandshakeFailure, false).contains("client certificate"));
    assert!(said(Alert::CertificateRequired, false).contains("client certificate"));
    assert!(!said(Alert::ProtocolVersion, true).contains("client certificate"));
}

#[test]
fn an_unknown_issuer_is_reported_with_the_roots_that_could_not_be_read() {
    let said = sentence(&Error::InvalidCertificate(CertificateError::UnknownIssuer), None, false);
    assert!(said.contains("2 roots could not be read") && said.contains("`ca_file`"), "{said}");
}
