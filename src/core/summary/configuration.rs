use crate::base::Target;
use crate::core::plan::Plan;
use serde::{Deserialize, Serialize};

/// The options of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Configuration {
    /// The shell command that repeats the run, with the same order and arrivals. The keys are the same too, unless the run
    /// is audited and the command does not have `--reuse-keys`. Values from variables are given as flags. Options that say where results go are left out. `…` stands for the value of a header that is a secret.
    pub command: String,
    /// The seed of the order of the keys and of Poisson arrivals, and of the keys themselves if they are not the run's own.
    pub seed: u64,
    /// The base URLs of the targets.
    pub targets: Vec<String>,
    /// The rate over time, in words.
    pub traffic: String,
    /// The content of the requests, in words.
    pub requests: String,
    /// The keys that the requests carried, in words.
    pub keys: String,
    /// Every option, in the order of the help.
    pub settings: Vec<Setting>,
}

/// An option and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Setting {
    /// The flag, without its dashes.
    pub option: String,
    /// The values as they were given, one for each time. Without a value and a default, the list is empty.
    pub values: Vec<String>,
    pub source: Source,
}

/// The origin of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    Flag,
    Variable,
    Default,
}

impl Configuration {
    /// The configuration of a run of `plan` against `targets`.
    pub fn new(plan: &Plan, targets: &[Target], command: String, settings: Vec<Setting>) -> Self {
        Configuration {
            command,
            seed: plan.seed,
            targets: targets.iter().map(ToString::to_string).collect(),
            traffic: plan.describe_traffic(),
            requests: plan.describe_requests(),
            keys: plan.describe_keys(),
            settings,
        }
    }
}
