//! What the answers mean.

use crate::cli::{Arguments, Options};
use crate::client::Rules;

/// The rules for allowed and for blocked: either is the preset's, unless it was given.
pub(super) fn answers(arguments: &Arguments<Options>) -> (Rules, Rules) {
    let Options {
        answers, requests, ..
    } = &arguments.options;
    let rules = |given: &[Rules], preset: &str| match given {
        [] => preset.parse().expect("a preset's rules, which are tested"),
        given => given.iter().cloned().collect(),
    };
    (
        rules(&answers.allowed, requests.preset.allowed),
        rules(&answers.blocked, requests.preset.blocked),
    )
}
