//! Every option with its value as it was given, and the command that repeats the run.

use super::results::Results;
use super::{Arguments, without_login};
use crate::core::summary::{Setting, Source};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Args, Command};

/// The replacement for a secret.
const SECRET: &str = "…";

/// A header whose name contains one of these has a secret value.
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
    pub fn settings(&self) -> Vec<Setting> {
        let options = self.command.get_arguments();
        options.filter_map(|option| self.setting(option)).collect()
    }

    /// The command that repeats this run with `seed`, for a shell. Values from variables become flags. The options
    /// for files of results are left out, and so are secrets.
    pub fn repeating_command(&self, seed: u64) -> String {
        let results = Results::augment_args(Command::default());
        let mut words = vec!["loadgen".to_owned()];
        for option in self.command.get_arguments() {
            let id = option.get_id();
            if id == "seed" || results.get_arguments().any(|other| other.get_id() == id) {
                continue;
            }
            if let Some(setting) = self.setting(option)
                && setting.source != Source::Default
            {
                add_flags(&setting, may_stand_alone(option), &mut words);
            }
        }
        words.extend(["--seed".to_owned(), seed.to_string()]);
        // This fails only for a NUL, which no argument of a process can contain.
        shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default()
    }

    /// Whether an argument is a setting, unlike `--help` and `--version`.
    fn setting(&self, option: &Arg) -> Option<Setting> {
        let id = option.get_id().as_str();
        if matches!(
            option.get_action(),
            ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
        ) {
            return None;
        }
        let flag = option.get_long()?;
        let raw = self.matches.try_get_raw(id).ok()?;
        let values: Vec<_> = raw
            .into_iter()
            .flatten()
            .map(|value| value.to_string_lossy())
            .collect();
        let values = match id {
            // A variable has one header in each line.
            "header" => {
                let lines = values.iter().flat_map(|value| value.lines());
                let lines = lines.filter(|line| !line.trim().is_empty());
                lines.map(without_secret).collect()
            }
            "targets" => {
                let without_logins = |urls: &str| {
                    let urls: Vec<_> = urls.split(',').map(without_login).collect();
                    urls.join(",")
                };
                values.iter().map(|urls| without_logins(urls)).collect()
            }
            _ => values.into_iter().map(Into::into).collect(),
        };
        Some(Setting {
            option: flag.to_owned(),
            values,
            source: match self.source(id) {
                Some(ValueSource::CommandLine) => Source::Flag,
                Some(ValueSource::EnvVariable) => Source::Variable,
                _ => Source::Default,
            },
        })
    }
}

/// Whether the flag without a value means `true`.
fn may_stand_alone(option: &Arg) -> bool {
    let values = option.get_num_args();
    values.is_some_and(|values| values.min_values() == 0)
}

fn add_flags(setting: &Setting, may_stand_alone: bool, words: &mut Vec<String>) {
    let flag = format!("--{}", setting.option);
    for value in &setting.values {
        if may_stand_alone && value == "true" {
            words.push(flag.clone());
        } else if value.is_empty() || value.starts_with('-') {
            // A separate word would be read as a flag or be ignored.
            words.push(format!("{flag}={value}"));
        } else {
            words.extend([flag.clone(), value.clone()]);
        }
    }
}

fn without_secret(header: &str) -> String {
    let (name, value) = header.split_once(':').unwrap_or((header, ""));
    let lowercase = name.to_lowercase();
    let is_secret = SECRETIVE.iter().any(|part| lowercase.contains(part));
    if is_secret && !value.trim().is_empty() {
        format!("{name}: {SECRET}")
    } else {
        header.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
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

    #[test]
    fn a_run_is_repeated_by_its_flags_and_its_seed() {
        let typed = r#"loadgen --seed 3 --report r.html --demo --rps 20 --header "A: b" --header "C: it's" --body=-x"#;
        let words = shlex::split(typed).unwrap().into_iter();
        let arguments = Arguments::<Cli>::parse(words.map(Into::into)).unwrap();
        let expected =
            r#"loadgen --demo --rps 20 --header "A: b" --header "C: it's" --body=-x --seed 7"#;
        let split = |command: &str| shlex::split(command).unwrap();
        assert_eq!(split(&arguments.repeating_command(7)), split(expected));
    }
}
