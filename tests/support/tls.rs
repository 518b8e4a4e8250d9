//! Certificates made for a test, and a server's side of TLS.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS12;
use rustls::{
    ALL_VERSIONS, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};

use super::carrier;

/// A certificate and its key, as a server shows them.
#[derive(Clone)]
pub struct Identity {
    pub pem: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    pub fn self_signed(names: &[&str]) -> Self {
        Self::made(params(names))
    }

    /// Self-signed, with whatever is wrong with it.
    pub fn made(params: CertificateParams) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self::new(certificate.pem(), certificate.der().clone(), &key)
    }

    /// Issued by an authority, whose own certificate in PEM comes with it.
    pub fn issued(names: &[&str]) -> (Self, String) {
        let mut authority = params(&[]);
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let certificate = params(names).signed_by(&key, &authority);
        let certificate = certificate.expect("a certificate");
        let identity = Self::new(certificate.pem(), certificate.der().clone(), &key);
        (identity, authority.pem())
    }

    /// The certificate and the key of a client, and the certificate of the authority that issued them, each in PEM.
    pub fn of_a_client() -> [String; 3] {
        let mut authority = params(&[]);
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let certificate = params(&["client"]).signed_by(&key, &authority);
        let certificate = certificate.expect("a certificate");
        [certificate.pem(), key.serialize_pem(), authority.pem()]
    }

    /// Self-signed, of a server that speaks no newer TLS than 1.2.
    pub fn up_to_tls_1_2(names: &[&str]) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(names).self_signed(&key).expect("a certificate");
        let der = certificate.der().clone();
        Self::speaking(&[&TLS12], certificate.pem(), der, &key)
    }

    /// Self-signed, of a server that accepts only clients with a certificate of this authority.
    pub fn for_clients_of(authority: &str, names: &[&str]) -> Self {
        let mut trusted = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM");
        trusted.add(authority).expect("an authority");
        let provider = Arc::new(ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(trusted.into(), provider);
        let key = KeyPair::generate().expect("a key");
        let certificate = params(names).self_signed(&key).expect("a certificate");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(ALL_VERSIONS)
            .expect("versions of TLS")
            .with_client_cert_verifier(clients.build().expect("an authority"))
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            );
        Self {
            pem: certificate.pem(),
            config: Arc::new(config.expect("a certificate and its key")),
        }
    }

    fn new(pem: String, certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        Self::speaking(ALL_VERSIONS, pem, certificate, key)
    }

    fn speaking(
        versions: &[&'static SupportedProtocolVersion],
        pem: String,
        certificate: CertificateDer<'static>,
        key: &KeyPair,
    ) -> Self {
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a certificate and its key");
        Self {
            pem,
            config: Arc::new(config),
        }
    }
}

pub fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).expect("names of hosts")
}

/// The certificate of servers in tests that are not about certificates.
pub fn usual() -> &'static Identity {
    static USUAL: OnceLock<Identity> = OnceLock::new();
    USUAL.get_or_init(|| Identity::self_signed(&["127.0.0.1", "::1", "localhost"]))
}

/// The usual certificate as `--ca-cert` takes it.
pub fn usual_file() -> PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let path = FILE.get_or_init(|| carrier::file("usual.pem", &usual().pem));
    path.clone()
}

/// A server's side of a connection, with or without TLS. Where the socket has a timeout, reading
/// and writing may be tried again after it.
pub enum Stream {
    Plain(Counting),
    Tls(Box<StreamOwned<ServerConnection, Counting>>),
}

/// Counts how often there was something to read.
pub struct Counting {
    tcp: TcpStream,
    reads: usize,
}

impl Stream {
    /// The handshake is still to come where there is an identity to show.
    pub fn new(tcp: TcpStream, identity: Option<&Identity>) -> Self {
        let counting = Counting { tcp, reads: 0 };
        match identity {
            None => Self::Plain(counting),
            Some(identity) => {
                let config = Arc::clone(&identity.config);
                let connection = ServerConnection::new(config).expect("a server's configuration");
                Self::Tls(Box::new(StreamOwned::new(connection, counting)))
            }
        }
    }

    /// Carries the handshake on to its end, if there is to be one.
    pub fn shake_hands(&mut self) -> io::Result<()> {
        if let Self::Tls(tls) = self {
            while tls.conn.is_handshaking() {
                tls.conn.complete_io(&mut tls.sock)?;
            }
        }
        Ok(())
    }

    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(plain) => &plain.tcp,
            Self::Tls(tls) => &tls.sock.tcp,
        }
    }

    /// How many reads of the TCP connection brought something.
    pub fn reads(&self) -> usize {
        match self {
            Self::Plain(plain) => plain.reads,
            Self::Tls(tls) => tls.sock.reads,
        }
    }

    /// How the client called the server in its handshake.
    pub fn server_name(&self) -> Option<String> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => tls.conn.server_name().map(str::to_owned),
        }
    }

    /// Says that nothing more is to come, where TLS has a word for that.
    pub fn say_goodbye(&mut self) {
        if let Self::Tls(tls) = self {
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    }

    /// Announces that everything from now on is encrypted with new keys, where TLS has keys.
    pub fn send_new_keys(&mut self) {
        if let Self::Tls(tls) = self {
            tls.conn.refresh_traffic_keys().expect("TLS 1.3");
            let _ = tls.flush();
        }
    }

    /// Sends these bytes, and what [`Self::say_goodbye`] says, in one write.
    pub fn send_with_goodbye(&mut self, bytes: &[u8]) {
        let mut sent = self.encrypted(bytes);
        if let Self::Tls(tls) = self {
            tls.conn.send_close_notify();
        }
        sent.extend(self.encrypted(b""));
        self.tcp().write_all(&sent).expect("a write");
    }

    /// Sends the first half of what it takes to send these bytes.
    pub fn send_half(&mut self, bytes: &[u8]) {
        let sent = self.encrypted(bytes);
        let half = &sent[..sent.len() / 2];
        self.tcp().write_all(half).expect("a write");
    }

    fn encrypted(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Self::Tls(tls) = self else {
            return bytes.to_vec();
        };
        let mut records = Vec::new();
        tls.conn.writer().write_all(bytes).expect("room to write");
        while tls.conn.wants_write() {
            tls.conn.write_tls(&mut records).expect("room to write");
        }
        records
    }

    /// An orderly end.
    pub fn close(&mut self) {
        self.say_goodbye();
        self.cut();
    }

    /// The end of the TCP connection, and no word of it in TLS.
    pub fn cut(&mut self) {
        let _ = self.tcp().shutdown(Shutdown::Both);
    }
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.tcp.read(buffer)?;
        self.reads += usize::from(length > 0);
        Ok(length)
    }
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(plain) => plain.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(plain) => plain.write(bytes),
            Self::Tls(tls) => {
                // It takes nothing more while it has much to pass on.
                tls.flush()?;
                tls.write(bytes)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(plain) => plain.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
