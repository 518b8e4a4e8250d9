use ureq::http::HeaderName;

/// How the user spelled the names of headers that have capital letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spelling(Vec<String>);

impl Spelling {
    /// If a name occurs more than once, its first spelling counts.
    pub fn new<'a>(typed: impl IntoIterator<Item = &'a str>) -> Spelling {
        let has_capitals = |name: &&str| name.bytes().any(|byte| byte.is_ascii_uppercase());
        let names = typed.into_iter().filter(has_capitals);
        Spelling(names.map(str::to_owned).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name as it was typed.
    pub fn of<'a>(&'a self, name: &'a HeaderName) -> &'a str {
        self.find(name.as_str().as_bytes()).unwrap_or(name.as_str())
    }

    fn find(&self, name: &[u8]) -> Option<&str> {
        let mut names = self.0.iter();
        let typed = names.find(|typed| typed.as_bytes().eq_ignore_ascii_case(name));
        typed.map(String::as_str)
    }

    /// Spells the names in the lines of a request's head.
    pub fn apply(&self, lines: &mut [u8]) {
        let mut at = 0;
        while let Some(length) = memchr::memchr(b'\n', &lines[at..]) {
            let line = &mut lines[at..at + length];
            at += length + 1;
            if let Some(colon) = memchr::memchr(b':', line)
                && let Some(typed) = self.find(&line[..colon])
            {
                line[..colon].copy_from_slice(typed.as_bytes());
            }
        }
    }
}
