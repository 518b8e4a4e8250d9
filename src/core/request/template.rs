use super::Placeholder;
use crate::core::masking::{FILLED, Hidden, mask};
use std::borrow::Cow;
use std::str::FromStr;

/// Text with placeholders: `{"key":"{key}","hits":1}`.
///
/// A name in braces is a placeholder, and `{env:NAME}` stands for an environment variable. `{{` is a brace before a name
/// that is not a placeholder. All other braces are text, so most JSON can be written as it is.
///
/// Templates are pure: [`with_variables`](Self::with_variables) gets the environment from its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    typed: String,
    pub(super) pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// Text that is sent like other text, and shown as a mask.
    Secret {
        text: String,
        /// The name of the header, parameter, member or field that it belongs to.
        name: String,
    },
    Placeholder(Placeholder),
    Variable(Variable),
}

/// An environment variable in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub name: String,
    /// `None` before the environment was read.
    pub value: Option<String>,
}

/// An unknown placeholder. The error does not repeat it, since it may be a part of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "column {column}: {}; use one of {}, {{env:NAME}} for an environment variable, or {{{{ for a brace",
    if *is_variable { "{env: must be followed by a name of letters, digits and underscores, and }" } else { "the name in braces is not a placeholder" },
    Placeholder::list()
)]
pub struct TemplateError {
    /// The place of its brace, in characters from 1.
    pub column: usize,
    /// Whether it begins like an environment variable.
    pub is_variable: bool,
}

/// An environment variable that a template names and that has no usable value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    #[error("the environment variable {0} must be set, to a text in UTF-8 that is not empty")]
    Missing(String),
    #[error(
        "the environment variable {0} must have only characters that can be sent there, such as no line end"
    )]
    NotSendable(String),
}

/// The beginning of an environment variable, behind its brace.
const ENV: &str = "env:";

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
            } else if rest.starts_with(ENV) || name_in_braces(rest).is_some() {
                let (piece, length) = in_braces(rest).ok_or_else(|| {
                    let before = typed.len() - rest.len() - 1;
                    TemplateError {
                        column: typed[..before].chars().count() + 1,
                        is_variable: rest.starts_with(ENV),
                    }
                })?;
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(piece);
                rest = &rest[length + 1..];
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

/// The placeholder or variable up to the closing brace, and its length in bytes. `None` if there is no such one.
fn in_braces(text: &str) -> Option<(Piece, usize)> {
    if let Some(after) = text.strip_prefix(ENV) {
        let name = name_in_braces(after)?;
        let variable = Variable {
            name: name.to_owned(),
            value: None,
        };
        return Some((Piece::Variable(variable), ENV.len() + name.len()));
    }
    let name = name_in_braces(text)?;
    Some((Piece::Placeholder(name.parse().ok()?), name.len()))
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
            Piece::Text(text) | Piece::Secret { text, .. } => text.chars().all(&wanted),
            Piece::Placeholder(_) | Piece::Variable(_) => true,
        })
    }

    /// Fills in the environment's variables, each of whose characters must be `wanted`.
    ///
    /// # Errors
    /// A variable is not set, is empty, or has another character.
    pub fn with_variables(
        mut self,
        environment: &dyn Fn(&str) -> Option<String>,
        wanted: impl Fn(char) -> bool,
    ) -> Result<Template, VariableError> {
        for piece in &mut self.pieces {
            if let Piece::Variable(Variable { name, value }) = piece {
                let found = environment(name).filter(|value| !value.is_empty());
                let found = found.ok_or_else(|| VariableError::Missing(name.clone()))?;
                if !found.chars().all(&wanted) {
                    return Err(VariableError::NotSendable(name.clone()));
                }
                *value = Some(found);
            }
        }
        Ok(self)
    }

    /// Makes secrets of the parts of the text that `find` finds. It gets the text with [`FILLED`] in the place of each
    /// placeholder and variable.
    pub fn with_secrets(self, find: impl FnOnce(&str) -> Vec<Hidden>) -> Template {
        let mut flat = String::new();
        for piece in &self.pieces {
            match piece {
                // Both characters have three bytes and no meaning.
                Piece::Text(text) | Piece::Secret { text, .. } => {
                    flat += &text.replace(FILLED, "\u{fffe}");
                }
                Piece::Placeholder(_) | Piece::Variable(_) => flat.push(FILLED),
            }
        }
        let mut hidden = find(&flat).into_iter().peekable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for piece in self.pieces {
            let text = match piece {
                Piece::Text(text) | Piece::Secret { text, .. } => text,
                other => {
                    start += FILLED.len_utf8();
                    pieces.push(other);
                    continue;
                }
            };
            let mut from = 0;
            while let Some(Hidden { range, name }) =
                hidden.next_if(|hidden| hidden.range.end <= start + text.len())
            {
                let (begin, end) = (range.start - start, range.end - start);
                if begin > from {
                    pieces.push(Piece::Text(text[from..begin].to_owned()));
                }
                let text = text[begin..end].to_owned();
                pieces.push(Piece::Secret { text, name });
                from = end;
            }
            if from < text.len() {
                pieces.push(Piece::Text(text[from..].to_owned()));
            }
            start += text.len();
        }
        Template {
            typed: self.typed,
            pieces,
        }
    }

    /// Text without placeholders, even if it has braces.
    pub(super) fn plain(text: &str) -> Template {
        Template {
            typed: text.to_owned(),
            pieces: vec![Piece::Text(text.to_owned())],
        }
    }

    /// The secrets that requests carry: parts of the text, and the values of variables.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Secret { text, .. } => Some(text.as_str()),
            Piece::Variable(variable) => variable.value.as_deref(),
            Piece::Text(_) | Piece::Placeholder(_) => None,
        })
    }

    /// The same with text in the place of secrets: their masks, and variables as they are typed.
    pub(super) fn masked(&self) -> Template {
        let masked = |piece: &Piece| match piece {
            Piece::Secret { text, .. } => Piece::Text(mask(text.len())),
            Piece::Variable(variable) => Piece::Text(format!("{{{ENV}{}}}", variable.name)),
            other => other.clone(),
        };
        Template {
            typed: self.shown(),
            pieces: self.pieces.iter().map(masked).collect(),
        }
    }

    /// The text as it was typed, but with masks in the place of secrets.
    pub fn shown(&self) -> String {
        if self
            .pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Secret { .. }))
        {
            self.typed_with(|_, text| mask(text.len()))
        } else {
            self.typed.clone()
        }
    }

    /// The text as it was typed, but with `***` in the place of secrets: a name without blanks.
    pub fn name(&self) -> String {
        self.typed_with(|_, _| "***".to_owned())
    }

    /// The text as it could be typed. `replacement` gets the name and the text of each secret.
    pub(super) fn typed_with(&self, mut replacement: impl FnMut(&str, &str) -> String) -> String {
        let mut typed = String::new();
        for (place, piece) in self.pieces.iter().enumerate() {
            let is_last = place + 1 == self.pieces.len();
            typed += &match piece {
                Piece::Text(text) => escaped(text, is_last),
                Piece::Secret { name, text } => replacement(name, text).into(),
                Piece::Placeholder(placeholder) => {
                    let name: &str = placeholder.into();
                    format!("{{{name}}}").into()
                }
                Piece::Variable(variable) => format!("{{{ENV}{}}}", variable.name).into(),
            };
        }
        typed
    }
}

