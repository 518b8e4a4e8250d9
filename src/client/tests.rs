//! Failures by servers on raw sockets: their kinds, their statuses, their reasons, and what is kept of them.

use super::*;
use crate::base::FailureKind;
use crate::core::keys::Keys;
use crate::core::masking::Masks;
use crate::core::presets;
use crate::core::request::Constants;
use crate::system::Stop;
use rcgen::{Certificate, CertificateParams, CertifiedIssuer, DnType, KeyPair, date_time_ymd};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme, StreamOwned, SupportedProtocolVersion,
};
use socket2::SockRef;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::thread;

/// Long enough for a server on this machine.
const PATIENT: Duration = Duration::from_secs(20);

/// The port of a server that calls this for each connection. It ends with the process.
fn served(serve: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || listener.incoming().flatten().for_each(serve));
    port
}

/// Has the end of a connection be a reset.
fn reset_by(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    socket
        .set_linger(Some(Duration::ZERO))
        .expect("a linger of zero");
}

/// Reads the head of a request. Its body is read too, since both leave in one write.
fn read_request(mut stream: impl Read) {
    let _ = stream.read(&mut [0; 8192]);
}

/// The port of a server that answers every request so, and then closes the connection.
fn answering(answer: impl AsRef<[u8]>) -> u16 {
    let answer = answer.as_ref().to_vec();
    served(move |mut stream| {
        read_request(&stream);
        let _ = stream.write_all(&answer);
    })
}

fn client(url: &str, timeout: Duration, connecting: &Connecting) -> Client {
    let targets = [Target::new(url).expect("a URL")];
    let resolver = Arc::new(Resolver::start(&targets).expect("a thread"));
    assert!(resolver.any_resolved(PATIENT, &Stop::default()));
    let constants = Constants {
        keys: &Keys::generated(7, 1, "key-"),
        limit: 100,
        window: Nanos(60_000_000_000),
    };
    let requests = presets::ALL[0].request().compile(&targets, &constants, 1);
    let rules = |rules: &str| rules.parse().expect("rules");
    let answers = Answers::new(
        &rules("200 and header x-ok = yes, 201, 202 and body contains yes"),
        &rules("429"),
    );
    let failing_open = "header x-degraded != 0, 202 and body contains degraded";
    let answers = answers.with_failing_open(&rules(failing_open));
    Client::new(&targets, resolver, requests, timeout, connecting, answers)
}

fn public() -> Connecting {
    Connecting::trusting(Trust::PublicAuthorities)
}

/// The answer to one request, and the example that was kept of it.
fn failed(url: &str, timeout: Duration, connecting: &Connecting) -> (Answer, FailureExample) {
    let client = client(url, timeout, connecting);
    let (answer, head) = client.call(0, 5, KeyId(0), &mut Scratch::default());
    assert!(head.is_none() || answer.status.is_some());
    let kept = client.examples.kept();
    assert_eq!(kept.len(), 1, "{answer:?}");
    let example = kept.into_iter().next().expect("an example");
    assert_eq!(Some(example.cause), FailureCause::of(&answer));
    assert_eq!((example.sequence, example.target), (5, 0));
    assert_eq!(example.sent, answer.sent);
    (answer, example)
}

fn failed_at(port: u16) -> (Answer, FailureExample) {
    failed(&format!("http://127.0.0.1:{port}"), PATIENT, &public())
}

fn kind(answer: &Answer) -> FailureKind {
    match answer.outcome {
        Outcome::Failed(kind) => kind,
        other => panic!("{other:?}"),
    }
}

/// The cause as reports show it.
fn cause(failed: &(Answer, FailureExample)) -> String {
    failed.1.cause.to_string()
}

// Over plain TCP.

