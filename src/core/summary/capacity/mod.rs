//! A search for the capacity as data. `loadgen capacity --summary-json` writes it as JSON.

mod statement;
mod step;

pub use step::{StepOutcome, StepPurpose, StepSummary, SteppedRun};

use super::{Build, Configuration, Resources};
use crate::core::capacity::{Finding, Limit};
use serde::{Deserialize, Serialize};

/// The version of the format. It changes when a field is removed or changes its meaning.
const SCHEMA_VERSION: u32 = 1;

/// A search for the highest rate that holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CapacitySummary {
    /// The version of this format: 1.
    pub schema_version: u32,
    /// The program that made the search.
    pub loadgen: Build,
    /// What was searched, and how.
    pub search: SearchSummary,
    /// What was found.
    pub result: CapacityResult,
    /// The exit code: 0 is fine, 3 that there is no verdict, 4 that not even the lowest rate holds, or that the rate that was
    /// found did not hold in its confirmation.
    pub exit_code: u8,
    /// The steps, in the order in which they were made.
    pub steps: Vec<StepSummary>,
    /// The run at the rate that was found, for as long as `--confirm` says; absent without it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub confirmation: Option<StepSummary>,
    /// The configuration of the steps.
    pub configuration: Configuration,
    /// What this process used.
    pub resources: Resources,
}

/// What was searched, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Search"))]
pub struct SearchSummary {
    /// The rate of the first step, in requests per second.
    pub from_per_s: f64,
    /// The highest rate that may be tried, in requests per second.
    pub to_per_s: f64,
    /// By which share the lowest rate that does not hold may be above the highest one that holds.
    pub precision: f64,
    /// The length of a step, in nanoseconds.
    pub step_ns: u64,
    /// The pause after each step, in nanoseconds.
    pub settle_ns: u64,
    /// The length of the confirmation, in nanoseconds; absent without it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub confirm_ns: Option<u64>,
    /// The thresholds that a step has to meet.
    pub thresholds: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CapacityResult {
    /// The result in a sentence.
    pub statement: String,
    /// The highest rate that holds, in requests per second, with none under it that does not; absent if no rate does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_per_s: Option<f64>,
    /// The lowest rate that does not hold, in requests per second; absent if all that were tried hold.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_held_per_s: Option<f64>,
    /// Why no higher rate holds.
    pub limit: CapacityLimit,
    /// Lower rates at which a step did not hold, although others there or at higher rates did.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub contradicted_per_s: Vec<f64>,
    /// Whether a signal ended the search.
    pub interrupted: bool,
}

/// Why no higher rate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CapacityLimit {
    /// The limiter missed a threshold.
    Limiter,
    /// The generator could not keep its schedule: a limit of this machine.
    Generator,
    /// The generator had no connection left, or no worker that was not waiting for an answer.
    Connections,
    /// A threshold could not be judged.
    Unjudged,
    /// No higher rate was to be tried.
    To,
    /// The search was ended early.
    Unfinished,
}

impl From<Limit> for CapacityLimit {
    fn from(limit: Limit) -> CapacityLimit {
        match limit {
            Limit::Limiter => CapacityLimit::Limiter,
            Limit::Generator => CapacityLimit::Generator,
            Limit::Connections => CapacityLimit::Connections,
            Limit::Unjudged => CapacityLimit::Unjudged,
            Limit::To => CapacityLimit::To,
            Limit::Unfinished => CapacityLimit::Unfinished,
        }
    }
}

/// Everything beside the steps that a summary contains.
#[derive(Debug)]
pub struct SearchCircumstances {
    pub search: SearchSummary,
    pub finding: Finding,
    /// Whether a signal ended the search.
    pub interrupted: bool,
    pub configuration: Configuration,
    pub resources: Resources,
}

impl CapacitySummary {
    pub fn new(
        circumstances: SearchCircumstances,
        steps: Vec<StepSummary>,
        confirmation: Option<StepSummary>,
    ) -> CapacitySummary {
        let SearchCircumstances {
            search,
            finding,
            interrupted,
            configuration,
            resources,
        } = circumstances;
        let mut result = CapacityResult {
            statement: String::new(),
            held_per_s: finding.held.map(|rate| rate.as_f64()),
            not_held_per_s: finding.not_held.map(|rate| rate.as_f64()),
            limit: finding.limit.into(),
            contradicted_per_s: finding
                .contradicted
                .iter()
                .map(|rate| rate.as_f64())
                .collect(),
            interrupted,
        };
        result.statement = statement::of(&result, &steps, confirmation.as_ref());
        CapacitySummary {
            schema_version: SCHEMA_VERSION,
            loadgen: Build::this(),
            exit_code: statement::exit_code(&result, confirmation.as_ref()),
            search,
            result,
            steps,
            confirmation,
            configuration,
            resources,
        }
    }
}
