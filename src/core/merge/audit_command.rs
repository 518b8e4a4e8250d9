//! The commands that a merged result names.

use crate::core::summary::{Configuration, Setting, Source};

/// The options of a run that its audit has in common with that of recorded requests.
const JUDGING: [&str; 10] = [
    "limit",
    "window",
    "cost",
    "keys-file",
    "key-prefix",
    "allowed",
    "blocked",
    "audit-memory",
    "clock-tolerance",
    "excess-tolerance",
];

/// The command that audits the requests of all stripes, which are in `files`. `None` if the plan has no audit.
pub(super) fn of(configuration: &Configuration, files: &[String]) -> Option<String> {
    let audited = find(configuration, "audit")?;
    let promise = audited.values.first()?;
    if promise == "off" {
        return None;
    }
    let mut words = vec!["loadgen".to_owned(), "audit".to_owned()];
    match files {
        [] => words.push("REQUESTS...".to_owned()),
        files => words.extend(files.iter().map(|file| quoted(file))),
    }
    words.extend(["--audit".to_owned(), quoted(promise)]);
    for option in JUDGING {
        let given = find(configuration, option).filter(|one| one.source != Source::Default);
        for value in given.into_iter().flat_map(|setting| &setting.values) {
            words.extend([format!("--{option}"), quoted(value)]);
        }
    }
    Some(words.join(" "))
}

fn find<'a>(configuration: &'a Configuration, option: &str) -> Option<&'a Setting> {
    let mut settings = configuration.settings.iter();
    settings.find(|setting| setting.option == option)
}

/// A word for a shell. A control character, which no shell takes, is left out.
fn quoted(word: &str) -> String {
    let plain: String = word.chars().filter(|c| *c != '\0').collect();
    shlex::try_quote(&plain).map_or_else(|_| plain.clone(), |quoted| quoted.into_owned())
}

/// A command that repeats a stripe, without the option that says which one it is. A command that no shell takes stays as it is.
pub(super) fn without_stripe(command: &str) -> String {
    let Some(words) = shlex::split(command) else {
        return command.to_owned();
    };
    let mut kept = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--stripe" {
            words.next();
        } else if !word.starts_with("--stripe=") {
            kept.push(quoted(&word));
        }
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_repeats_without_its_stripe() {
        let command = "loadgen --stripe 1/4 --header 'X-A: --stripe 0/4' --start-at next-minute http://127.0.0.1/";
        assert_eq!(
            without_stripe(command),
            "loadgen --header 'X-A: --stripe 0/4' --start-at next-minute http://127.0.0.1/"
        );
        assert_eq!(without_stripe("loadgen 'unclosed"), "loadgen 'unclosed");
    }
}