/// Text as it is typed so that none of its braces begins a placeholder.
fn escaped(text: &str, is_last: bool) -> Cow<'_, str> {
    let begins = |rest: &str| {
        rest.starts_with(['{'])
            || rest.starts_with(ENV)
            || name_in_braces(rest).is_some()
            || (rest.is_empty() && !is_last)
    };
    let mut braces = text.match_indices('{');
    if !braces.any(|(at, _)| begins(&text[at + 1..])) {
        return text.into();
    }
    let mut escaped = String::new();
    for (at, c) in text.char_indices() {
        escaped.push(c);
        if c == '{' && begins(&text[at + 1..]) {
            escaped.push(c);
        }
    }
    escaped.into()
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
            "column 2: the name in braces is not a placeholder; use one of {key}, {limit}, {window_ms}, {window_s}, \
             {cost}, {seq}, {uuid}, {target}, {now_ms}, {env:NAME} for an environment variable, or {{ for a brace"
        );
        for typed in ["{env:}", "{env:a b}", "{env:A", "{env:1}", "{env: A}"] {
            let error = typed.parse::<Template>().expect_err(typed);
            assert!(error.is_variable && error.column == 1, "{typed}");
        }
    }

    #[test]
    fn variables_are_filled_in_once_and_shown_by_their_names() {
        let environment = |name: &str| match name {
            "A" => Some("x y".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let filled = |typed: &str| {
            let template: Template = typed.parse().expect(typed);
            template.with_variables(&environment, |c| c != '\n')
        };
        let template = filled("a{env:A}{{env:B}").unwrap();
        assert_eq!(template.secrets().collect::<Vec<_>>(), ["x y"]);
        assert_eq!(template.shown(), "a{env:A}{{env:B}");
        assert_eq!(template.masked().pieces[1], text("{env:A}"));
        for name in ["B", "EMPTY"] {
            let missing = VariableError::Missing(name.to_owned());
            assert_eq!(filled(&format!("{{env:{name}}}")), Err(missing));
        }
        let template: Template = "{env:A}".parse().unwrap();
        let refused = template.with_variables(&environment, |c| c != ' ');
        assert_eq!(refused, Err(VariableError::NotSendable("A".to_owned())));
    }

    #[test]
    fn secrets_are_shown_as_masks_between_everything_else() {
        let template: Template = "ab{key}cd{{seq}".parse().unwrap();
        let hidden = |range, name: &str| Hidden {
            range,
            name: name.to_owned(),
        };
        let template = template.with_secrets(|flat| {
            assert_eq!(flat, "ab\u{ffff}cd{seq}");
            vec![hidden(1..2, "x"), hidden(5..6, "y")]
        });
        assert_eq!(template.shown(), "a***(1 byte){key}***(1 byte)d{{seq}");
        assert_eq!(template.secrets().collect::<Vec<_>>(), ["b", "c"]);
        let repeated = template.typed_with(|name, text| format!("<{name} {text}>"));
        assert_eq!(repeated, "a<x b>{key}<y c>d{{seq}");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_added(typed in r#"([a-z{}" ]|\{key\}|\{env:A\}|\{\{){0,12}"#) {
            if let Ok(template) = typed.parse::<Template>() {
                let again = template.typed_with(|_, _| unreachable!("no secrets"));
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
