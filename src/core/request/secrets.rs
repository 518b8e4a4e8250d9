//! The parts of requests that were given as options, with their secrets hidden.

use super::Template;
use super::template::Piece;
use crate::base::Target;
use crate::core::masking::{in_body, in_header, in_path};
use std::collections::{HashMap, HashSet};
use ureq::http::HeaderName;

/// The option of a part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A URL, of which the path and the query may have secrets.
    Url,
    Path,
    /// One header with its name.
    Header,
    Body,
}

/// The text of an option, for people and for commands.
#[derive(Debug)]
pub struct Given {
    part: Part,
    /// The name of a header with its colon, or a URL up to its path.
    name: String,
    value: Template,
}

impl Part {
    /// The part with this flag, which is without dashes. `None` if the option is no part of a request.
    pub fn of_flag(flag: &str) -> Option<Part> {
        match flag {
            "path" => Some(Part::Path),
            "header" => Some(Part::Header),
            "body" => Some(Part::Body),
            _ => None,
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Part::Url => "URL",
            Part::Path => "--path",
            Part::Header => "--header",
            Part::Body => "--body",
        }
    }
}

impl Template {
    /// Hides the secrets of a path and its query.
    pub fn as_path(self) -> Template {
        self.with_secrets(in_path)
    }

    /// Hides the secrets of the value of the header with this name.
    pub fn as_header(self, name: &str) -> Template {
        self.with_secrets(|text| in_header(name, text))
    }

    /// Hides the secrets of a body.
    pub fn as_body(self) -> Template {
        self.with_secrets(in_body)
    }
}

impl Given {
    /// Takes any text, even one that the option refuses. Without a name, all of a header is a secret.
    pub fn new(part: Part, text: &str) -> Given {
        let template = |text: &str| text.parse().unwrap_or_else(|_| Template::plain(text));
        let header = text.split_once(':').filter(|_| part == Part::Header);
        let header = header
            .filter(|(name, _)| HeaderName::from_bytes(name.trim().as_bytes()).is_ok())
            .map(|(name, value)| (name, value.trim_start()));
        let (name, value) = match (part, header) {
            (Part::Url, _) => {
                let (base, path) = Target::split(text);
                (base.to_owned(), template(path).as_path())
            }
            (Part::Path, _) => (String::new(), template(text).as_path()),
            (Part::Body, _) => (String::new(), template(text).as_body()),
            (Part::Header, Some((name, value))) => {
                let space = &text[name.len() + 1..text.len() - value.len()];
                let value = template(value).as_header(name.trim());
                (format!("{name}:{space}"), value)
            }
            (Part::Header, None) => (String::new(), template(text).as_header("")),
        };
        Given { part, name, value }
    }

    /// The text with masks in the place of secrets.
    pub fn shown(&self) -> String {
        format!("{}{}", self.name, self.value.shown())
    }

    /// The text with variables in the place of secrets.
    pub fn repeated(&self, variables: &mut Variables) -> String {
        let flag = self.part.flag();
        for piece in &self.value.pieces {
            if let Piece::Variable(variable) = piece {
                let of = match self.part {
                    Part::Header => format!("{flag} {}", self.name.trim().trim_end_matches(':')),
                    Part::Url | Part::Path | Part::Body => flag.to_owned(),
                };
                variables.need(&variable.name, of);
            }
        }
        let mut replace = |name: &str, text: &str| variables.stand_in(flag, name, text);
        let value = self.value.typed_with(&mut replace);
        format!("{}{value}", self.name)
    }
}

/// The environment variables that a command reads.
#[derive(Debug, Default)]
pub struct Variables {
    /// Each with what it stands for.
    needed: Vec<(String, String)>,
    /// The names of all variables that are needed or that the user named.
    names: HashSet<String>,
    /// The variables that stand for secrets, by the beginning of their names and by secret.
    stand_ins: HashMap<(String, String), String>,
    /// The number behind the last name with each beginning.
    last: HashMap<String, usize>,
}

/// The beginning of the names of variables that stand for secrets, so that none of them is a variable with a meaning of
/// its own, such as `USER` or `KEYS`.
const PREFIX: &str = "SECRET_";