#[test]
fn a_failure_by_status_keeps_the_answer_without_its_secrets() {
    let body = format!("{{\"token\":\"abc\"}}{}", "x".repeat(1000));
    let failed = failed_at(answering(format!(
        "HTTP/1.1 503 Busy\r\nX-Why: full\r\nSet-Cookie: a=b\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )));
    let (answer, example) = &failed;
    assert_eq!(
        (kind(answer), answer.status),
        (FailureKind::Status5xx, Some(503))
    );
    assert_eq!((cause(&failed).as_str(), answer.reason), ("503", None));
    let expected = format!(
        "HTTP/1.1 503\nx-why: ***(4 bytes)\nset-cookie: ***(3 bytes)\ncontent-length: {}\n\n{{\"token\":\"***(3 bytes)\"}}{}",
        body.len(),
        "x".repeat(EXCERPT - 15)
    );
    assert_eq!(example.answer.as_deref(), Some(&*expected));
    assert_eq!(example.error, None);
}

#[test]
fn an_answer_that_fits_no_rule_is_kept_with_its_status() {
    let failed = failed_at(answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
    assert_eq!(cause(&failed), "200 unmatched");
    let expected = "HTTP/1.1 200\ncontent-length: 2\n\nhi";
    assert_eq!(failed.1.answer.as_deref(), Some(expected));

    let body = "no".repeat(EXCERPT);
    let long = format!("HTTP/1.1 202 OK\r\nConnection: close\r\n\r\n{body}");
    let failed = failed_at(answering(long));
    assert_eq!(cause(&failed), "202 unmatched");
    let shown = failed.1.answer.expect("the answer");
    let expected = format!("HTTP/1.1 202\nconnection: close\n\n{}", &body[..EXCERPT]);
    assert_eq!(shown, expected);
}

#[test]
fn an_answer_whose_body_fails_has_a_status() {
    let chunked = "HTTP/1.1 201 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (answer, status, expected, shown) in [
        (
            "HTTP/1.1 201 OK\r\nContent-Length: 9\r\n\r\nhalf".to_owned(),
            201,
            "reset (closed in the middle of the answer)",
            "HTTP/1.1 201\ncontent-length: 9\n",
        ),
        (
            "HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nhalf".to_owned(),
            503,
            "reset (closed in the middle of the answer)",
            "HTTP/1.1 503\ncontent-length: 9\n\nhalf",
        ),
        (
            format!("{chunked}zz\r\nrest"),
            201,
            "protocol (malformed chunk)",
            "HTTP/1.1 201\ntransfer-encoding: chunked\n\nzz\nrest",
        ),
    ] {
        let failed = failed_at(answering(&answer));
        assert_eq!(
            (cause(&failed).as_str(), failed.0.status),
            (expected, Some(status))
        );
        assert_eq!(failed.1.answer.as_deref(), Some(shown), "{answer}");
        assert!(failed.1.error.is_some());
    }
}

#[test]
fn an_answer_that_is_not_http_names_what_it_is() {
    let settings = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64".to_vec();
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}", "x".repeat(MAX_HEAD));
    for (answer, expected) in [
        (settings, "speaks HTTP/2"),
        (
            b"\x15\x03\x01\0\x02\x02\x46".to_vec(),
            "answers TLS on an http target",
        ),
        (
            b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(),
            "not HTTP: \"SSH-2.0-OpenSSH_9.9\"",
        ),
        (b"\0\x01\x02\x03\r\n\r\n".to_vec(), "not HTTP: 00 01 02"),
        (
            b"HTTP/1.1 abc OK\r\n\r\n".to_vec(),
            "malformed head: invalid response status",
        ),
        (
            b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n".to_vec(),
            "malformed head: invalid header name",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n".to_vec(),
            "content-length header not a number",
        ),
        (long.into_bytes(), "head over 32 KiB"),
    ] {
        let failed = failed_at(answering(&answer));
        let text = String::from_utf8_lossy(&answer[..answer.len().min(40)]).into_owned();
        assert_eq!(cause(&failed), format!("protocol ({expected})"), "{text:?}");
        let shown = failed.1.answer.expect("what was received");
        assert_eq!(
            shown,
            crate::core::answers::raw_excerpt(&answer, &Masks::default()),
            "{text:?}"
        );
        assert_eq!(failed.0.status, None);
        assert!(failed.1.error.is_some());
    }
}

#[test]
fn a_connection_that_ends_early_is_told_from_one_that_is_reset() {
    for (reset, expected) in [
        (false, "reset (closed before an answer)"),
        (true, "reset (connection reset)"),
    ] {
        let allowing = b"HTTP/1.1 201 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
        let answered = AtomicBool::new(false);
        let port = served(move |mut stream| {
            read_request(&stream);
            if !answered.swap(true, Relaxed) {
                stream.write_all(allowing).expect("a client that reads");
            } else if reset {
                reset_by(&stream);
            }
        });
        let client = client(&format!("http://127.0.0.1:{port}"), PATIENT, &public());
        let call = || client.call(0, 5, KeyId(0), &mut Scratch::default()).0;
        assert_eq!(call().outcome, Outcome::Allowed);
        let cause = FailureCause::of(&call()).expect("a failure");
        assert_eq!(cause.to_string(), expected);
    }
}

#[test]
fn a_server_that_has_never_answered_gets_a_hint_that_claims_nothing() {
    let hint = "reset (closed without an answer, as by a server that speaks only HTTP/2 or a proxy without a backend)";
    let closing = served(|stream| read_request(&stream));
    let failed = failed_at(closing);
    assert_eq!(cause(&failed), hint);
    assert_eq!(failed.1.answer, None);

    let resetting = served(|stream| {
        read_request(&stream);
        reset_by(&stream);
    });
    let failed = failed_at(resetting);
    assert_eq!(cause(&failed), hint);
    let error = failed.1.error.expect("the system's words");
    assert!(error.starts_with("Connection reset by peer"), "{error}");

    let failed = failed_at(answering("HTTP/1.1 200 OK\r\nX-"));
    assert_eq!(cause(&failed), "reset (closed in the middle of the answer)");
    assert_eq!(failed.1.answer.as_deref(), Some("HTTP/1.1 200 OK\nX-"));
}

#[test]
fn a_timeout_names_the_stage() {
    let timeout = Duration::from_millis(300);
    for (begun, expected, status) in [
        ("", "no answer in time", None),
        ("HTTP/1.1 2", "answer incomplete in time", None),
        (
            "HTTP/1.1 201 OK\r\nContent-Length: 9\r\n\r\nhalf",
            "answer incomplete in time",
            Some(201),
        ),
    ] {
        let port = served(move |mut stream| {
            read_request(&stream);
            let _ = stream.write_all(begun.as_bytes());
            // Until the client gives up.
            read_request(&stream);
        });
        let failed = failed(&format!("http://127.0.0.1:{port}"), timeout, &public());
        assert_eq!(cause(&failed), format!("timeout ({expected})"));
        assert_eq!(failed.0.status, status);
        assert_eq!(failed.1.error.as_deref(), Some("timed out"));
    }
    let silent = served(|stream| {
        read_request(&stream);
        read_request(&stream);
    });
    let failed = failed(&format!("https://127.0.0.1:{silent}"), timeout, &public());
    assert_eq!(cause(&failed), "timeout (no TLS handshake in time)");
}

#[test]
fn a_kind_that_says_all_has_no_reason() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let bound = socket.expect("a socket");
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    bound.bind(&any.into()).expect("a free port");
    let address = bound
        .local_addr()
        .ok()
        .and_then(|address| address.as_socket());
    let failed = failed_at(address.expect("an address").port());
    assert_eq!(cause(&failed), "refused");
    let error = failed.1.error.expect("the system's words");
    assert!(error.starts_with("Connection refused"), "{error}");
}

#[test]
fn a_shortage_on_this_machine_names_what_is_short() {
    let mut connecting = public();
    // Reserved for documentation (RFC 5737).
    connecting.sources = vec!["192.0.2.1".parse().expect("an address")];
    let allowing = answering("HTTP/1.1 201 OK\r\nContent-Length: 2\r\n\r\nok");
    let failed = failed(
        &format!("http://127.0.0.1:{allowing}"),
        PATIENT,
        &connecting,
    );
    assert_eq!(
        cause(&failed),
        "local (no local port left, or not a source address of this machine)"
    );
    assert!(!failed.0.transmitted);
}

#[cfg(unix)]
#[test]
fn a_connection_that_is_impossible_is_explained_by_the_system() {
    let failed = failed("unix:/nonexistent/socket", PATIENT, &public());
    assert_eq!(cause(&failed), "connect (No such file or directory)");
    let error = failed.1.error.expect("the system's words");
    assert!(
        error.starts_with("No such file or directory (os error"),
        "{error}"
    );
}

#[test]
fn an_allowed_answer_and_an_interrupted_request_are_no_examples() {
    let allowing = answering("HTTP/1.1 201 OK\r\nContent-Length: 2\r\n\r\nok");
    let client = client(&format!("http://127.0.0.1:{allowing}"), PATIENT, &public());
    let (answer, head) = client.call(0, 0, KeyId(0), &mut Scratch::default());
    assert_eq!(
        (answer.outcome, answer.status),
        (Outcome::Allowed, Some(201))
    );
    assert!(head.is_some());
    client.interrupt();
    let (answer, _) = client.call(0, 1, KeyId(0), &mut Scratch::default());
    assert!(matches!(answer.outcome, Outcome::Failed(_)));
    assert_eq!(client.examples.kept(), []);
}

// Over TLS.

fn params(names: &[&str]) -> CertificateParams {
    let names = names.iter().map(|name| (*name).to_owned());
    CertificateParams::new(names.collect::<Vec<_>>()).expect("names of hosts")
}

type Versions = &'static [&'static SupportedProtocolVersion];

