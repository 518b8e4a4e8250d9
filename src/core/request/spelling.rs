/// The names of headers as they were typed. HTTP libraries send names in lower case, but some servers tell `X-KEY` from
/// `x-key`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spelling(Vec<String>);

impl Spelling {
    pub fn new<'a>(typed: impl IntoIterator<Item = &'a str>) -> Spelling {
        Spelling(typed.into_iter().map(str::to_owned).collect())
    }

    /// Whether all names are in lower case.
    pub fn is_lower_case(&self) -> bool {
        let mut bytes = self.0.iter().flat_map(|name| name.bytes());
        !bytes.any(|byte| byte.is_ascii_uppercase())
    }

    /// The name of the header with this place among those of its name, as it was typed.
    pub fn of(&self, name: &[u8], place: usize) -> Option<&str> {
        let names = self.0.iter().map(String::as_str);
        let mut typed = names.filter(|typed| typed.as_bytes().eq_ignore_ascii_case(name));
        typed.nth(place)
    }

    /// Spells the names in lines of a request's head, in which those of one name are together.
    pub fn apply(&self, lines: &mut [u8]) {
        let (mut at, mut place) = (0, 0);
        let mut last = 0..0;
        while let Some(length) = memchr::memchr(b'\n', &lines[at..]) {
            let (before, rest) = lines.split_at_mut(at);
            let line = &mut rest[..length];
            if let Some(colon) = memchr::memchr(b':', line) {
                let name = &mut line[..colon];
                let is_repeated = name.eq_ignore_ascii_case(&before[last]);
                place = if is_repeated { place + 1 } else { 0 };
                last = at..at + colon;
                if let Some(typed) = self.of(name, place) {
                    name.copy_from_slice(typed.as_bytes());
                }
            }
            at += length + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_typed_and_nothing_else_is_changed() {
        let spelling = Spelling::new(["X-ACCOUNT-ID", "X-Twice", "x-TWICE", "x-a"]);
        let mut head =
            "POST /x-twice: HTTP/1.1\r\nhost: x-twice:1\r\nx-twice: 1\r\nx-twice: x-twice: 2\r\n\
            x-twice: 3\r\nx-account-id: \u{e9}\r\nx-a: 1\r\n\r\n"
                .to_owned()
                .into_bytes();
        spelling.apply(&mut head);
        assert_eq!(
            String::from_utf8(head).unwrap(),
            "POST /x-twice: HTTP/1.1\r\nhost: x-twice:1\r\nX-Twice: 1\r\nx-TWICE: x-twice: 2\r\n\
             x-twice: 3\r\nX-ACCOUNT-ID: \u{e9}\r\nx-a: 1\r\n\r\n"
        );
        assert!(!spelling.is_lower_case());
        assert!(Spelling::new(["a", "b"]).is_lower_case());
    }
}
