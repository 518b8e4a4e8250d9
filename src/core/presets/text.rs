//! The presets as text.

use super::{ALL, Preset};
use std::borrow::Cow;

/// A line for each preset: its name and the limiter.
pub fn table() -> String {
    let longest = ALL.iter().map(|preset| preset.name.len()).max();
    let width = longest.unwrap_or_default();
    let line = |preset: &Preset| format!("{:width$}  {}\n", preset.name, preset.about);
    ALL.into_iter().map(line).collect()
}

/// Everything that a preset sets, as a command for a POSIX shell, with the limiter's configuration and the notes.
pub fn details(preset: &Preset) -> String {
    let mut text = format!("{}: {}\n\nloadgen", preset.name, preset.about);
    for (flag, value) in preset.flags() {
        text += &format!(" \\\n  {flag} {}", quoted(value));
    }
    text.push('\n');
    if !preset.config.is_empty() {
        text += "\nThe limiter's own configuration, for 100 requests of each key a minute:\n\n";
        for line in preset.config.lines() {
            text += &format!("    {line}\n");
        }
    }
    if !preset.notes.is_empty() {
        text.push('\n');
        for note in preset.notes {
            text += &format!("- {note}\n");
        }
    }
    text
}

fn quoted(value: &str) -> Cow<'_, str> {
    shlex::try_quote(value).expect("no preset has a NUL")
}

impl Preset {
    /// The options that the preset stands for, in the order of `--help`.
    fn flags(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let headers = self.headers.iter().map(|&header| ("--header", header));
        let first = [("--method", self.method), ("--path", self.path)];
        let last = [
            ("--body", self.body),
            ("--allowed", self.allowed),
            ("--blocked", self.blocked),
        ];
        first.into_iter().chain(headers).chain(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_the_printed_options_as_the_preset() {
        for preset in ALL {
            let details = details(preset);
            let begin = details.find("loadgen \\\n").expect("a command");
            let command = details[begin..].split("\n\n").next();
            let command = command.expect("a paragraph");
            let script = format!("loadgen() {{ printf '%s\\n' \"$@\"; }}\n{command}\n");
            let shell = std::process::Command::new("sh")
                .args(["-c", &script])
                .output();
            let printed = String::from_utf8(shell.expect("a shell").stdout).expect("text");
            let lines = |(flag, value)| format!("{flag}\n{value}\n");
            let expected: String = preset.flags().map(lines).collect();
            assert_eq!(printed, expected, "{details}");
        }
    }

    #[test]
    fn notes_and_configuration_are_printed_in_full() {
        for preset in ALL {
            let details = details(preset);
            for note in preset.notes {
                assert!(details.contains(&format!("\n- {note}\n")), "{details}");
            }
            let indented = |line| format!("    {line}\n");
            let config: String = preset.config.lines().map(indented).collect();
            assert!(details.contains(&config), "{details}");
            assert!(details.ends_with('\n'), "{details}");
            assert!(!details.contains("\n\n\n"), "{details}");
        }
    }

    #[test]
    fn the_table_has_a_line_for_each_preset() {
        let table = table();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), ALL.len());
        for (line, preset) in lines.iter().zip(ALL) {
            assert_eq!(line.split_once("  ").expect(line).0, preset.name);
            assert!(line.ends_with(preset.about), "{line}");
        }
        assert_eq!(lines[0], "check         loadgen's own reference limiter");
    }
}
