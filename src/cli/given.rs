//! Every option with its value, as it was given: for whoever wants to repeat a run.

use super::{Arguments, without_login};
use clap::Arg;
use clap::parser::ValueSource;

/// An option and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Its flag, without dashes.
    pub option: String,
    /// One for each time it was given, secrets left out.
    pub values: Vec<String>,
    pub source: ValueSource,
    /// Whether the flag alone means the same.
    pub bare: bool,
}

/// What stands in the place of a secret.
const SECRET: &str = "…";

/// Headers whose values are secrets have one of these in their names.
const SECRETIVE: [&str; 7] = [
    "authorization",
    "cookie",
    "token",
    "secret",
    "api-key",
    "apikey",
    "password",
];

impl<O> Arguments<O> {
    /// Every option, in the order of the help. Logins and the values of secret headers are left out.
    pub fn given(&self) -> impl Iterator<Item = Given> {
        let options = self.command.get_arguments();
        options.filter_map(|option| self.one_given(option))
    }

    fn one_given(&self, option: &Arg) -> Option<Given> {
        let id = option.get_id().as_str();
        let flag = option
            .get_long()
            .filter(|_| option.get_action().takes_values())?;
        let raw = self.matches.try_get_raw(id).ok()?;
        let values = raw
            .into_iter()
            .flatten()
            .map(|value| value.to_string_lossy());
        let values: Vec<_> = match id {
            // A variable has one a line.
            "header" => {
                let all: Vec<_> = values.collect();
                let lines = all.iter().flat_map(|value| value.lines());
                lines
                    .filter(|line| !line.trim().is_empty())
                    .map(without_secret)
                    .collect()
            }
            "targets" => values
                .map(|urls| {
                    let urls: Vec<_> = urls.split(',').map(without_login).collect();
                    urls.join(",")
                })
                .collect(),
            _ => values.map(|value| value.into_owned()).collect(),
        };
        let alone = option
            .get_num_args()
            .is_some_and(|args| args.min_values() == 0);
        Some(Given {
            option: flag.to_owned(),
            bare: alone && values == ["true"],
            values,
            source: self.source(id).unwrap_or(ValueSource::DefaultValue),
        })
    }
}

fn without_secret(header: &str) -> String {
    let (name, value) = header.split_once(':').unwrap_or((header, ""));
    let secretive = |name: &str| SECRETIVE.iter().any(|part| name.contains(part));
    match secretive(&name.to_lowercase()) && !value.trim().is_empty() {
        true => format!("{name}: {SECRET}"),
        false => header.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_headers_are_not_repeated() {
        for (header, repeated) in [
            ("Authorization: Bearer abc", "Authorization: …"),
            ("X-Api-Key:k", "X-Api-Key: …"),
            ("proxy-authorization: x:y", "proxy-authorization: …"),
            ("Authorization:", "Authorization:"),
            ("X-Key: {key}", "X-Key: {key}"),
        ] {
            assert_eq!(without_secret(header), repeated);
        }
    }
}
