use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use ureq::http::Uri;
use url::Url;

/// One node of the cluster under load, by its base URL.
#[derive(Debug, Clone)]
pub struct Target {
    base: String,
    pub(crate) uri: Uri,
    /// The host that connections are made to, without the brackets of an IPv6 address.
    pub(crate) host: String,
    /// The port that connections are made to.
    pub(crate) port: u16,
    /// The path of the Unix socket that connections are made to, instead of host and port.
    pub(crate) unix_socket: Option<PathBuf>,
}

/// The longest base URL, in bytes: common servers accept a request line of about this length.
const MAX_BASE: usize = 8_000;

impl Target {
    /// Reads an http or https URL, or `unix:` with the path of a socket and perhaps a colon and a base path. Requests'
    /// paths are appended to it.
    ///
    /// # Errors
    /// The error says what is wrong with the URL, as the end of a sentence that starts with it.
    pub fn new(base: &str) -> Result<Target, String> {
        // A URL parser silently repairs http:node, http:///node and "no\tde", as its standard says. For a typing error,
        // a message is better.
        if base.len() > MAX_BASE {
            return Err(format!("is longer than {MAX_BASE} bytes"));
        }
        if base.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err("contains a space, control character or backslash".to_owned());
        }
        if let Some(rest) = base.strip_prefix("unix:") {
            return Target::at_unix_socket(rest);
        }
        let (scheme, rest) = base.split_once("://").ok_or("has no http:// or https://")?;
        if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
            return Err("is neither http:// nor https://".to_owned());
        }
        if rest.is_empty() || rest.starts_with(['/', '?', '#', ':']) {
            return Err("has no host".to_owned());
        }
        let url = Url::parse(base).map_err(|error| format!("is not a URL: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a user name or password, which would not be sent".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a query or fragment, to which no path can be appended".to_owned());
        }
        let host = match url.host() {
            Some(url::Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err("has no host".to_owned()),
        };
        let port = url.port_or_known_default().filter(|&port| port > 0);
        let port = port.ok_or("has port 0")?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        let uri = base.parse().map_err(|_| "is not a valid URL")?;
        Ok(Target {
            base,
            uri,
            host,
            port,
            unix_socket: None,
        })
    }

    /// Reads `/run/app.sock` or `/run/app.sock:/base`. Requests have the host `localhost`.
    fn at_unix_socket(text: &str) -> Result<Target, String> {
        if !cfg!(unix) {
            return Err("is a Unix socket, which this system does not have".to_owned());
        }
        if !text.starts_with('/') {
            return Err("has no absolute path of a socket, such as unix:/run/app.sock".to_owned());
        }
        // The system's limit, with the byte that ends the path, is 104 or 108.
        const MAX_SOCKET: usize = 103;
        let (socket, path) = text.split_once(":/").unwrap_or((text, ""));
        if socket.len() > MAX_SOCKET {
            return Err(format!("has a socket's path of over {MAX_SOCKET} bytes"));
        }
        let target = Target::new(&format!("http://localhost/{path}"))?;
        let path = target.uri.path().trim_end_matches('/');
        let path = if path.is_empty() {
            ""
        } else {
            &format!(":{path}")
        };
        Ok(Target {
            base: format!("unix:{socket}{path}"),
            unix_socket: Some(PathBuf::from(socket)),
            ..target
        })
    }
}

impl Target {
    /// Whether its URL has this host, which is without brackets, and this port.
    pub fn is_at(&self, host: &str, port: u16) -> bool {
        if self.unix_socket.is_some() {
            return false;
        }
        let uri_port = self.uri.port_u16();
        let is_https = self.uri.scheme_str() == Some("https");
        let uri_port = uri_port.unwrap_or(if is_https { 443 } else { 80 });
        let uri_host = self.uri.host().unwrap_or_default();
        let uri_host = uri_host.trim_start_matches('[').trim_end_matches(']');
        uri_host.eq_ignore_ascii_case(host) && uri_port == port
    }

    /// The IP address that connections are made to. `None` for a name or a Unix socket.
    pub fn address(&self) -> Option<IpAddr> {
        self.host
            .parse()
            .ok()
            .filter(|_| self.unix_socket.is_none())
    }

    /// Has connections be made to another host, which is without brackets, and another port. Requests stay the same.
    pub fn connect_to(&mut self, host: &str, port: u16) {
        (self.host, self.port) = (host.to_owned(), port);
    }
}

impl fmt::Display for Target {
    /// The base URL, without a trailing slash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_has_a_host_a_port_and_maybe_a_path() {
        for (base, shown, path, host, port) in [
            ("http://node:8000", "http://node:8000", "/", "node", 8000),
            ("http://node:8000/", "http://node:8000", "/", "node", 8000),
            ("https://node/a/b/", "https://node/a/b", "/a/b", "node", 443),
            ("HTTP://Node:80", "http://node", "/", "node", 80),
            ("http://[::1]:81", "http://[::1]:81", "/", "::1", 81),
        ] {
            let target = Target::new(base).unwrap();
            assert_eq!(target.to_string(), shown);
            let parts = (target.uri.path(), &*target.host, target.port);
            assert_eq!(parts, (path, host, port));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_unix_socket_may_have_a_base_path() {
        for (base, shown, path, socket) in [
            (
                "unix:/run/app.sock",
                "unix:/run/app.sock",
                "/",
                "/run/app.sock",
            ),
            ("unix:/a.sock:/", "unix:/a.sock", "/", "/a.sock"),
            (
                "unix:/a:b.sock:/v1/x/",
                "unix:/a:b.sock:/v1/x",
                "/v1/x",
                "/a:b.sock",
            ),
        ] {
            let target = Target::new(base).unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(
                target.uri.path().trim_end_matches('/'),
                path.trim_end_matches('/')
            );
            assert_eq!(target.unix_socket.as_deref(), Some(socket.as_ref()));
            assert_eq!(
                (target.address(), target.is_at("localhost", 80)),
                (None, false)
            );
        }
        let long = format!("unix:/{}", "a".repeat(103));
        for bad in [
            "unix:",
            "unix:app.sock",
            "unix://run/app.sock?x:/y?z",
            "unix:/a b",
            &long,
        ] {
            assert!(Target::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_that_no_request_could_be_sent_to_is_refused() {
        let long = format!("http://node/{}", "a".repeat(MAX_BASE));
        let bad = "node node:8000 //node ftp://node http:// http:///check http://a:b@node http://node?x http://node#x \
            http://node:99999 http://node:0";
        for bad in bad.split(' ').chain(["", "http://no de", &long]) {
            assert!(Target::new(bad).is_err(), "{bad}");
        }
    }
}
