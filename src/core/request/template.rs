use super::Placeholder;
use std::str::FromStr;

/// Text with placeholders: `{"key":"{key}","hits":1}`.
///
/// A name in braces is a placeholder, and `{{` stands for a brace where that is not meant; all other braces are
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

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "column {column}: {{{name}}} is no placeholder; there are {}, and {{{{{name}}} is text",
    all()
)]
pub struct TemplateError {
    /// In characters, from 1.
    pub column: usize,
    pub name: String,
}

fn all() -> String {
    let names = Placeholder::ALL.map(|placeholder| format!("{{{}}}", placeholder.name()));
    names.join(", ")
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
                let placeholder = Placeholder::named(name).ok_or_else(|| {
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

/// What stands before the closing brace, if that is a name.
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

    /// Whether every character outside of placeholders is as wanted.
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
                r#"{"key":"{key}","limit":{limit}}"#,
                vec![
                    text(r#"{"key":""#),
                    placeholder(Key),
                    text(r#"","limit":"#),
                    placeholder(Limit),
                    text("}"),
                ],
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
    fn an_unknown_placeholder_is_refused_at_its_column_with_those_there_are() {
        for (typed, column) in [
            ("{usr}", 1),
            ("é{key} {usr}", 8),
            ("{{{usr}", 3),
            ("{Key}{usr}", 1),
        ] {
            let error = typed.parse::<Template>().expect_err(typed);
            assert_eq!(error.column, column, "{typed}");
        }
        let error = "/{usr}".parse::<Template>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "column 2: {usr} is no placeholder; there are {key}, {limit}, {window_ms}, {window_s}, {seq}, {uuid}, \
             {target}, {now_ms}, and {{usr} is text"
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_added(typed in r#"([a-z{}" ]|\{key\}|\{\{){0,12}"#) {
            if let Ok(template) = typed.parse::<Template>() {
                let again: String = template.pieces.iter().map(|piece| match piece {
                    Piece::Text(text) => text.replace('{', "{{"),
                    Piece::Placeholder(placeholder) => format!("{{{}}}", placeholder.name()),
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
