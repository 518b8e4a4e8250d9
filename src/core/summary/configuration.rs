use crate::base::Target;
use crate::core::plan::Plan;
use serde::{Deserialize, Serialize};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Configuration {
    /// What repeats the run, as a shell reads it: the same keys, order and arrivals. What came from variables stands as
    /// flags, files of results are left out, and of headers that carry secrets the value is `…`.
    pub command: String,
    /// Of keys, their order and arrivals.
    pub seed: u64,
    /// Where the requests went.
    pub targets: Vec<String>,
    /// What the rate did, as a person would say it.
    pub traffic: String,
    /// What each request said, likewise.
    pub requests: String,
    /// Which keys they carried, likewise.
    pub keys: String,
    /// Every option.
    pub settings: Vec<Setting>,
}

/// An option and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Setting {
    /// The flag, without its dashes.
    pub option: String,
    /// As it was given, one for each time; none of an option that has no default and was not given.
    pub values: Vec<String>,
    pub source: Source,
}

/// Where a value comes from.
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
