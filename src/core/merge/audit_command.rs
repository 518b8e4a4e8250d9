//! The commands that a merged result names.

use crate::core::summary::{FILES, without_complete};

/// The command of a stripe that judges all of them together, for the requests in `files`, which are all requests to the limiter or
/// are not.
pub(super) fn of_files(command: &str, files: &[String], has_all_requests: bool) -> String {
    let command = match has_all_requests {
        true => command,
        false => without_complete(command),
    };
    let quoted: Vec<_> = files.iter().map(|file| quoted(file)).collect();
    match files {
        [] => command.to_owned(),
        _ => command.replacen(FILES, &quoted.join(" "), 1),
    }
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
    use crate::core::summary::COMPLETE;

    #[test]
    fn the_files_of_requests_stand_in_the_command_that_judges_them() {
        let command = format!("loadgen audit {FILES} --limit 5");
        let files = ["a.csv", "b c.csv"].map(str::to_owned);
        assert_eq!(
            of_files(&command, &files, true),
            "loadgen audit a.csv 'b c.csv' --limit 5"
        );
        assert_eq!(of_files(&command, &[], true), command);
        let complete = format!("{command} {COMPLETE}");
        assert_eq!(of_files(&complete, &[], true), complete);
        assert_eq!(of_files(&complete, &[], false), command);
    }

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
