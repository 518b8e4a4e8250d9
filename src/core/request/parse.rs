//! The options with the parts of a request. Each function parses one; its error says what the option may be, as the end
//! of a sentence that starts with the option's name.

use super::{Template, TemplateError};
use crate::base::text::character;
use ureq::http::{HeaderName, Method, header};

/// The longest path or header value, in bytes: common servers accept about this length.
const MAX_LINE: usize = 8_000;

/// Parses a method in either case; the names of all known methods are in capitals.
pub fn method(text: &str) -> Result<Method, &'static str> {
    let capitals = text.trim().to_ascii_uppercase();
    let method = Method::from_bytes(capitals.as_bytes()).ok();
    // CONNECT asks for a connection, not for an answer.
    let method = method.filter(|method| *method != Method::CONNECT);
    method.ok_or("must be an HTTP method such as GET or POST, other than CONNECT")
}

pub fn path(text: &str) -> Result<Template, String> {
    let sendable = |c: char| c.is_ascii_graphic() && !"\"#<>\\^`{|}".contains(c);
    let form =
        || format!("must start with / and be at most {MAX_LINE} characters that a URL may have");
    let path = template(text, form)?;
    let valid = text.starts_with('/') && path.text_is(sendable) && text.len() <= MAX_LINE;
    valid.then_some(path).ok_or_else(|| {
        let is_wrong = |c: char| !sendable(c) && !"{}".contains(c);
        match (1..).zip(text.chars()).find(|(_, c)| is_wrong(*c)) {
            Some((column, wrong)) => {
                let mut bytes = [0; 4];
                let bytes = wrong.encode_utf8(&mut bytes).bytes();
                let encoded: String = bytes.map(|byte| format!("%{byte:02X}")).collect();
                let name = character(wrong);
                format!(
                    "{}; column {column} is {name}, which is written {encoded}",
                    form()
                )
            }
            None => form(),
        }
    })
}

/// A header to send. Without a value, no header of this name is sent.
#[derive(Debug, Clone)]
pub struct HeaderLine {
    /// In lower case.
    pub name: HeaderName,
    /// The name as it was typed.
    pub spelled: String,
    pub value: Option<Template>,
}

impl HeaderLine {
    /// The name and the value. `None` if no header of this name is sent.
    pub fn field(self) -> Option<(HeaderName, Template)> {
        Some((self.name, self.value?))
    }

    /// Whether a character may be in the value.
    pub fn may_have(&self, c: char) -> bool {
        is_sendable(&self.name, c)
    }
}

/// The headers that describe how a request is sent, and so must be the client's own.
const RESERVED: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::EXPECT,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
];

/// Parses one header a line, and ignores blank lines.
pub fn header_lines(text: &str) -> Result<Vec<HeaderLine>, String> {
    let is_one = text.lines().count() <= 1;
    let lines = (1..).zip(text.lines());
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let headers = lines.map(|(number, line)| {
        header_line(line).map_err(|error| match is_one {
            true => error,
            false => format!("{error}; see line {number}"),
        })
    });
    let headers: Vec<_> = headers.collect::<Result<_, _>>()?;
    if headers.is_empty() {
        return Err(header_form());
    }
    Ok(headers)
}

fn header_form() -> String {
    format!("must be `Name: value`, the value at most {MAX_LINE} characters")
}

pub fn header_line(text: &str) -> Result<HeaderLine, String> {
    let (name, value) = text.split_once(':').ok_or_else(header_form)?;
    let spelled = name.trim();
    let name = HeaderName::from_bytes(spelled.as_bytes()).map_err(|_| header_form())?;
    if RESERVED.contains(&name) {
        return Err(format!("must not be {name}, because loadgen sets it"));
    }
    let value = value.trim();
    let template = template(value, header_form)?;
    let is_valid = template.text_is(|c| is_sendable(&name, c));
    if name == header::HOST && (value.is_empty() || !is_valid) {
        return Err("must have a host, such as example.com:8080, in its Host".to_owned());
    }
    if !is_valid || value.len() > MAX_LINE {
        return Err(header_form());
    }
    Ok(HeaderLine {
        name,
        spelled: spelled.to_owned(),
        value: (!template.is_empty()).then_some(template),
    })
}

