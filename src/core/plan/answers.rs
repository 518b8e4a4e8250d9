//! What the answers mean.

use crate::cli::{Arguments, Options};
use crate::core::answers::Rules;

/// The rules for allowed and for blocked: either is the preset's, unless it was given.
pub(super) fn answers(arguments: &Arguments<Options>) -> (Rules, Rules) {
    let Options {
        answers, requests, ..
    } = &arguments.options;
    let given = |rules: &[Rules]| (!rules.is_empty()).then(|| rules.iter().cloned().collect());
    (
        given(&answers.allowed).unwrap_or_else(|| requests.preset.allowed()),
        given(&answers.blocked).unwrap_or_else(|| requests.preset.blocked()),
    )
}
