//! The name that a mistyped one stands for.

use std::cmp::Reverse;

/// The name that a mistyped one most likely stands for: at most two letters are wrong, missing, too many or exchanged, or
/// the beginnings are alike.
pub(super) fn resembling<'n>(
    typed: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let typed = typed.to_lowercase();
    let distances = names.into_iter().map(|name| {
        let mistakes = strsim::osa_distance(&typed, name);
        let likeness = (strsim::jaro_winkler(&typed, name) * 1_000.0) as u32;
        (mistakes, Reverse(likeness), name)
    });
    let (mistakes, Reverse(likeness), name) = distances.min()?;
    let few = if name.len() < 5 { 1 } else { 2 };
    (mistakes <= few || likeness > 850).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanged_letters_count_as_one_mistake() {
        let options = ["preset", "rps", "report", "targets", "duration"];
        for (typed, meant) in [
            ("rsp", Some("rps")),
            ("target", Some("targets")),
            ("duraton", Some("duration")),
            ("xyzzy", None),
        ] {
            assert_eq!(resembling(typed, options), meant, "{typed}");
        }
    }
}
