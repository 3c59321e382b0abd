//! TLS: trusted certificates, and texts for failures.

use std::path::Path;
use std::sync::Arc;

use redis::RedisError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::config::options::Tls;
use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::language::{Language, option};

/// The remedy for failures without their own text in [`advice`].
pub(super) const ADVICE: &str = "Check {tls}, {tls_ca}, {tls_cert} and {tls_key}, and that the certificate names this host";

/// The configuration of the client. Files are read at each connection, so that certificates can be replaced while the program runs.
pub(super) fn config(tls: &Tls) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if tls.verify {
        let (roots, own) = match &tls.ca {
            Some(path) => roots_of(path)?,
            None => (system_roots()?, Vec::new()),
        };
        let inner = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
            .build()
            .map_err(|e| bad(format!("no certificate to trust can be used: {e}")))?;
        Arc::new(OwnOrSigned { inner, own })
    } else {
        Arc::new(Anything(provider.clone()))
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| bad(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            builder.with_client_auth_cert(certificates("tls_cert", cert)?, private_key(key)?).map_err(|e| {
                let (cert_option, key_option) = (option("tls_cert"), option("tls_key"));
                bad(format!(
                    "the certificate {} ({cert_option}) and the key {} ({key_option}) cannot be used together: {e}",
                    cert.display(),
                    key.display()
                ))
            })
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn bad(message: String) -> Error {
    Error::new(ErrorKind::Tls, message)
}

fn read(name: &'static str, path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| bad(format!("the file {} ({}) cannot be read: {e}", path.display(), option(name))))
}

fn certificates(name: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = read(name, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let why = match found {
        Ok(found) if !found.is_empty() => return Ok(found),
        Ok(_) => format!("has no certificate in PEM form (`-----BEGIN CERTIFICATE-----`){}", in_der(&bytes, "x509")),
        Err(e) => format!("is not a certificate in PEM form: {e}"),
    };
    Err(bad(format!("the file {} ({}) {why}", path.display(), option(name))))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let bytes = read("tls_key", path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|e| {
        let has = |part: &str| bytes.windows(part.len()).any(|window| window == part.as_bytes());
        let why = if has("ENCRYPTED") {
            "is encrypted, and there is no option for its password: write it without one, with `openssl pkey -in … -out …`"
                .to_owned()
        } else if has("-----BEGIN") {
            format!("has no private key that can be used: {e}")
        } else {
            format!("has no private key in PEM form (`-----BEGIN PRIVATE KEY-----`){}", in_der(&bytes, "pkey"))
        };
        bad(format!("the file {} ({}) {why}", path.display(), option("tls_key")))
    })
}

/// A hint how to convert the file to PEM, if it is in DER form.
fn in_der(bytes: &[u8], command: &str) -> String {
    if bytes.starts_with(&[0x30, 0x82]) {
        format!("; it may be in DER form: `openssl {command} -inform der -in … -out …`")
    } else {
        String::new()
    }
}

/// The trust roots in a file, and the certificates themselves.
fn roots_of(path: &Path) -> Result<(RootCertStore, Vec<CertificateDer<'static>>)> {
    let own = certificates("tls_ca", path)?;
    let mut roots = RootCertStore::empty();
    for (index, certificate) in own.iter().enumerate() {
        roots.add(certificate.clone()).map_err(|e| {
            bad(format!("certificate {} in the file {} ({}) cannot be used: {e}", index + 1, path.display(), option("tls_ca")))
        })?;
    }
    Ok((roots, own))
}

fn system_roots() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|e| format!(" ({e})")).unwrap_or_default();
        return Err(bad(format!(
            "this system has no certificates to trust{why}: install them (package ca-certificates), or set {}",
            option("tls_ca")
        )));
    }
    Ok(roots)
}

