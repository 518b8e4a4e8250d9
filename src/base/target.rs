use std::fmt;
use std::net::IpAddr;
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
}

/// The longest base URL, in bytes: common servers accept a request line of about this length.
const MAX_BASE: usize = 8_000;

impl Target {
    /// Reads an http or https URL, to which requests' paths are appended.
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
        })
    }
}

impl Target {
    /// Whether its URL has this host, which is without brackets, and this port.
    pub fn is_at(&self, host: &str, port: u16) -> bool {
        let uri_port = self.uri.port_u16();
        let is_https = self.uri.scheme_str() == Some("https");
        let uri_port = uri_port.unwrap_or(if is_https { 443 } else { 80 });
        let uri_host = self.uri.host().unwrap_or_default();
        let uri_host = uri_host.trim_start_matches('[').trim_end_matches(']');
        uri_host.eq_ignore_ascii_case(host) && uri_port == port
    }

    /// The address that connections are made to, unless it is that of a name.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
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
