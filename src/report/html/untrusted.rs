use maud::{Markup, Render, html};

/// Text from outside: from the command line or from a limiter. It keeps its own writing direction, invisible characters
/// are written as escapes, and a text that is too long is cut.
pub struct Untrusted<'a> {
    text: &'a str,
    most: usize,
    is_sentence: bool,
}

/// The longest name, in characters.
const NAME: usize = 200;
/// The longest sentence, in characters.
const SENTENCE: usize = 2_000;
/// The most that is shown of an answer, in characters.
const RECEIVED: usize = 10_000;

impl<'a> Untrusted<'a> {
    pub fn name(text: &'a str) -> Untrusted<'a> {
        Untrusted {
            text,
            most: NAME,
            is_sentence: false,
        }
    }

    pub fn sentence(text: &'a str) -> Untrusted<'a> {
        Untrusted {
            text,
            most: SENTENCE,
            is_sentence: true,
        }
    }

    pub fn received(text: &'a str) -> Untrusted<'a> {
        Untrusted {
            text,
            most: RECEIVED,
            is_sentence: false,
        }
    }

    /// The text as it is shown, without markup.
    pub fn plain(&self) -> String {
        clipped(self.text, self.most)
    }
}

impl Render for Untrusted<'_> {
    fn render(&self) -> Markup {
        let text = self.plain();
        html! { bdi { @if self.is_sentence { (sentence(&text)) } @else { (text) } } }
    }
}

/// The longest word that is kept on one line, in characters.
const WORD: usize = 24;

/// A text in which no line ends within an option such as `--workers`, or within another short word with a hyphen.
pub fn sentence(text: &str) -> Markup {
    let is_whole = |word: &str| word.contains('-') && word.len() > 1 && word.len() <= WORD;
    html! {
        @for piece in text.split_inclusive(' ') {
            @let word = piece.trim_end_matches(' ');
            @if is_whole(word) { span class="whole" { (word) } (piece[word.len()..]) } @else { (piece) }
        }
    }
}

/// At most `most` characters of a text, in which invisible ones are written as escapes.
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

/// Whether a character changes the order in which others are displayed.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_in_sentences_are_not_broken() {
        let shown = sentence("more --workers or <b>").into_string();
        let whole = "<span class=\"whole\">--workers</span>";
        assert_eq!(shown, format!("more {whole} or &lt;b&gt;"));
    }

    #[test]
    fn untrusted_text_is_escaped_and_cut() {
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