impl Variables {
    /// The name of each variable, and the option and the name that it stands for.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let needed = self.needed.iter();
        needed.map(|(name, stands_for)| (&**name, &**stands_for))
    }

    /// The variables that stand for secrets, each with its secret, in the order in which they were needed.
    pub fn secrets(&self) -> Vec<(&str, &str)> {
        let secrets: HashMap<_, _> = self
            .stand_ins
            .iter()
            .map(|((_, secret), variable)| (&**variable, &**secret))
            .collect();
        let needed = self.needed.iter();
        needed
            .filter_map(|(name, _)| Some((&**name, *secrets.get(&**name)?)))
            .collect()
    }

    /// Keeps the names of variables in a part of a request from standing for secrets.
    pub fn reserve(&mut self, given: &Given) {
        for piece in &given.value.pieces {
            if let Piece::Variable(variable) = piece {
                self.names.insert(variable.name.to_string());
            }
        }
    }

    /// Adds the variables in a part of a request that came from a file.
    pub fn need_those_of(&mut self, template: &Template, stands_for: &str) {
        for piece in &template.pieces {
            if let Piece::Variable(variable) = piece {
                self.need(&variable.name, stands_for.to_owned());
            }
        }
    }

    fn need(&mut self, name: &str, stands_for: String) {
        self.names.insert(name.to_owned());
        if !self.needed.iter().any(|(other, _)| other == name) {
            self.needed.push((name.to_owned(), stands_for));
        }
    }

    /// The placeholder for a secret. Equal secrets of one name share a variable.
    fn stand_in(&mut self, flag: &str, name: &str, secret: &str) -> String {
        let word = |c: char| match c {
            c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
            _ => '_',
        };
        let words: String = name.chars().take(60).map(word).collect();
        let words = words.trim_matches('_');
        let first = format!("{PREFIX}{}", if words.is_empty() { "VALUE" } else { words });
        let place = (first.clone(), secret.to_owned());
        if let Some(variable) = self.stand_ins.get(&place) {
            return format!("{{env:{variable}}}");
        }
        let number = self.last.entry(first.clone()).or_default();
        let variable = loop {
            *number += 1;
            let name = match *number {
                1 => first.clone(),
                number => format!("{first}_{number}"),
            };
            if self.names.insert(name.clone()) {
                break name;
            }
        };
        let stands_for = match name {
            "body" | "" => flag.to_owned(),
            name => format!("{flag} {name}"),
        };
        self.needed.push((variable.clone(), stands_for));
        let placeholder = format!("{{env:{variable}}}");
        self.stand_ins.insert(place, variable);
        placeholder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_shown_with_masks_and_repeated_with_variables() {
        for (part, text, shown, repeated) in [
            (
                Part::Header,
                "X-Auth: abc",
                "X-Auth: ***(3 bytes)",
                "X-Auth: {env:SECRET_X_AUTH}",
            ),
            (
                Part::Header,
                "Authorization:Bearer abc",
                "Authorization:Bearer ***(3 bytes)",
                "Authorization:Bearer {env:SECRET_AUTHORIZATION}",
            ),
            (Part::Header, "X-Key: {key}", "X-Key: {key}", "X-Key: {key}"),
            (Part::Header, "X-Key:", "X-Key:", "X-Key:"),
            (Part::Header, "a b", "***(3 bytes)", "{env:SECRET_VALUE}"),
            (
                Part::Header,
                "X: {usr}",
                "X: ***(5 bytes)",
                "X: {env:SECRET_X}",
            ),
            (
                Part::Path,
                "/a?api_key=b&n={seq}&api_key=c",
                "/a?api_key=***(1 byte)&n={seq}&api_key=***(1 byte)",
                "/a?api_key={env:SECRET_API_KEY}&n={seq}&api_key={env:SECRET_API_KEY_2}",
            ),
            (
                Part::Url,
                "http://h:1/a?token=b&n={seq}",
                "http://h:1/a?token=***(1 byte)&n={seq}",
                "http://h:1/a?token={env:SECRET_TOKEN}&n={seq}",
            ),
            (Part::Url, "http://h:1", "http://h:1", "http://h:1"),
            (
                Part::Url,
                "unix:/a.sock:/b",
                "unix:/a.sock:/b",
                "unix:/a.sock:/b",
            ),
            (
                Part::Body,
                r#"{"user":"x","pin":12,"{{key}":{key},"x":["x"]}"#,
                r#"{"user":"***(1 byte)","pin":***(2 bytes),"{{key}":{key},"x":["***(1 byte)"]}"#,
                r#"{"user":"{env:SECRET_USER}","pin":{env:SECRET_PIN},"{{key}":{key},"x":["{env:SECRET_X}"]}"#,
            ),
            (
                Part::Body,
                "x {env:A}",
                "***(1 byte) {env:A}",
                "{env:SECRET_BODY} {env:A}",
            ),
        ] {
            let given = Given::new(part, text);
            assert_eq!(given.shown(), shown);
            assert_eq!(given.repeated(&mut Variables::default()), repeated);
        }
    }

    #[test]
    fn a_variable_that_the_user_named_stands_for_no_secret() {
        let given = [
            Given::new(Part::Header, "X-A: abc"),
            Given::new(Part::Header, "X-B: {env:SECRET_X_A}"),
        ];
        let mut variables = Variables::default();
        given.iter().for_each(|given| variables.reserve(given));
        let repeated = given.each_ref().map(|given| given.repeated(&mut variables));
        assert_eq!(
            repeated,
            ["X-A: {env:SECRET_X_A_2}", "X-B: {env:SECRET_X_A}"]
        );
    }

    #[test]
    fn variables_are_listed_once_with_what_they_stand_for() {
        let mut variables = Variables::default();
        for (part, text) in [
            (Part::Header, "X-A: abc"),
            (Part::Header, "X-A: abc"),
            (Part::Header, "X-A: abd"),
            (Part::Header, "X-B: {env:MINE}"),
            (Part::Body, "text"),
            (Part::Path, "/?a=b"),
        ] {
            Given::new(part, text).repeated(&mut variables);
        }
        let all: Vec<_> = variables.all().collect();
        let expected = [
            ("SECRET_X_A", "--header X-A"),
            ("SECRET_X_A_2", "--header X-A"),
            ("MINE", "--header X-B"),
            ("SECRET_BODY", "--body"),
            ("SECRET_A", "--path a"),
        ];
        assert_eq!(all, expected);
        let secrets = [
            ("SECRET_X_A", "abc"),
            ("SECRET_X_A_2", "abd"),
            ("SECRET_BODY", "text"),
            ("SECRET_A", "b"),
        ];
        assert_eq!(variables.secrets(), secrets);
    }
}
