//! The defaults of a demo.

use super::Opt;
use clap::ArgMatches;
use clap::parser::ValueSource;

/// The options whose defaults differ in a demo. With them, the first request is blocked a second after the first burst
/// begins, and the run is soon over.
pub(super) const DEMO_DEFAULTS: [(&str, &str); 4] = [
    ("duration", "40"),
    ("burst_interval", "10"),
    ("keys", "3"),
    ("limit", "50"),
];

/// Whether the nodes are a demo's. Targets that were typed win over a variable that starts a demo.
pub(super) fn is_demo(matches: &ArgMatches) -> bool {
    let demo = matches.try_get_one::<Opt<bool>>("demo");
    let has_demo = demo.ok().flatten().is_some_and(|demo| **demo);
    has_demo && matches.value_source("targets") != Some(ValueSource::CommandLine)
}
