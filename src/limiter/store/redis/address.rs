//! Where a Redis database is, and how to log in.

use redis::{IntoConnectionInfo, RedisConnectionInfo};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use thiserror::Error;
use url::{ParseError, Url};

const DEFAULT_PORT: u16 = 6379;

/// A Redis database: its host, port (6379 by default), user, password, and number (0 by default).
///
/// Parsed from a URL of the [form](Self::FORM) that redis-cli takes. In it, special characters are percent-encoded.
/// Displayed, and formatted for debugging, without user and password.
#[derive(Clone)]
pub struct RedisAddress {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) login: RedisConnectionInfo,
}

impl RedisAddress {
    pub const FORM: &str = "redis://[[user]:password@]host[:port][/database]";

    /// Host and port, as in `redis:6379` or `[::1]:6379`.
    pub(super) fn endpoint(&self) -> String {
        match self.host.parse::<Ipv6Addr>() {
            Ok(ip) => format!("[{ip}]:{}", self.port),
            Err(_) => format!("{}:{}", self.host, self.port),
        }
    }
}

/// Why a text is not a [`RedisAddress`]. The reason never quotes the text, which may contain a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidRedisAddress {
    #[error("{0} (in a user or password, / ? # @ are %2F %3F %23 %40)")]
    Url(ParseError),
    #[error("{0}")]
    Part(&'static str),
}

impl FromStr for RedisAddress {
    type Err = InvalidRedisAddress;

    fn from_str(text: &str) -> Result<Self, InvalidRedisAddress> {
        let wrong = |why| Err(InvalidRedisAddress::Part(why));
        let url = match Url::parse(text) {
            Ok(url) if url.scheme() == "redis" => url,
            Ok(_) | Err(ParseError::RelativeUrlWithoutBase) => {
                return wrong("it does not begin with redis://, and TLS is not supported");
            }
            Err(error) => return Err(InvalidRedisAddress::Url(error)),
        };
        if url.query().or(url.fragment()).is_some() {
            return wrong(
                "nothing may follow the database (in a user or password, / ? # @ are %2F %3F %23 %40)",
            );
        }
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return wrong("it names no host");
        }
        if host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified()) {
            return wrong("nothing listens on an unspecified address");
        }
        let port = url.port().unwrap_or(DEFAULT_PORT);
        if port == 0 {
            return wrong("nothing listens on port 0");
        }
        let database = url.path().trim_start_matches('/');
        if !database.is_empty() && database.parse::<u32>().is_err() {
            return wrong("the database must be a whole number, 0 or more");
        }
        let Ok(info) = url.into_connection_info() else {
            return wrong("user and password must be UTF-8");
        };
        let login = info.redis_settings().clone();
        if login.username().is_some() && login.password().is_none() {
            return wrong("a user needs a password");
        }
        Ok(Self { host, port, login })
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redis://{}/{}", self.endpoint(), self.login.db())
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_and_database_have_defaults() {
        for (text, shown) in [
            ("redis://redis", "redis://redis:6379/0"),
            ("redis://10.0.0.1:7000/", "redis://10.0.0.1:7000/0"),
            ("redis://[::1]/3", "redis://[::1]:6379/3"),
        ] {
            let address: RedisAddress = text.parse().expect(text);
            assert_eq!(address.to_string(), shown);
        }
    }

    #[test]
    fn a_password_is_decoded_and_never_shown() {
        for (text, user, password) in [
            ("redis://:s%40cret@h", None, "s@cret"),
            ("redis://me:s%2Fcret@h", Some("me"), "s/cret"),
        ] {
            let address: RedisAddress = text.parse().expect(text);
            let login = &address.login;
            assert_eq!((login.username(), login.password()), (user, Some(password)));
            let shown = format!("{address} {address:?}");
            assert!(!shown.contains("cret"), "{shown}");
        }
    }

    #[test]
    fn an_error_gives_the_reason_without_the_password() {
        for (text, reason) in [
            ("", "redis://"),
            ("localhost:6379", "redis://"),
            ("rediss://:secret@h", "TLS"),
            ("redis://", "no host"),
            ("redis:6379", "no host"),
            ("redis:///3", "no host"),
            ("redis://:secret@", "empty host"),
            ("redis://:sec#ret@h", "empty host"),
            ("redis://h:65536", "port"),
            ("redis://h:0", "port 0"),
            ("redis://0.0.0.0", "unspecified"),
            ("redis://[::]", "unspecified"),
            ("redis://h/one", "whole number"),
            ("redis://h/-1", "whole number"),
            ("redis://h/1/2", "whole number"),
            ("redis://h?db=1", "follow the database"),
            ("redis://h/0#", "follow the database"),
            ("redis://me@h", "a user needs a password"),
            ("redis://:%ff@h", "UTF-8"),
        ] {
            let error = text.parse::<RedisAddress>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("sec"), "{error}");
        }
    }
}
