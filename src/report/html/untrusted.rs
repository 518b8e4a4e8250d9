use maud::{Markup, Render, html};

/// Text that came from outside: from whoever gave the options, or from a limiter. It keeps its own direction, what can't
/// be seen in it is written out, and of what is too long for its place the beginning is shown.
pub struct Untrusted<'a> {
    text: &'a str,
    most: usize,
}

/// A name's, in characters.
const NAME: usize = 200;
/// A sentence's.
const SENTENCE: usize = 2_000;

impl<'a> Untrusted<'a> {
    pub fn name(text: &'a str) -> Untrusted<'a> {
        Untrusted { text, most: NAME }
    }

    pub fn sentence(text: &'a str) -> Untrusted<'a> {
        Untrusted {
            text,
            most: SENTENCE,
        }
    }

    /// As it would be shown, without markup.
    pub fn plain(&self) -> String {
        clipped(self.text, self.most)
    }
}

impl Render for Untrusted<'_> {
    fn render(&self) -> Markup {
        html! { bdi { (self.plain()) } }
    }
}

/// As many characters as there is room for, with those that can't be seen written out.
pub fn clipped(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (number, c) in text.chars().enumerate() {
        if number == most {
            shown.push('…');
            break;
        }
        match c {
            '\n' | '\t' => shown.push(c),
            c if c.is_control() || is_reordering(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// What makes characters appear in an order that they are not in.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_shown_as_text_and_no_longer_than_its_place() {
        let shown = |text| Untrusted::name(text).render().into_string();
        let script = r#"<script>alert("x")</script>&"#;
        assert_eq!(
            shown(script),
            "<bdi>&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;</bdi>"
        );
        assert_eq!(shown("a\0b\u{202e}c"), r"<bdi>a\u{0}b\u{202e}c</bdi>");
        let long = "é".repeat(NAME + 1);
        assert_eq!(shown(&long), format!("<bdi>{}…</bdi>", "é".repeat(NAME)));
        assert_eq!(
            shown(&long[..2 * NAME]),
            format!("<bdi>{}</bdi>", "é".repeat(NAME))
        );
    }
}
