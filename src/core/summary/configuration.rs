use crate::cli::{Arguments, Given, Options};
use crate::core::plan::Plan;
use crate::report::{keys, requests, traffic};
use clap::parser::ValueSource;
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

/// Where results go says nothing of a run.
const RESULTS: [&str; 7] = [
    "no-tui",
    "report",
    "summary-json",
    "summary-markdown",
    "timeline",
    "hdr-log",
    "requests",
];

impl Configuration {
    /// Of a run of `plan`, which is of these arguments, against `targets`.
    pub fn of(
        arguments: &Arguments<Options>,
        plan: &Plan,
        targets: &[crate::base::Target],
    ) -> Self {
        let given: Vec<_> = arguments.given().collect();
        Configuration {
            command: command(&given, plan.seed),
            seed: plan.seed,
            targets: targets.iter().map(ToString::to_string).collect(),
            traffic: traffic(plan),
            requests: requests(plan),
            keys: keys(plan),
            settings: given.into_iter().map(Setting::from).collect(),
        }
    }
}

impl From<Given> for Setting {
    fn from(given: Given) -> Setting {
        Setting {
            option: given.option,
            values: given.values,
            source: match given.source {
                ValueSource::CommandLine => Source::Flag,
                ValueSource::EnvVariable => Source::Variable,
                _ => Source::Default,
            },
        }
    }
}

fn command(given: &[Given], seed: u64) -> String {
    let mut words = vec!["loadgen".to_owned()];
    let of_the_run = given.iter().filter(|given| {
        let is_given = given.source != ValueSource::DefaultValue;
        is_given && given.option != "seed" && !RESULTS.contains(&given.option.as_str())
    });
    for given in of_the_run {
        let flag = format!("--{}", given.option);
        match given.bare {
            true => words.push(flag),
            // A value that begins with a dash, or is empty, is one only so.
            false => words.extend(given.values.iter().flat_map(|value| {
                match value.is_empty() || value.starts_with('-') {
                    true => vec![format!("{flag}={value}")],
                    false => vec![flag.clone(), value.clone()],
                }
            })),
        }
    }
    words.extend(["--seed".to_owned(), seed.to_string()]);
    // No shell can be given a NUL, nor can this process have been.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(option: &str, values: &[&str], source: ValueSource) -> Given {
        Given {
            option: option.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            source,
            bare: values == ["true"],
        }
    }

    #[test]
    fn a_run_is_repeated_by_what_was_given_and_its_seed() {
        use ValueSource::{CommandLine as Flag, DefaultValue as Default, EnvVariable as Variable};
        let given = [
            given("demo", &["true"], Flag),
            given("rps", &["20"], Variable),
            given("duration", &["60"], Default),
            given("header", &["A: b", "C: it's"], Flag),
            given("body", &["-x"], Flag),
            given("seed", &["random"], Flag),
            given("report", &["r.html"], Flag),
        ];
        let expected =
            "loadgen --demo --rps 20 --header 'A: b' --header \"C: it's\" --body=-x --seed 7";
        let read = |text| shlex::split(text).unwrap();
        assert_eq!(read(&command(&given, 7)), read(expected));
    }
}
