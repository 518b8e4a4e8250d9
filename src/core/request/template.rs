use super::Placeholder;
use std::str::FromStr;

/// Text with placeholders: `{"key":"{key}","hits":1}`.
///
/// A name in braces is a placeholder. `{{` is a brace before a name that is not a placeholder. All other braces are
/// text, so most JSON can be written as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    typed: String,
    pub(super) pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Placeholder(Placeholder),
}

/// An unknown placeholder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "column {column}: {{{name}}} is not a placeholder; use one of {}, or {{{{{name}}} for text",
    Placeholder::list()
)]
pub struct TemplateError {
    /// The place of its brace, in characters from 1.
    pub column: usize,
    pub name: String,
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(typed: &str) -> Result<Template, TemplateError> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = typed;
        while let Some(brace) = rest.find('{') {
            text.push_str(&rest[..brace]);
            rest = &rest[brace + 1..];
            if let Some(after) = rest.strip_prefix('{') {
                text.push('{');
                rest = after;
            } else if let Some(name) = name_in_braces(rest) {
                let placeholder = name.parse().map_err(|_| {
                    let before = typed.len() - rest.len() - 1;
                    TemplateError {
                        column: typed[..before].chars().count() + 1,
                        name: name.to_owned(),
                    }
                })?;
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(Piece::Placeholder(placeholder));
                rest = &rest[name.len() + 1..];
            } else {
                text.push('{');
            }
        }
        text.push_str(rest);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(Template {
            typed: typed.to_owned(),
            pieces,
        })
    }
}

/// The text up to the closing brace, if it is a name.
fn name_in_braces(text: &str) -> Option<&str> {
    let (name, _) = text.split_once('}')?;
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    named.then_some(name)
}

impl Template {
    pub fn typed(&self) -> &str {
        &self.typed
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub fn has(&self, placeholder: Placeholder) -> bool {
        self.pieces.contains(&Piece::Placeholder(placeholder))
    }

    /// Returns whether this is true of every character outside of placeholders.
    pub fn text_is(&self, wanted: impl Fn(char) -> bool) -> bool {
        self.pieces.iter().all(|piece| match piece {
            Piece::Text(text) => text.chars().all(&wanted),
            Piece::Placeholder(_) => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(typed: &str) -> Vec<Piece> {
        typed.parse::<Template>().expect(typed).pieces
    }

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    #[test]
    fn names_in_braces_are_placeholders_and_other_braces_are_text() {
        use Placeholder::{Key, Limit, Seq};
        let placeholder = Piece::Placeholder;
        for (typed, expected) in [
            ("", vec![]),
            ("plain", vec![text("plain")]),
            ("{key}", vec![placeholder(Key)]),
            ("{key}{seq}", vec![placeholder(Key), placeholder(Seq)]),
            ("a{key}b", vec![text("a"), placeholder(Key), text("b")]),
            (
                r#"{"n":{limit}}"#,
                vec![text(r#"{"n":"#), placeholder(Limit), text("}")],
            ),
            ("{{key}", vec![text("{key}")]),
            ("{{{key}}", vec![text("{"), placeholder(Key), text("}")]),
            ("{{{{key}", vec![text("{{key}")]),
            ("{}{ key}{1}{key", vec![text("{}{ key}{1}{key")]),
            ("}{", vec![text("}{")]),
            ("{é}", vec![text("{é}")]),
        ] {
            assert_eq!(pieces(typed), expected, "{typed}");
        }
    }

    #[test]
    fn an_unknown_placeholder_is_refused_with_its_column_and_the_known_ones() {
        for (typed, column) in [("é{key} {usr}", 8), ("{{{usr}", 3), ("{Key}{usr}", 1)] {
            let error = typed.parse::<Template>().expect_err(typed);
            assert_eq!(error.column, column, "{typed}");
        }
        let error = "/{usr}".parse::<Template>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "column 2: {usr} is not a placeholder; use one of {key}, {limit}, {window_ms}, {window_s}, {cost}, {seq}, {uuid}, \
             {target}, {now_ms}, or {{usr} for text"
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_added(typed in r#"([a-z{}" ]|\{key\}|\{\{){0,12}"#) {
            if let Ok(template) = typed.parse::<Template>() {
                let again: String = template.pieces.iter().map(|piece| match piece {
                    Piece::Text(text) => text.replace('{', "{{"),
                    Piece::Placeholder(placeholder) => {
                        let name: &str = placeholder.into();
                        format!("{{{name}}}")
                    }
                }).collect();
                prop_assert_eq!(&pieces(&again), &template.pieces);
                prop_assert_eq!(template.typed(), typed);
            }
        }

        #[test]
        fn any_text_is_read_or_refused_within_its_columns(typed: String) {
            if let Err(error) = typed.parse::<Template>() {
                prop_assert!((1..=typed.chars().count()).contains(&error.column));
            }
        }
    }
}