/// The port of a TLS server with this certificate, which signs itself, and the certificate in PEM. The server may ask for
/// a client certificate of an authority that issued none.
fn tls(params: CertificateParams, versions: Versions, asks: bool) -> (u16, String) {
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    (
        tls_with(&certificate, &key, versions, asks),
        certificate.pem(),
    )
}

/// The configuration of a TLS server with this certificate, which asks for one of these clients.
fn tls_config(
    certificate: &Certificate,
    key: &KeyPair,
    versions: Versions,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Arc<ServerConfig> {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions of TLS");
    let config = match clients {
        Some(clients) => config.with_client_cert_verifier(clients),
        None => config.with_no_client_auth(),
    };
    let chain: Vec<CertificateDer> = vec![certificate.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    Arc::new(config.with_single_cert(chain, key).expect("a certificate"))
}

/// The port of a TLS server with this certificate.
fn tls_with(certificate: &Certificate, key: &KeyPair, versions: Versions, asks: bool) -> u16 {
    let provider = Arc::new(ring::default_provider());
    let clients = asks.then(|| {
        let mut trusted = RootCertStore::empty();
        trusted
            .add(certificate.der().clone())
            .expect("an authority");
        let clients = WebPkiClientVerifier::builder_with_provider(trusted.into(), provider);
        clients.build().expect("an authority")
    });
    serving_tls(tls_config(certificate, key, versions, clients))
}

/// The port of a TLS server that answers with a frame of HTTP/2.
fn serving_tls(config: Arc<ServerConfig>) -> u16 {
    served(move |stream| {
        let connection = ServerConnection::new(config.clone()).expect("a configuration");
        let mut stream = StreamOwned::new(connection, stream);
        let mut request = [0; 8192];
        if stream.read(&mut request).is_ok() {
            let _ = stream.write_all(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64");
        }
        // The alert must not be lost to a reset because of unread input.
        let _ = stream.flush();
        let _ = stream.sock.shutdown(std::net::Shutdown::Write);
        while matches!(stream.sock.read(&mut request), Ok(1..)) {}
    })
}

fn failed_over_tls(port: u16, trust: Trust) -> String {
    let url = format!("https://localhost:{port}");
    let failed = failed(&url, PATIENT, &Connecting::trusting(trust));
    assert!(failed.1.error.is_some());
    if kind(&failed.0) == FailureKind::Tls {
        assert_eq!(failed.1.answer, None, "records are no answer");
    }
    cause(&failed)
}

const BOTH: Versions = &[&TLS13, &TLS12];

fn only(pem: &str) -> Trust {
    Trust::Only(Authorities::from_pem(pem.as_bytes()).expect("a certificate"))
}

#[test]
fn an_https_target_that_speaks_no_tls_is_named() {
    for (answer, expected) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "answers plain HTTP on an https target",
        ),
        (b"SSH-2.0-x\r\n", "not TLS: \"SSH-2.0-x\""),
        (b"", "closed in the TLS handshake"),
    ] {
        let port = answering(answer);
        let failed = failed(&format!("https://127.0.0.1:{port}"), PATIENT, &public());
        assert_eq!(cause(&failed), format!("tls ({expected})"));
        let shown = failed.1.answer.unwrap_or_default();
        assert_eq!(
            shown,
            crate::core::answers::raw_excerpt(answer, &Masks::default())
        );
    }
}

#[test]
fn a_server_that_speaks_http_2_over_tls_is_named() {
    let (port, pem) = tls(params(&["localhost"]), BOTH, false);
    assert_eq!(
        failed_over_tls(port, only(&pem)),
        "protocol (speaks HTTP/2)"
    );
}

#[test]
fn a_certificate_that_is_not_accepted_says_why() {
    let mut expired = params(&["localhost"]);
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut future = params(&["localhost"]);
    future.not_before = date_time_ymd(4000, 1, 1);
    let many = ["a.test", "b.test", "c.test", "d.test"];
    for (params, expected) in [
        (expired, "certificate expired"),
        (future, "certificate is not valid yet"),
        (
            params(&["127.0.0.2"]),
            "certificate is not for localhost, but for 127.0.0.2",
        ),
        (
            params(&many[..3]),
            "certificate is not for localhost, but for a.test, b.test, c.test",
        ),
        (
            params(&many),
            "certificate is not for localhost, but for a.test, b.test, c.test and others",
        ),
    ] {
        let (port, pem) = tls(params, BOTH, false);
        assert_eq!(
            failed_over_tls(port, only(&pem)),
            format!("tls ({expected})")
        );
    }
}

#[test]
fn a_certificate_of_an_unknown_issuer_names_it_and_the_remedy() {
    let (port, _) = tls(params(&["localhost"]), BOTH, false);
    let (_, other) = tls(params(&["localhost"]), BOTH, false);
    assert_eq!(
        failed_over_tls(port, Trust::PublicAuthorities),
        "tls (self-signed certificate: give --ca-cert)"
    );
    assert_eq!(
        failed_over_tls(port, only(&other)),
        "tls (self-signed certificate, which is not in --ca-cert)"
    );

    let mut authority = params(&[]);
    authority
        .distinguished_name
        .push(DnType::CommonName, "Dev Root");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = params(&["localhost"]).signed_by(&key, &authority);
    let port = tls_with(&certificate.expect("a certificate"), &key, BOTH, false);
    assert_eq!(
        failed_over_tls(port, Trust::PublicAuthorities),
        "tls (certificate issued by Dev Root: give --ca-cert)"
    );
    let mut homonym = params(&[]);
    homonym
        .distinguished_name
        .push(DnType::CommonName, "Dev Root");
    homonym.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let (_, homonym) = tls(homonym, BOTH, false);
    assert_eq!(
        failed_over_tls(port, only(&homonym)),
        "tls (certificate issued by Dev Root with an unknown key, which is not in --ca-cert)"
    );
    assert_eq!(
        failed_over_tls(port, only(&authority.pem())),
        "protocol (speaks HTTP/2)",
        "trusted"
    );

    let mut own = params(&["localhost"]);
    own.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let (port, pem) = tls(own, BOTH, false);
    assert_eq!(
        failed_over_tls(port, only(&pem)),
        "tls (self-signed certificate is marked as an authority's: give --insecure)"
    );
}

#[test]
fn a_server_that_asks_for_a_client_certificate_is_named() {
    const OLD: Versions = &[&TLS12];
    const NEW: Versions = &[&TLS13];
    for versions in [NEW, OLD] {
        let (port, pem) = tls(params(&["localhost"]), versions, true);
        assert_eq!(
            failed_over_tls(port, only(&pem)),
            "tls (asked for a client certificate: give --cert and --key)"
        );
    }
}

/// Asks for a client certificate, accepts signatures of some kinds, and refuses whatever it is shown.
#[derive(Debug)]
struct RefusesAll {
    error: rustls::Error,
    schemes: Vec<SignatureScheme>,
}

impl ClientCertVerifier for RefusesAll {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Err(self.error.clone())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// Connections that show a client certificate and accept any server.
fn identified() -> Connecting {
    let key = KeyPair::generate().expect("a key");
    let certificate = params(&["client"]).self_signed(&key).expect("one");
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes());
    Connecting {
        identity: Some(identity.expect("a client certificate")),
        ..Connecting::trusting(Trust::Anyone)
    }
}

#[test]
fn a_refused_client_certificate_is_told_from_one_that_may_have_been_and_one_that_was_not_shown() {
    use SignatureScheme::{ECDSA_NISTP256_SHA256, RSA_PSS_SHA256};
    let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
    let other = rustls::Error::General("no".to_owned());
    for (error, scheme, expected) in [
        (
            expired,
            ECDSA_NISTP256_SHA256,
            "tls (refused the client certificate: CertificateExpired)",
        ),
        (
            other.clone(),
            ECDSA_NISTP256_SHA256,
            "tls (asked for a client certificate, and may have refused that of --cert)",
        ),
        (
            other,
            RSA_PSS_SHA256,
            "tls (asked for a client certificate, but not for signatures by a key like that of --key)",
        ),
    ] {
        for version in [&TLS12, &TLS13] {
            let key = KeyPair::generate().expect("a key");
            let certificate = params(&["localhost"]).self_signed(&key).expect("one");
            let clients = RefusesAll {
                error: error.clone(),
                schemes: vec![scheme],
            };
            let versions = Box::leak(Box::new([version]));
            let config = tls_config(&certificate, &key, versions, Some(Arc::new(clients)));
            let port = serving_tls(config);
            let failed = failed(&format!("https://localhost:{port}"), PATIENT, &identified());
            assert_eq!(cause(&failed), expected, "{version:?}");
        }
    }
}

#[test]
fn an_alert_of_a_server_that_asked_for_no_certificate_does_not_refuse_one() {
    for (alert, expected) in [
        (42, "TLS alert BadCertificate"),
        (48, "TLS alert UnknownCA"),
        (49, "TLS alert AccessDenied"),
        (116, "TLS alert CertificateRequired"),
        (
            40,
            "no common cipher suite, or no certificate for this host name",
        ),
    ] {
        let port = answering([0x15, 3, 3, 0, 2, 2, alert]);
        let failed = failed(&format!("https://localhost:{port}"), PATIENT, &identified());
        assert_eq!(cause(&failed), format!("tls ({expected})"));
    }
}

#[test]
fn a_server_that_asks_for_a_client_certificate_and_leaves_is_named() {
    for (version, kind) in [(&TLS12, "tls"), (&TLS13, "reset")] {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(&["localhost"]).self_signed(&key).expect("one");
        let clients = RefusesAll {
            error: rustls::Error::General("no".to_owned()),
            schemes: vec![SignatureScheme::ECDSA_NISTP256_SHA256],
        };
        let versions = Box::leak(Box::new([version]));
        let config = tls_config(&certificate, &key, versions, Some(Arc::new(clients)));
        let port = served(move |mut stream| {
            let mut connection = ServerConnection::new(config.clone()).expect("a configuration");
            connection.read_tls(&mut stream).expect("a greeting");
            connection.process_new_packets().expect("a greeting");
            connection.write_tls(&mut stream).expect("a client");
        });
        for connecting in [identified(), Connecting::trusting(Trust::Anyone)] {
            let failed = failed(&format!("https://localhost:{port}"), PATIENT, &connecting);
            // If the client's certificate arrives before the server closes, the system resets the connection.
            let cause = cause(&failed);
            let kinds = [kind, "reset"].map(|kind| {
                format!("{kind} (asked for a client certificate, then closed the connection)")
            });
            assert!(kinds.contains(&cause), "{cause}");
        }
    }
}

#[test]
fn an_allowed_answer_says_whether_the_limiter_fails_open() {
    for (answer, expected) in [
        ("201 Created\r\nX-Degraded: 1", (Outcome::Allowed, true)),
        ("201 Created\r\nX-Degraded: 0", (Outcome::Allowed, false)),
        ("201 Created", (Outcome::Allowed, false)),
        ("429 No\r\nX-Degraded: 1", (Outcome::Blocked, false)),
    ] {
        let port = answering(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n"));
        let client = client(&format!("http://localhost:{port}"), PATIENT, &public());
        let (came, _) = client.call(0, 0, KeyId(0), &mut Scratch::default());
        assert_eq!((came.outcome, came.failing_open), expected, "{answer}");
    }
    for (body, expected) in [("yes, degraded", true), ("yes", false)] {
        let length = body.len();
        let head = format!("HTTP/1.1 202 Accepted\r\nContent-Length: {length}\r\n\r\n");
        let port = answering(head + body);
        let client = client(&format!("http://localhost:{port}"), PATIENT, &public());
        let (came, _) = client.call(0, 0, KeyId(0), &mut Scratch::default());
        assert_eq!(
            (came.outcome, came.failing_open),
            (Outcome::Allowed, expected)
        );
    }
}

#[test]
fn an_idle_connection_with_half_a_record_is_not_used_again() {
    for whole in [true, false] {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(&["localhost"]).self_signed(&key).expect("one");
        let config = tls_config(&certificate, &key, BOTH, None);
        let (sent, half_sent) = mpsc::channel();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        let listening = served(move |stream| {
            let (config, sent) = (config.clone(), sent.clone());
            count.fetch_add(1, Relaxed);
            stream.set_nodelay(true).expect("a socket");
            thread::spawn(move || {
                let connection = ServerConnection::new(config).expect("a configuration");
                let mut stream = StreamOwned::new(connection, stream);
                loop {
                    match stream.read(&mut [0; 8192]) {
                        Ok(1..) => {}
                        _ => return,
                    }
                    let answer = b"HTTP/1.1 201 OK\r\nContent-Length: 2\r\n\r\nok";
                    stream.write_all(answer).expect("a client that reads");
                    if !whole {
                        let mut record = Vec::new();
                        stream.conn.writer().write_all(b"more").expect("room");
                        stream.conn.write_tls(&mut record).expect("room");
                        let half = &record[..record.len() / 2];
                        stream.sock.write_all(half).expect("a client");
                    }
                    let _ = sent.send(());
                }
            });
        });
        let url = format!("https://localhost:{listening}");
        let client = client(&url, PATIENT, &Connecting::trusting(Trust::Anyone));
        for _ in 0..3 {
            let (answer, _) = client.call(0, 0, KeyId(0), &mut Scratch::default());
            assert_eq!(answer.outcome, Outcome::Allowed);
            half_sent.recv_timeout(PATIENT).expect("an answer");
        }
        assert_eq!(accepted.load(Relaxed), if whole { 1 } else { 3 });
    }
}

#[test]
fn an_alert_instead_of_a_server_s_greeting_is_named() {
    for (alert, expected) in [
        (70, "no common TLS version"),
        (
            40,
            "no common cipher suite, or no certificate for this host name",
        ),
        (112, "no certificate for this host name: give --sni"),
        (120, "does not speak HTTP/1.1"),
        (80, "TLS alert InternalError"),
    ] {
        let port = answering([0x15, 3, 3, 0, 2, 2, alert]);
        assert_eq!(
            failed_over_tls(port, Trust::Anyone),
            format!("tls ({expected})")
        );
    }
}
