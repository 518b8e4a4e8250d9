use crate::base::Target;
use crate::core::plan::Plan;
use serde::{Deserialize, Serialize};

/// The options of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Configuration {
    /// The shell command that repeats the run, with the same order and arrivals. The keys are the same too, unless the run
    /// is audited and the command does not have `--reuse-keys`. Values from variables are given as flags. Options for results are left out. `{env:NAME}` stands for
    /// secrets: the command runs as it is as soon as the environment has these `variables`.
    pub command: String,
    /// The environment variables that the command reads.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub variables: Vec<NeededVariable>,
    /// The seed of the order of the keys and of Poisson arrivals, and of the keys themselves if they are not the run's own.
    pub seed: u64,
    /// The base URLs of the targets.
    pub targets: Vec<String>,
    /// The rate over time, in words.
    pub traffic: String,
    /// The count of requests (`--count`) that ends the schedule, if nothing ends it earlier.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub count: Option<u64>,
    /// The content of the requests, in words.
    pub requests: String,
    /// The keys that the requests carried, in words.
    pub keys: String,
    /// Every option, in the order of the help. Masks such as `***(24 bytes)` stand for secrets, unless they were to be shown.
    pub settings: Vec<Setting>,
}

/// An environment variable that a command reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NeededVariable {
    /// The variable's name.
    pub name: String,
    /// The option that has it, and the name of its value there, such as `--header Authorization`.
    pub stands_for: String,
}

/// The command that repeats a run, and the environment variables that it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatingCommand {
    pub text: String,
    pub variables: Vec<NeededVariable>,
}

/// An option and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Setting {
    /// The flag, without its dashes; `URL` for URLs as arguments.
    pub option: String,
    /// The values as they were given, one for each time. Without a value and a default, the list is empty.
    pub values: Vec<String>,
    /// Where the values come from.
    pub source: Source,
}

/// An option of a [`Setting`] as it is typed: `--rps`, or `URL` for URLs as arguments.
pub fn as_typed(option: &str) -> String {
    match option {
        "URL" => option.to_owned(),
        flag => format!("--{flag}"),
    }
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
    /// The sentences that name the variables to set before the command. `None` if it reads none.
    pub fn needed_variables(&self) -> Option<String> {
        let name =
            |variable: &NeededVariable| format!("{} ({})", variable.name, variable.stands_for);
        let names: Vec<_> = self.variables.iter().map(name).collect();
        (!names.is_empty()).then(|| {
            let names = names.join(", ");
            format!("The command has no secrets in it. Before you run it, export {names}. Each value is plain text, which is \
                 escaped for its place.")
        })
    }

    /// The configuration of a run of `plan` against `targets`.
    pub fn new(
        plan: &Plan,
        targets: &[Target],
        command: RepeatingCommand,
        settings: Vec<Setting>,
    ) -> Self {
        Configuration {
            command: command.text,
            variables: command.variables,
            seed: plan.seed,
            targets: targets.iter().map(ToString::to_string).collect(),
            traffic: plan.describe_traffic(),
            count: plan.schedule.count(),
            requests: plan.describe_requests(),
            keys: plan.describe_keys(),
            settings,
        }
    }
}
