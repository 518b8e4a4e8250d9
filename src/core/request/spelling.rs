/// The names of headers as they were typed. HTTP libraries send names in lower case, but some servers distinguish `X-KEY`
/// from `x-key`. Names that were typed in lower case only are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spelling(Vec<Spelled>);

/// A name that has capital letters at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spelled {
    lower: String,
    /// As it was typed for each header of this name, in order.
    typed: Vec<String>,
}

impl Spelling {
    pub fn new<'a>(typed: impl IntoIterator<Item = &'a str>) -> Spelling {
        let mut names: Vec<Spelled> = Vec::new();
        for typed in typed {
            let lower = typed.to_ascii_lowercase();
            let typed = typed.to_owned();
            match names.iter_mut().find(|name| name.lower == lower) {
                Some(name) => name.typed.push(typed),
                None => names.push(Spelled {
                    lower,
                    typed: vec![typed],
                }),
            }
        }
        names.retain(|name| name.typed.iter().any(|typed| *typed != name.lower));
        Spelling(names)
    }

    /// The same without these names, which are in lower case.
    #[must_use]
    pub fn without<'a>(mut self, names: impl Iterator<Item = &'a str>) -> Spelling {
        for name in names {
            self.0.retain(|spelled| spelled.lower != name);
        }
        self
    }

    /// The same with more names that were typed.
    #[must_use]
    pub fn and(mut self, typed: &[String]) -> Spelling {
        let more = Spelling::new(typed.iter().map(String::as_str));
        self.0.extend(more.0);
        self
    }

    /// Whether all names are in lower case.
    pub fn is_lower_case(&self) -> bool {
        self.0.is_empty()
    }

    /// The spelling of the header with this name in lower case and this place among the headers of that name.
    pub fn of<'a>(&'a self, lower: &'a str, place: usize) -> &'a str {
        let name = self.0.iter().find(|name| name.lower == lower);
        let typed = name.and_then(|name| name.typed.get(place));
        typed.map_or(lower, String::as_str)
    }

    /// Spells the names in lines of a request's head, in which they are in lower case, and those of one name together.
    pub fn apply(&self, lines: &mut [u8]) {
        let mut begin = 0;
        // The index of the last name that was spelled, and the place of its header.
        let mut last = None;
        while let Some(length) = memchr::memchr(b'\n', &lines[begin..]) {
            let line = &mut lines[begin..begin + length];
            begin += length + 1;
            let is_of = |name: &Spelled| {
                line.get(name.lower.len()) == Some(&b':') && line.starts_with(name.lower.as_bytes())
            };
            let Some(index) = self.0.iter().position(is_of) else {
                continue;
            };
            let place = match last {
                Some((same, place)) if same == index => place + 1,
                _ => 0,
            };
            last = Some((index, place));
            if let Some(typed) = self.0[index].typed.get(place) {
                line[..typed.len()].copy_from_slice(typed.as_bytes());
            }
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