/// Returns whether a character may be in the value of this header.
fn is_sendable(name: &HeaderName, c: char) -> bool {
    match *name {
        header::HOST => is_in_host(c),
        _ => c == '\t' || !c.is_control(),
    }
}

/// Returns whether a character may be in a host and port ([RFC 3986](https://www.rfc-editor.org/rfc/rfc3986), section
/// 3.2).
fn is_in_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~%!$&'()*+,;=:[]".contains(c)
}

pub fn body(text: &str) -> Result<Template, String> {
    let form = || "must be text, with placeholders or without".to_owned();
    template(text, form)
}

fn template(text: &str, form: impl FnOnce() -> String) -> Result<Template, String> {
    text.parse()
        .map_err(|error: TemplateError| format!("{}; {error}", form()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_have_a_query_and_placeholders_and_nothing_a_url_cannot_carry() {
        for good in ["/", "/check", "/a/b?c=d&e=%20", "/{key}/x?n={seq}"] {
            assert!(path(good).is_ok(), "{good}");
        }
        let bad = "check {key} /é /#x http://x/ /{ /{{key} /{usr}";
        for bad in bad.split(' ').chain(["", "/a b", "/a\n"]) {
            assert!(path(bad).is_err(), "{bad}");
        }
        for (bad, ends) in [
            ("/a b", "; column 3 is a blank, which is written %20"),
            ("/{key}/é", "; column 8 is 'é', which is written %C3%A9"),
            ("/a\t", "; column 3 is a tab, which is written %09"),
            ("/#x", "; column 2 is '#', which is written %23"),
        ] {
            let refused = path(bad).expect_err(bad);
            assert!(refused.ends_with(ends), "{refused}");
        }
        assert!(path(&"/".repeat(MAX_LINE)).is_ok());
        assert!(path(&"/".repeat(MAX_LINE + 1)).is_err());
    }

    #[test]
    fn a_header_has_a_name_and_a_value_or_says_that_there_is_none() {
        for (line, name, value) in [
            ("X-Key: {key}", "x-key", Some("{key}")),
            ("a:b:c", "a", Some("b:c")),
            (" A :  b c\t", "a", Some("b c")),
            ("Cookie: é=1", "cookie", Some("é=1")),
            ("Content-Type:", "content-type", None),
            ("Host: other", "host", Some("other")),
        ] {
            let header = header_line(line).expect(line);
            assert_eq!(header.name, name, "{line}");
            let typed = header.value.as_ref().map(Template::typed);
            assert_eq!(typed, value, "{line}");
        }
        let bad = "|X-Key|: a|a b: c|é: a|a: b\u{7f}|a: {usr}|Content-Length: 1|transfer-encoding:|Host:|Host: a b|\
            Host: http://a|Expect: 100-continue";
        for bad in bad.split('|') {
            assert!(header_line(bad).is_err(), "{bad}");
        }
        let long = "x".repeat(MAX_LINE);
        assert!(header_line(&format!("a: {long}")).is_ok());
        assert!(header_line(&format!("a: {long}x")).is_err());
    }

    #[test]
    fn headers_are_lines() {
        let names = |text: &str| {
            let lines = header_lines(text)?;
            Ok(lines.iter().map(|line| line.name.to_string()).collect())
        };
        let ab = Ok::<Vec<_>, String>(vec!["a".to_owned(), "b".to_owned()]);
        for text in ["A: 1\nB: 2", "A: 1\r\nB: 2\n", "\n\nA: 1\n \nB:\n"] {
            assert_eq!(names(text), ab, "{text:?}");
        }
        assert_eq!(names(" \n"), Err(header_form()));
        assert_eq!(names("A: 1\nB"), Err(header_form() + "; see line 2"));
    }

    #[test]
    fn a_method_is_a_token_in_whatever_case() {
        for (typed, expected) in [("post", "POST"), (" PURGE ", "PURGE"), ("m-x", "M-X")] {
            assert_eq!(method(typed).expect(typed), expected);
        }
        for bad in ["", "G T", "GET/", "é", "connect"] {
            assert!(method(bad).is_err(), "{bad}");
        }
    }
}