/// Trusts certificates that the roots have signed. As OpenSSL does, it also trusts a server certificate that is itself in the file of the user:
/// `openssl req -x509` creates a certificate that is self-signed, is marked as an authority, and may name its host only in its subject.
#[derive(Debug)]
struct OwnOrSigned {
    inner: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for OwnOrSigned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let error = match self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(error)) if self.own.contains(end_entity) => error,
            other => return other,
        };
        // Both errors imply that the certificate is within its period of validity; and only the owner of its key can present it.
        let named = match &error {
            CertificateError::NotValidForNameContext { .. } | CertificateError::NotValidForName => {
                Err(rustls::Error::InvalidCertificate(error))
            }
            CertificateError::Other(other) if other.to_string() == AUTHORITY => {
                let parsed = rustls::server::ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&parsed, server_name)
            }
            _ => return Err(rustls::Error::InvalidCertificate(error)),
        };
        match named {
            Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }))
                if presented.is_empty() && common_name(end_entity).is_some_and(|name| is_for(name, &server_name.to_str())) => {}
            named => named?,
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// The error of webpki, after it has checked the validity period, for an authority's certificate that is used as a server certificate.
const AUTHORITY: &str = "CaUsedAsEndEntity";

/// Used if the option `tls_verify` is false.
#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether the name of a certificate matches the host; a `*` stands for its first label.
fn is_for(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(_, rest)| domain.contains('.') && rest.eq_ignore_ascii_case(domain)),
        None => name.eq_ignore_ascii_case(host),
    }
}

/// The common name in a certificate's subject, if it is plain text.
fn common_name(certificate: &[u8]) -> Option<&str> {
    const SEQUENCE: u8 = 0x30;
    const SET: u8 = 0x31;
    let (_, certificate, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, mut body, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    // A version, if it is not the first.
    if body.first() == Some(&0xa0) {
        body = element(body)?.2;
    }
    // Serial number, algorithm, issuer, time.
    for _ in 0..4 {
        body = element(body)?.2;
    }
    let (_, mut names, _) = element(body).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let mut found = None;
    while let Some((tag, set, rest)) = element(names) {
        names = rest;
        let Some((SEQUENCE, pair, _)) = element(set).filter(|_| tag == SET) else { continue };
        let Some((0x06, [0x55, 0x04, 0x03], value)) = element(pair) else { continue };
        // UTF8String, PrintableString, IA5String.
        if let Some((0x0c | 0x13 | 0x16, text, _)) = element(value) {
            found = std::str::from_utf8(text).ok();
        }
    }
    found
}

/// The first DER element: tag, content, and the remaining bytes.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Whether TLS caused the failure of a connection.
pub(super) fn is_cause(error: &RedisError) -> bool {
    let io = std::error::Error::source(error).and_then(|e| e.downcast_ref::<std::io::Error>());
    io.and_then(cause).is_some()
}

/// The TLS error in an I/O error.
fn cause(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// The error for a failed handshake, if TLS caused the failure.
pub(super) fn failure(error: &std::io::Error, host: &str) -> Option<Error> {
    let cause = cause(error)?;
    Some(bad(format!("TLS with {host} failed: {cause}. {}", Language::current().text(advice(cause)))))
}

fn advice(cause: &rustls::Error) -> &'static str {
    use rustls::AlertDescription as Alert;
    match cause {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "The server's certificate is not signed by a trusted authority: set {tls_ca} to the file of that authority, or of the certificate itself if it is self-signed"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "The server's certificate is for other hosts: connect by a name that it has",
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => "The server's certificate is not valid now: renew it, or set the clock of this machine",
        rustls::Error::AlertReceived(Alert::CertificateRequired | Alert::HandshakeFailure | Alert::BadCertificate) => {
            "The server may want a client's certificate: set {tls_cert} and {tls_key}"
        }
        rustls::Error::AlertReceived(
            Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::UnsupportedCertificate,
        ) => "The server refuses the client's certificate: check {tls_cert} and {tls_key}",
        rustls::Error::InvalidMessage(_) => {
            "The server does not speak TLS on this port: leave {tls} out (redis:// instead of rediss://), or use its TLS port"
        }
        _ => ADVICE,
    }
}
