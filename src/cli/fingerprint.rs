//! What the stripes of one schedule must have in common.

use super::connections::Connections;
use super::generator::Generator;
use super::results::Results;
use super::stripes::Stripes;
use crate::core::plan::Plan;
use crate::core::summary::Setting;
use clap::{Args, Command};
use std::collections::HashSet;
use uuid::Uuid;

/// The namespace of the fingerprints.
const NAMESPACE: Uuid = Uuid::from_u128(0x3c0d_6f2e_91b4_4a57_8e0c_5b7a_d1f2_6038);

/// An identifier that is the same for all stripes of one run, and differs if a request or its judgement does: a UUID of version
/// 5 ([RFC 9562](https://www.rfc-editor.org/rfc/rfc9562), section 5.5) over the version of the program, the seed, the timeout,
/// a list of keys, recorded requests, and every setting that is not about this machine alone. Masks stand for secrets in `settings`, so that
/// nobody finds a secret by trying.
pub(super) fn fingerprint(plan: &Plan, settings: &[Setting]) -> Uuid {
    let own = of_one_machine();
    let mut text = format!("loadgen {}\n", env!("CARGO_PKG_VERSION"));
    for Setting { option, values, .. } in settings {
        if !own.contains(option) {
            // The debug format quotes, so that no two settings look like one.
            text += &format!("{option}: {values:?}\n");
        }
    }
    let listed = Uuid::new_v5(&NAMESPACE, plan.keys.list_text().as_bytes());
    text += &format!("keys: {listed}\n");
    if let Some(replay) = plan.schedule.recording() {
        text += &format!("recorded requests: {:016x}\n", replay.requests.digest);
    }
    text += &format!("seed: {}, timeout: {:?}\n", plan.seed, plan.timeout);
    // Events and thresholds may come from files.
    text += &format!("events: {:?}\n", plan.events);
    let thresholds = plan.thresholds.all.iter().map(|threshold| &threshold.text);
    text += &format!("thresholds: {:?}\n", thresholds.collect::<Vec<_>>());
    Uuid::new_v5(&NAMESPACE, text.as_bytes())
}

/// The options that each machine may have for itself: its connections, its files, its threads, and its stripe.
pub(super) fn of_one_machine() -> HashSet<String> {
    let groups = [
        Connections::augment_args(Command::default()),
        Generator::augment_args(Command::default()),
        Results::augment_args(Command::default()),
        Stripes::augment_args(Command::default()),
    ];
    let options = groups.iter().flat_map(Command::get_arguments);
    let longs = options.filter_map(|option| option.get_long());
    longs.map(str::to_owned).collect()
}
