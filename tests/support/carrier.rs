//! The ways in which the command reaches the servers of a test.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::OnceLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// http to `127.0.0.1`.
    Http,
    /// http to `[::1]`.
    Ipv6,
    /// http to a name that stands for [`SEVERAL`] addresses.
    SeveralAddresses,
    /// https to a self-signed certificate, which `--ca-cert` names.
    HttpsTrusted,
    /// https to a self-signed certificate, with `--insecure`.
    HttpsInsecure,
}

/// The name of several addresses: under a domain that is for tests (RFC 6761).
pub const NAME: &str = "node.test";

/// What the name stands for. The server is at every one of them. Where a port is free at the first,
/// with which all else on the machine is done too, it mostly is at the others.
pub const SEVERAL: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)),
];

impl Carrier {
    pub fn is_tls(self) -> bool {
        matches!(self, Carrier::HttpsTrusted | Carrier::HttpsInsecure)
    }

    /// Where a server listens, always on the same port.
    pub fn addresses(self) -> &'static [IpAddr] {
        match self {
            Carrier::SeveralAddresses => &SEVERAL,
            Carrier::Ipv6 => &[IpAddr::V6(Ipv6Addr::LOCALHOST)],
            Carrier::Http | Carrier::HttpsTrusted | Carrier::HttpsInsecure => {
                &[IpAddr::V4(Ipv4Addr::LOCALHOST)]
            }
        }
    }

    /// As it stands in a URL.
    pub fn host(self) -> &'static str {
        match self {
            Carrier::SeveralAddresses => NAME,
            Carrier::Ipv6 => "[::1]",
            Carrier::Http | Carrier::HttpsTrusted | Carrier::HttpsInsecure => "127.0.0.1",
        }
    }
}

/// A file of this test process, to be read by the command.
pub fn file(name: &str, content: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME"));
    fs::create_dir_all(&directory).expect("a folder for the tests");
    let path = directory.join(name);
    fs::write(&path, content).expect("a file for the tests");
    path
}

/// What [`NAME`] stands for, in the form of `/etc/hosts`.
pub fn hosts() -> PathBuf {
    static HOSTS: OnceLock<PathBuf> = OnceLock::new();
    let path = HOSTS.get_or_init(|| {
        let lines = SEVERAL.map(|address| format!("{address} {NAME}\n"));
        file("hosts", &lines.concat())
    });
    path.clone()
}
