//! Where a Redis is, and how to log in.

use redis::{IntoConnectionInfo, RedisConnectionInfo};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use thiserror::Error;
use url::Url;

const DEFAULT_PORT: u16 = 6379;

/// A Redis database: host, port (6379 unless given), user and password, number of the database (0 unless given).
///
/// Parsed from a URL of the [form](Self::FORM) that redis-cli and most clients take, in which whatever is special in a
/// URL is percent-encoded. Displayed, and formatted for debugging, without user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: u32,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
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

/// Why a text is no [`RedisAddress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidRedisAddress {
    #[error("{0} (in a user or password, / ? # @ are %2F %3F %23 %40)")]
    Url(#[from] url::ParseError),
    #[error("it does not begin with redis://, and TLS is not supported")]
    Scheme,
    #[error("it names no host")]
    Host,
    #[error("nothing listens on an unspecified address")]
    Unspecified,
    #[error("port 0 stands for no port")]
    Port,
    #[error("a database is a whole number, 0 or more")]
    Database,
    #[error("nothing follows the database (in a user or password, / ? # @ are %2F %3F %23 %40)")]
    QueryOrFragment,
    #[error("a user comes with a password")]
    Password,
    #[error("user and password must be UTF-8")]
    NotUtf8,
}

impl FromStr for RedisAddress {
    type Err = InvalidRedisAddress;

    fn from_str(text: &str) -> Result<Self, InvalidRedisAddress> {
        use InvalidRedisAddress::{
            Database, Host, NotUtf8, Password, Port, QueryOrFragment, Scheme, Unspecified,
        };

        let url = match Url::parse(text) {
            Err(url::ParseError::RelativeUrlWithoutBase) => return Err(Scheme),
            parsed => parsed?,
        };
        if url.scheme() != "redis" {
            return Err(Scheme);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(QueryOrFragment);
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(Host)?.trim_matches(['[', ']']).to_owned();
        if host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified()) {
            return Err(Unspecified);
        }
        let port = url.port().unwrap_or(DEFAULT_PORT);
        if port == 0 {
            return Err(Port);
        }
        let database = match url.path().trim_start_matches('/') {
            "" => 0,
            number => number.parse().map_err(|_| Database)?,
        };
        let info = url.into_connection_info().map_err(|_| NotUtf8)?;
        let login: &RedisConnectionInfo = info.redis_settings();
        let [user, password] =
            [login.username(), login.password()].map(|part| part.map(str::to_owned));
        if user.is_some() && password.is_none() {
            return Err(Password);
        }
        Ok(Self {
            host,
            port,
            database,
            user,
            password,
        })
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redis://{}/{}", self.endpoint(), self.database)
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

    fn parsed(text: &str) -> RedisAddress {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn whatever_is_left_out_has_its_default() {
        let address = parsed("redis://redis");
        assert_eq!(address.to_string(), "redis://redis:6379/0");
        assert_eq!((address.user, address.password), (None, None));
        assert_eq!(
            parsed("redis://10.0.0.1:7000/").to_string(),
            "redis://10.0.0.1:7000/0"
        );
        assert_eq!(
            parsed("redis://[::1]/3").to_string(),
            "redis://[::1]:6379/3"
        );
        assert_eq!(parsed("redis://[::1]/3").host, "::1");
    }

    #[test]
    fn a_password_is_decoded_and_never_shown() {
        for (text, user, password) in [
            ("redis://:s%40cret@h", None, "s@cret"),
            ("redis://me:s%2Fcret@h", Some("me"), "s/cret"),
        ] {
            let address = parsed(text);
            assert_eq!(address.user.as_deref(), user);
            assert_eq!(address.password.as_deref(), Some(password));
            for shown in [address.to_string(), format!("{address:?}")] {
                assert!(
                    shown.contains("redis://h:6379/0") && !shown.contains("cret"),
                    "{shown}"
                );
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        use InvalidRedisAddress::{
            Database, Host, NotUtf8, Password, Port, QueryOrFragment, Scheme, Unspecified,
        };
        for (text, wrong) in [
            ("", Scheme),
            ("redis", Scheme),
            ("localhost:6379", Scheme),
            ("rediss://:secret@h", Scheme),
            ("redis://", Host),
            ("redis:6379", Host),
            ("redis:///3", Host),
            (
                "redis://:secret@",
                InvalidRedisAddress::Url(url::ParseError::EmptyHost),
            ),
            (
                "redis://h:65536",
                InvalidRedisAddress::Url(url::ParseError::InvalidPort),
            ),
            ("redis://h:0", Port),
            ("redis://0.0.0.0", Unspecified),
            ("redis://[::]", Unspecified),
            ("redis://h/one", Database),
            ("redis://h/-1", Database),
            ("redis://h/1/2", Database),
            ("redis://h?db=1", QueryOrFragment),
            ("redis://h/0#", QueryOrFragment),
            (
                "redis://:sec#ret@h",
                InvalidRedisAddress::Url(url::ParseError::EmptyHost),
            ),
            ("redis://me@h", Password),
            ("redis://:%ff@h", NotUtf8),
        ] {
            let error = text.parse::<RedisAddress>().unwrap_err();
            assert_eq!(error, wrong, "{text}");
            assert!(!error.to_string().contains("sec"), "{error}");
        }
    }
}
