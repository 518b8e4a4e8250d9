//! How connections to the targets are made.

use super::cluster::Nodes;
use super::values::{duration, file, read_file};
use super::{Arguments, Opt, Options, Refusal, opt};
use crate::client::{Connecting, Identity, IdentityError, ServerName, Trust};
use clap::Args;
use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
pub struct Connections {
    /// A PEM file of at most 1 MiB with the certificate that is shown to https targets that ask for one, and those of its
    /// authorities, if they are needed
    #[arg(long, env = "LOADGEN_CERT", hide_env_values = true, value_name = "FILE", value_parser = opt(file()))]
    pub cert: Option<Opt<PathBuf>>,

    /// A PEM file of at most 1 MiB with the private key of --cert, not encrypted. Without this option, the key is in the file
    /// of --cert
    #[arg(long, env = "LOADGEN_KEY", hide_env_values = true, value_name = "FILE", value_parser = opt(file()))]
    pub key: Option<Opt<PathBuf>>,

    /// Connect to another address than a target's URL says: `node:443=10.0.0.7:8443`. Host and TLS name stay
    /// those of the URL. May be repeated; the variable has several separated by commas
    #[arg(long, env = "LOADGEN_CONNECT_TO", hide_env_values = true, value_name = "HOST:PORT=ADDR:PORT",
          value_parser = opt(redirection), value_delimiter = ',')]
    pub connect_to: Vec<Opt<Redirection>>,

    /// The host name that https targets are given in the TLS handshake, and that their certificates must be
    /// for, instead of the URL's host
    #[arg(long, env = "LOADGEN_SNI", hide_env_values = true, value_name = "NAME", value_parser = opt(server_name))]
    pub sni: Option<Opt<ServerName>>,

    /// Addresses of this machine, separated by commas, that requests come from in turn, each over connections
    /// of its own: for limiters that tell callers apart by address
    #[arg(long, env = "LOADGEN_SOURCE_ADDRESS", hide_env_values = true, value_name = "ADDRS",
          value_parser = opt(sources))]
    pub source_address: Option<Opt<Sources>>,

    /// Before the run, wait at most this long until the first target's name resolves and the target accepts a
    /// connection that it keeps open, with https a TLS handshake too. No request is sent, so no key's limit is
    /// used. Without this option, names that do not resolve are refused
    #[arg(long, env = "LOADGEN_WAIT", hide_env_values = true, value_name = "TIME", value_parser = opt(duration),
          allow_hyphen_values = true)]
    pub wait: Option<Opt<Duration>>,
}

/// One or more of this machine's addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources(pub Vec<IpAddr>);

/// A host and a port, each with what takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirection {
    from: (String, u16),
    to: (String, u16),
}

/// The largest file with a certificate or a key, in bytes.
const MAX_PEM: u64 = 1024 * 1024;

impl Connections {
    /// Has targets be reached at other addresses.
    pub(super) fn redirect(
        &self,
        arguments: &Arguments<Options>,
        nodes: &mut Nodes,
    ) -> Result<(), Refusal> {
        for redirection in &self.connect_to {
            let Redirection { from, to } = &**redirection;
            let targets = match nodes {
                Nodes::Targets(targets) => targets.as_mut_slice(),
                Nodes::Demo { .. } => &mut [],
            };
            let mut is_known = false;
            for target in targets {
                if target.is_at(&from.0, from.1) {
                    target.connect_to(&to.0, to.1);
                    is_known = true;
                }
            }
            if !is_known {
                let allowed = "must begin with the host and the port of a target";
                return Err(arguments.refuse(redirection, allowed));
            }
        }
        Ok(())
    }

    /// The choices for all connections.
    pub(super) fn connecting(
        &self,
        arguments: &Arguments<Options>,
        trust: Trust,
        nodes: &Nodes,
    ) -> Result<Connecting, Refusal> {
        Ok(Connecting {
            sources: self.sources(arguments, nodes)?,
            identity: self.identity(arguments)?,
            server_name: self.sni.as_deref().cloned(),
            ..Connecting::trusting(trust)
        })
    }

    /// The addresses that connections are made from. A target that is an address of another family is refused.
    fn sources(
        &self,
        arguments: &Arguments<Options>,
        nodes: &Nodes,
    ) -> Result<Vec<IpAddr>, Refusal> {
        let Some(option) = &self.source_address else {
            return Ok(Vec::new());
        };
        let Sources(sources) = &**option;
        for target in nodes.examples() {
            let is_possible = |address: IpAddr| {
                let mut sources = sources.iter();
                sources.any(|source| source.is_ipv4() == address.is_ipv4())
            };
            if target
                .address()
                .is_some_and(|address| !is_possible(address))
            {
                let allowed = format!("must have an address of the family of {target}");
                return Err(arguments.refuse(option, allowed));
            }
        }
        Ok(sources.clone())
    }

