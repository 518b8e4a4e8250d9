//! The form of every refusal.

use loadgen::base::text::SyntaxError;

/// The longest line, in characters: a value is repeated up to 300 of them, and what is allowed is a sentence or a list of
/// forms.
const LONGEST: usize = 1_200;

/// Parts of `Debug` output.
const DEBUG: [&str; 7] = [
    "Error {",
    "Error(",
    "Some(",
    "Err(",
    "Os {",
    "kind: ",
    "Utf8Error",
];

/// Checks the line that refuses `input`.
#[track_caller]
pub fn check_line(line: &str, input: &str) {
    let length = line.chars().count();
    assert!(
        length <= LONGEST,
        "{length} characters for {input:?}:\n{line}"
    );
    assert!(!line.trim().is_empty(), "nothing is said of {input:?}");
    assert!(
        !line.contains(char::is_control),
        "a control character for {input:?}:\n{line:?}"
    );
    for part in DEBUG {
        assert!(
            input.contains(part) || !line.contains(part),
            "{part} for {input:?}:\n{line}"
        );
    }
}

/// Checks that an error's column is one of the text's, or the one behind it.
#[track_caller]
pub fn check_column(error: &SyntaxError, text: &str) {
    let columns = text.chars().count() + 1;
    assert!((1..=columns).contains(&error.column), "{text:?}: {error}");
    assert!(!error.message.is_empty(), "{text:?}");
    assert!(
        error.message.chars().count() <= 2 * LONGEST + text.chars().count(),
        "{text:?}: {error}"
    );
}
