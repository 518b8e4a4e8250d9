use crate::base::text::character;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use ureq::http::Uri;
use url::Url;

/// One node of the cluster under load, by its base URL.
#[derive(Debug, Clone)]
pub struct Target {
    base: String,
    /// The base URL, with the target's own path if it has one.
    name: String,
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
        let is_wrong = |c: char| c.is_whitespace() || c.is_control() || "\\\"“”‘’".contains(c);
        if let Some((column, wrong)) = (1..).zip(base.chars()).find(|(_, c)| is_wrong(*c)) {
            let name = character(wrong);
            return Err(format!("has {name} at column {column}"));
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
            name: base.clone(),
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
        let base = format!("unix:{socket}{path}");
        Ok(Target {
            name: base.clone(),
            base,
            unix_socket: Some(PathBuf::from(socket)),
            ..target
        })
    }

    /// Reads a URL whose path and query are those of the requests, and not the beginning of their paths. Returns the
    /// target without them, and the path with its query, or `None` if the URL has none beyond `/`. Characters that can't
    /// be sent are percent-encoded, except braces, which may be those of placeholders.
    ///
    /// # Errors
    /// The error says what is wrong with the URL, as the end of a sentence that starts with it.
    pub fn with_own_path(url: &str) -> Result<(Target, Option<String>), String> {
        if url.len() > MAX_BASE {
            return Err(format!("is longer than {MAX_BASE} bytes"));
        }
        if url.contains('#') {
            return Err("has a fragment, which is never sent".to_owned());
        }
        let (base, path) = Target::split(url);
        let target = Target::new(base.strip_suffix(SOCKET_END).unwrap_or(base))?;
        if url.contains(char::is_whitespace) || url.contains(char::is_control) {
            return Err("contains a space or a control character".to_owned());
        }
        let path = utf8_percent_encode(path, UNSENDABLE).to_string();
        let path = match path.strip_prefix('?') {
            Some(query) => format!("/?{query}"),
            None => path,
        };
        Ok((
            target,
            Some(path).filter(|path| !matches!(&**path, "" | "/")),
        ))
    }

    /// Reads the name of a target as results show it: a URL whose path and query may have masks and placeholders.
    ///
    /// # Errors
    /// The error says what is wrong with the URL, as the end of a sentence that starts with it.
    pub fn of_name(name: &str) -> Result<Target, String> {
        let (base, path) = Target::split(name);
        let target = Target::new(base.strip_suffix(SOCKET_END).unwrap_or(base))?;
        Ok(match path {
            "" => target,
            path => target.named(path),
        })
    }

    /// The beginning of a URL, up to its path or query, and the rest. The beginning of a Unix socket's URL ends with the
    /// colon before the path.
    pub fn split(url: &str) -> (&str, &str) {
        if let Some(rest) = url.strip_prefix("unix:") {
            let start = url.len() - rest.len();
            let colon = rest
                .find(":/")
                .map(|colon| start + colon + SOCKET_END.len());
            return url.split_at(colon.unwrap_or(url.len()));
        }
        let host = url.find("://").map_or(0, |scheme| scheme + 3);
        let end = url[host..].find(['/', '?', '#']).map(|end| host + end);
        url.split_at(end.unwrap_or(url.len()))
    }
}

/// Stands between the path of a Unix socket and the path of requests.
const SOCKET_END: &str = ":";

/// The characters that a path can't have as they are, without braces.
pub(crate) const UNSENDABLE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'|');

impl Target {
    /// Adds the target's own path to its name, as people may see it.
    pub fn named(self, own_path: &str) -> Target {
        Target {
            name: format!("{}{own_path}", self.joint()),
            ..self
        }
    }

    /// The base URL up to a path, with the colon that stands between a Unix socket and a path.
    fn joint(&self) -> String {
        match &self.unix_socket {
            Some(_) => format!("{}:", self.base),
            None => self.base.clone(),
        }
    }

    /// The base URL, without a trailing slash and without the target's own path.
    pub fn base(&self) -> &str {
        &self.base
    }

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
    /// The base URL without a trailing slash, or the target's whole URL if it has a path of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
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
    fn a_name_in_results_is_read_as_it_was_shown() {
        for name in [
            "http://node:8000",
            "http://node/a/b",
            "https://[::1]:81/v1?token=***(6 bytes)&n={seq}",
        ] {
            assert_eq!(Target::of_name(name).unwrap().to_string(), name);
        }
        #[cfg(unix)]
        for name in ["unix:/run/app.sock", "unix:/run/app.sock:/a?b={key}"] {
            assert_eq!(Target::of_name(name).unwrap().to_string(), name);
        }
        for bad in ["", "node", "http://", "http://no de/a", "ftp://node/a"] {
            assert!(Target::of_name(bad).is_err(), "{bad}");
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
    fn a_url_may_be_a_base_with_a_path_of_its_own() {
        for (url, base, own, shown) in [
            ("http://h:1", "http://h:1", None, "http://h:1"),
            ("http://h:1/", "http://h:1", None, "http://h:1"),
            ("HTTP://H/a/", "http://h", Some("/a/"), "http://h/a/"),
            (
                "http://h/a/../b//",
                "http://h",
                Some("/a/../b//"),
                "http://h/a/../b//",
            ),
            ("http://h//", "http://h", Some("//"), "http://h//"),
            ("http://h?q=1", "http://h", Some("/?q=1"), "http://h/?q=1"),
            ("http://h/?", "http://h", Some("/?"), "http://h/?"),
            (
                "http://[::1]:2/a?b=c/d?e",
                "http://[::1]:2",
                Some("/a?b=c/d?e"),
                "http://[::1]:2/a?b=c/d?e",
            ),
            (
                "http://h/{key}/%7Bé|",
                "http://h",
                Some("/{key}/%7B%C3%A9%7C"),
                "http://h/{key}/%7B%C3%A9%7C",
            ),
        ] {
            let (target, path) = Target::with_own_path(url).expect(url);
            assert_eq!((target.base(), path.as_deref()), (base, own), "{url}");
            let path = path.unwrap_or_default();
            assert_eq!(target.named(&path).to_string(), shown);
        }
        for bad in [
            "http://h/a#b",
            "http://h/a b",
            "http://h/\n",
            "h/a",
            "http:///a",
            "http://u:p@h/a",
            "ftp://h/a",
        ] {
            assert!(Target::with_own_path(bad).is_err(), "{bad}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_unix_socket_may_have_a_path_of_its_own() {
        let (target, path) = Target::with_own_path("unix:/a.sock:/v1?x={key}").unwrap();
        assert_eq!(
            (target.base(), path.as_deref()),
            ("unix:/a.sock", Some("/v1?x={key}"))
        );
        assert_eq!(
            target.named("/v1?x={key}").to_string(),
            "unix:/a.sock:/v1?x={key}"
        );
        let (target, path) = Target::with_own_path("unix:/a.sock:/").unwrap();
        assert_eq!((target.to_string().as_str(), path), ("unix:/a.sock", None));
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