    fn identity(&self, arguments: &Arguments<Options>) -> Result<Option<Identity>, Refusal> {
        const CERTIFICATE: &str = "must be a PEM file with one or more certificates";
        const KEY: &str = "must be a PEM file with the private key of the certificate";
        let refuse = |option: &Opt<PathBuf>, allowed: &str, why: &dyn std::fmt::Display| {
            arguments.refuse(option, format!("{allowed}; {why}"))
        };
        let Some(cert) = &self.cert else {
            return match &self.key {
                Some(key) => Err(arguments.refuse(key, "needs --cert")),
                None => Ok(None),
            };
        };
        let read = |file: &Path| read_file(file, MAX_PEM);
        let certificates = read(cert).map_err(|error| refuse(cert, CERTIFICATE, &error))?;
        let in_cert = "must be a PEM file with a certificate and, without --key, its private key";
        let (key_option, key_form) = match &self.key {
            Some(key) => (key, KEY),
            None => (cert, in_cert),
        };
        let key = read(key_option).map_err(|error| refuse(key_option, key_form, &error))?;
        let identity = Identity::from_pem(&certificates, &key).map_err(|error| match error {
            IdentityError::Certificate(why) => refuse(cert, CERTIFICATE, &why),
            IdentityError::Key(why) => refuse(key_option, key_form, &why),
        });
        identity.map(Some)
    }
}

fn redirection(text: &str) -> Result<Redirection, String> {
    let form = || "must be HOST:PORT=ADDR:PORT, such as node:443=10.0.0.7:8443".to_owned();
    let (from, to) = text.trim().split_once('=').ok_or_else(form)?;
    Ok(Redirection {
        from: host_and_port(from).ok_or_else(form)?,
        to: host_and_port(to).ok_or_else(form)?,
    })
}

/// Reads `host:80` or `[::1]:80`. The host is returned without brackets.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.trim().rsplit_once(':')?;
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|&port| port > 0 && is_number)?;
    let url = url::Url::parse(&format!("http://{host}:{port}")).ok()?;
    let host = match url.host()? {
        url::Host::Ipv6(address) => address.to_string(),
        other => other.to_string(),
    };
    let is_plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    (is_plain && url.username().is_empty() && url.password().is_none()).then_some((host, port))
}

fn sources(text: &str) -> Result<Sources, String> {
    const ALLOWED: &str = "must be addresses of this machine, separated by commas";
    let sources = text.split(',').map(|part| {
        let part = part.trim();
        let address: IpAddr = part
            .parse()
            .map_err(|_| format!("{ALLOWED}; {part:?} is not an IP address"))?;
        // Only an address of this machine can be bound. This sends nothing.
        UdpSocket::bind((address, 0))
            .map_err(|error| format!("{ALLOWED}; {address}: {error}"))
            .and_then(|_| match address.is_unspecified() {
                true => Err(format!("{ALLOWED}; {address} stands for any")),
                false => Ok(address),
            })
    });
    sources.collect::<Result<_, _>>().map(Sources)
}

fn server_name(text: &str) -> Result<ServerName, String> {
    ServerName::new(text.trim()).ok_or_else(|| {
        "must be a host name, such as api.example.com, and not an address".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_has_a_host_and_a_port_on_both_sides() {
        for (text, from, to) in [
            ("a:80=b:81", ("a", 80), ("b", 81)),
            (
                " Node:443 = 10.0.0.7:8443 ",
                ("node", 443),
                ("10.0.0.7", 8443),
            ),
            ("[::1]:1=[2001:db8::1]:2", ("::1", 1), ("2001:db8::1", 2)),
        ] {
            let read = redirection(text).unwrap();
            assert_eq!((&*read.from.0, read.from.1), from);
            assert_eq!((&*read.to.0, read.to.1), to);
        }
        let bad = "|a:80|a=b|a:80=b|a:80=:81|:80=b:81|a:80=b:0|a:80=b:65536|a:80=b:+1|a/x:80=b:81|u@a:80=b:81|\
            a:80=b c:81|a:80=::1:81";
        for bad in bad.split('|') {
            assert!(redirection(bad).is_err(), "{bad}");
        }
    }
}
