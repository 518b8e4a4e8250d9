//! The bytes of a response, without sockets.

use super::{Response, text_response};
use http::StatusCode;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// A request that is not passed on: the status of its response, and the reason in a few words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rejection {
    pub status: StatusCode,
    pub why: &'static str,
}

impl Rejection {
    pub fn new(status: StatusCode, why: &'static str) -> Self {
        Self { status, why }
    }

    pub fn response(&self) -> Response {
        text_response(self.status, format!("{}\n", self.why))
    }
}

/// What the request makes of its response, beside what the response says itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery {
    /// The response has the head that the response to a `GET` would have, and no body.
    pub to_head: bool,
    pub connection: ConnectionOption,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionOption {
    /// The default of the request's version holds.
    Default,
    /// A client of HTTP/1.0 may send another request.
    KeepAlive,
    Close,
}

/// Writes the response. Its headers must not contain `Date`, `Connection`, `Content-Length` and `Transfer-Encoding`, which
/// are written here.
pub(super) fn encode(response: &Response, delivery: Delivery, date: &str, out: &mut Vec<u8>) {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let to_vec = "a vector takes everything";
    write!(
        out,
        "HTTP/1.1 {} {reason}\r\ndate: {date}\r\n",
        status.as_str()
    )
    .expect(to_vec);
    for (name, value) in response.headers() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    match delivery.connection {
        ConnectionOption::Default => {}
        ConnectionOption::KeepAlive => out.extend_from_slice(b"connection: keep-alive\r\n"),
        ConnectionOption::Close => out.extend_from_slice(b"connection: close\r\n"),
    }
    if status == StatusCode::NO_CONTENT {
        out.extend_from_slice(b"\r\n");
        return;
    }
    write!(out, "content-length: {}\r\n\r\n", response.body().len()).expect(to_vec);
    if !delivery.to_head {
        out.extend_from_slice(response.body());
    }
}

/// The text of the header `Date`, made once a second.
#[derive(Debug, Default)]
pub(super) struct Date {
    second: u64,
    text: String,
}

impl Date {
    /// The present. A clock that is before 1970 is taken for 1970.
    pub fn now(&mut self) -> &str {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.at(now.unwrap_or_default().as_secs())
    }

    fn at(&mut self, second: u64) -> &str {
        if self.text.is_empty() || self.second != second {
            self.second = second;
            self.text = imf_fixdate(second);
        }
        &self.text
    }
}

/// A second since 1970 in the form of RFC 9110, section 5.6.7. jiff has this too, and with it comes a tenth of a node's
/// program. The date is by the algorithm `civil_from_days` of Howard Hinnant's "chrono-Compatible Low-Level Date
/// Algorithms", in which a year begins with March.
fn imf_fixdate(second: u64) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb",
    ];
    let (days, time) = (second / 86_400, second % 86_400);
    // Since 1 March of the year 0, in eras of 400 years.
    let (era, day) = ((days + 719_468) / 146_097, (days + 719_468) % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = 400 * era + year + u64::from(month >= 10);
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        WEEKDAYS[(days % 7) as usize],
        MONTHS[month as usize],
        time / 3_600,
        time / 60 % 60,
        time % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn encoded(response: &Response, to_head: bool, connection: ConnectionOption) -> String {
        let mut out = Vec::new();
        let delivery = Delivery {
            to_head,
            connection,
        };
        encode(response, delivery, "now", &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_response_has_its_headers_its_length_and_its_body() {
        let mut response = Response::new(b"body".to_vec());
        let value = HeaderValue::from_static("y");
        response.headers_mut().insert("x", value);
        let head = "HTTP/1.1 200 OK\r\ndate: now\r\nx: y\r\ncontent-length: 4\r\n\r\n";
        let default = ConnectionOption::Default;
        assert_eq!(encoded(&response, false, default), format!("{head}body"));
        assert_eq!(encoded(&response, true, default), head);
        let close = encoded(&response, true, ConnectionOption::Close);
        assert!(close.contains("\r\nconnection: close\r\n"), "{close}");
        let kept = encoded(&response, true, ConnectionOption::KeepAlive);
        assert!(kept.contains("\r\nconnection: keep-alive\r\n"), "{kept}");
    }

    #[test]
    fn a_response_without_content_has_no_length() {
        let mut response = Response::new(Vec::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let text = encoded(&response, false, ConnectionOption::Default);
        assert_eq!(text, "HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n");
    }

    #[test]
    fn a_date_is_that_of_its_second() {
        let mut date = Date::default();
        assert_eq!(date.at(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date.at(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date.at(784_111_778), "Sun, 06 Nov 1994 08:49:38 GMT");
        assert_eq!(imf_fixdate(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn every_day_until_2400_has_the_date_that_jiff_gives_it() {
        use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
        for day in 0..157_000 {
            let second = day * 86_400 + day % 86_400;
            let at = Timestamp::from_second(second).unwrap();
            let expected = DateTimePrinter::new().timestamp_to_rfc9110_string(&at);
            assert_eq!(imf_fixdate(second as u64), expected.unwrap());
        }
    }
}
