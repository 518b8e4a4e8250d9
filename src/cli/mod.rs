//! Flags and environment variables: what they are called, what they mean, what they may be.
//!
//! One file a group of options, with the parsers of its values. What a value may be beside the others is
//! [`plan`](crate::core::plan)'s.

mod answers;
mod arguments;
mod audit;
mod cluster;
mod generator;
mod keys;
mod manual;
mod report;
mod requests;
mod results;
mod settings;
mod thresholds;
mod traffic;
mod values;

pub use answers::Answers;
pub use arguments::{Arguments, Refusal, without_login};
pub use audit::{Audit, Audited};
pub use cluster::{Cluster, Urls};
pub use generator::Generator;
pub use keys::Keys;
pub use manual::{completions, man};
pub use report::Report;
pub use requests::Requests;
pub use results::Results;
pub use thresholds::{ThresholdLines, Thresholds};
pub use traffic::{Arrivals, Traffic};

use crate::core::presets::Preset;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::ffi::OsString;

/// What was asked for.
#[derive(Debug)]
pub enum Asked {
    Run(Arguments<Options>),
    /// Only to say what a run of these options would send, and when.
    Plan(Arguments<Options>),
    /// What is known of one limiter, or which are known.
    Presets(Option<&'static Preset>),
    /// A page of saved summaries.
    Report(Report),
    /// What completes the command's words in a shell.
    Completions(Shell),
    /// The man page.
    Man,
}

/// What `arguments`, which begin with the program's name, and the environment ask for.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, Refusal> {
    let Arguments {
        options: cli,
        mut matches,
        command,
    } = Arguments::<Cli>::parse(arguments)?;
    Ok(match cli.task {
        None => Asked::Run(Arguments {
            options: cli.options,
            matches,
            command,
        }),
        Some(Task::Plan { options }) => {
            if let Some((_, of_the_plan)) = matches.remove_subcommand() {
                matches = of_the_plan;
            }
            Asked::Plan(Arguments {
                options: *options,
                matches,
                command,
            })
        }
        Some(Task::Presets { name }) => Asked::Presets(name),
        Some(Task::Report(report)) => Asked::Report(report),
        Some(Task::Completions { shell }) => Asked::Completions(shell),
        Some(Task::Man) => Asked::Man,
    })
}

/// Sends checks to every node of a rate-limiter cluster on an exact, open-loop schedule, and
/// counts what was allowed, blocked and failed.
#[derive(Debug, Parser)]
#[command(
    name = "loadgen",
    version,
    max_term_width = 100,
    hide_possible_values = true,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    override_usage = "loadgen [OPTIONS]\n       loadgen plan [OPTIONS]\n       loadgen presets [NAME]\n       \
                      loadgen report FILE... [--output FILE]\n       loadgen completions <SHELL>\n       loadgen man"
)]
struct Cli {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    task: Option<Task>,
}

/// What there is to do beside a run.
#[derive(Debug, Subcommand)]
enum Task {
    /// Print what a run with these options would send, and when; nothing is sent
    Plan {
        #[command(flatten)]
        options: Box<Options>,
    },

    /// Print how known limiters are asked, and how they answer: which there are, or all of one
    Presets {
        #[arg(value_parser = requests::preset)]
        name: Option<&'static Preset>,
    },

    /// Make a page of saved summaries: of one its report, of several a comparison
    Report(Report),

    /// Print what completes loadgen's words in a shell: bash, elvish, fish, powershell or zsh
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },

    /// Print the man page, for `man -l -` or a file loadgen.1
    Man,
}

/// All there is to say of a run.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    pub cluster: Cluster,
    #[command(flatten)]
    pub traffic: Traffic,
    #[command(flatten)]
    pub requests: Requests,
    #[command(flatten)]
    pub answers: Answers,
    #[command(flatten)]
    pub keys: Keys,
    #[command(flatten)]
    pub audit: Audit,
    #[command(flatten)]
    pub thresholds: Thresholds,
    #[command(flatten)]
    pub results: Results,
    #[command(flatten)]
    pub generator: Generator,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }
}
