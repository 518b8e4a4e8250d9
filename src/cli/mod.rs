//! Flags and environment variables, from text to a checked [`Setup`].
//!
//! Each file has one group of options, the parsers of their values, and the rules that concern them. [`Setup`] puts the
//! groups together.

mod answers;
mod arguments;
mod audit;
mod capacity;
mod cluster;
mod command_line;
mod compare;
mod connections;
mod demo_defaults;
mod discover;
mod events;
mod fingerprint;
mod generator;
mod keys;
mod kubernetes;
mod manual;
mod merge;
mod option;
mod promise;
mod recorded;
mod refusal;
mod replay;
mod report;
mod requests;
mod resembling;
mod results;
mod settings;
mod setup;
mod short_help;
mod slips;
mod stripes;
mod thresholds;
mod traffic;
mod urls;
mod values;

pub use arguments::Arguments;
pub use capacity::CapacitySetup;
pub use cluster::Nodes;
pub use compare::{Compare, Sides};
pub use discover::DiscoverSetup;
pub use manual::{completions, man};
pub use merge::{Gathered, MergeSetup};
pub use recorded::{ListedKeys, RecordedSetup};
pub use refusal::Refusal;
pub use report::{Report, Saved};
pub use setup::{Metrics, Setup, Wait};

use crate::core::exit_code;
use crate::core::presets::Preset;
use crate::core::summary::Schema;
use crate::report::kubernetes::Deployment;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use jiff::Timestamp;
use option::{Opt, opt};
use refusal::without_login;
use std::ffi::OsString;

/// A command that was typed, ready to be carried out.
#[derive(Debug)]
pub enum Command {
    Run(Box<Setup>),
    /// Shows what a run would send, and when.
    Plan(Box<Setup>),
    /// Searches for the highest rate that holds.
    Capacity(Box<CapacitySetup>),
    /// Shows one preset, or lists all of them.
    Presets(Option<&'static Preset>),
    /// Finds out what a limiter enforces.
    Discover(Box<DiscoverSetup>),
    /// Audits recorded requests.
    Audit(Box<RecordedSetup>),
    /// Merges the summaries of stripes.
    Merge(Box<MergeSetup>),
    /// Makes a page of saved summaries.
    Report(Report),
    /// Prints the JSON schema of a result.
    Schema(Schema),
    /// Compares saved summaries.
    Compare(Compare),
    /// Prints the manifests of a run on a cluster.
    Kubernetes(Box<Deployment>),
    /// Prints a script that completes the command line in a shell.
    Completions(Shell),
    Man,
    /// Prints the help or the version.
    Show(String),
}

impl Command {
    /// Reads a command line, which begins with the program's name, and the environment.
    ///
    /// # Errors
    /// One line that names the option, its value and what is allowed.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Refusal> {
        let typed: Vec<_> = arguments.into_iter().collect();
        let arguments = match Arguments::<Cli>::parse(typed.iter().cloned()) {
            Err(Refusal::Asked(text)) => {
                let short = short_help::requested(&typed).map(str::to_owned);
                return Ok(Command::Show(short.unwrap_or(text)));
            }
            arguments => arguments?,
        };
        let setup = |options, arguments: Arguments<()>| {
            let arguments = arguments.with_options(options);
            Setup::new(&arguments).map(Box::new)
        };
        let (cli, arguments) = arguments.split();
        Ok(match cli.task {
            None => Command::Run(setup(cli.options, arguments)?),
            Some(Task::Plan { options }) => {
                Command::Plan(setup(*options, arguments.of_the_subcommand())?)
            }
            Some(Task::Capacity { search, options }) => {
                let arguments = arguments.of_the_subcommand().with_options(*options);
                Command::Capacity(CapacitySetup::new(&arguments, &search).map(Box::new)?)
            }
            Some(Task::Discover(discover)) => Command::Discover(Box::new(
                discover.setup(arguments.of_the_subcommand(), &typed)?,
            )),
            Some(Task::Presets { name }) => Command::Presets(name),
            Some(Task::Audit(options)) => {
                let arguments = arguments.of_the_subcommand().with_options(*options);
                Command::Audit(RecordedSetup::new(&arguments).map(Box::new)?)
            }
            Some(Task::Merge(options)) => {
                let arguments = arguments.of_the_subcommand().with_options(*options);
                Command::Merge(MergeSetup::new(&arguments).map(Box::new)?)
            }
            Some(Task::Report(report)) => Command::Report(report),
            Some(Task::Schema { schema }) => Command::Schema(schema),
            Some(Task::Compare(compare)) => Command::Compare(compare),
            Some(Task::Kubernetes(kubernetes)) => match kubernetes.deployment(Timestamp::now()) {
                Err(Refusal::Asked(text)) => Command::Show(text),
                deployment => Command::Kubernetes(Box::new(deployment?)),
            },
            Some(Task::Completions { shell }) => Command::Completions(shell),
            Some(Task::Man) => Command::Man,
        })
    }
}

/// Sends checks to every node of a rate-limiter cluster on an exact, open-loop schedule, and
/// counts how many of them are allowed, blocked and failed.
#[derive(Debug, Parser)]
#[command(
    name = "loadgen",
    version,
    max_term_width = 100,
    hide_possible_values = true,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = exit_code::table(),
    override_usage = "loadgen [OPTIONS] [URL]...\n       loadgen plan [OPTIONS] [URL]...\n       loadgen capacity [OPTIONS] [URL]...\n       loadgen discover [OPTIONS] [URL]...\n       loadgen presets [NAME]\n       \
                      loadgen audit FILE... [OPTIONS]\n       loadgen merge FILE... [--output FILE]\n       loadgen report FILE... --output FILE\n       \
                      loadgen compare FILE... [--to FILE...] [--fail-if CONDITION]\n       loadgen kubernetes --stripes N -- [OPTIONS] [URL]...\n       loadgen schema [NAME]\n       loadgen completions <SHELL>\n       loadgen man"
)]
struct Cli {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    task: Option<Task>,
}

/// The commands beside a run.
#[derive(Debug, Subcommand)]
enum Task {
    /// Print what a run with these options would send, and when, without sending anything
    Plan {
        #[command(flatten)]
        options: Box<Options>,
    },

    /// Find the highest rate at which the limiter still meets every threshold: doubles the rate, then narrows
    #[command(mut_args(capacity::adapt))]
    Capacity {
        #[command(flatten)]
        search: Box<capacity::SearchOptions>,
        #[command(flatten)]
        options: Box<Options>,
    },

    /// Find out what a limiter enforces of each key: limit, window, algorithm, and what shares a count
    #[command(mut_args(discover::hide_if_without_effect))]
    Discover(Box<discover::Discover>),

    /// List the known limiters, or print the requests and the answers of one
    Presets {
        #[arg(value_parser = requests::preset)]
        name: Option<&'static Preset>,
    },

    /// Audit recorded requests: files of --requests, or logs of other programs as CSV or JSON lines
    Audit(Box<recorded::Recorded>),

    /// Make one result of the summaries of all stripes of a schedule, and judge the thresholds on it
    Merge(Box<merge::Merge>),

    /// Make an HTML page of saved summaries: the report of one, or the comparison of several
    Report(Report),

    /// Compare two runs, or several on each side, and tell change from noise
    Compare(compare::Compare),

    /// Print Kubernetes manifests for a run with these options, whose load several pods share
    Kubernetes(Box<kubernetes::Kubernetes>),

    /// Print the JSON schema of a result: summary, of a run; audit, of recorded requests; discovery; or capacity
    Schema {
        /// The result that the schema describes: summary, audit, discovery or capacity
        #[arg(value_name = "NAME", value_parser = results::schema, default_value = "summary")]
        schema: Schema,
    },

    /// Print a completion script for a shell: bash, elvish, fish, powershell or zsh
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },

    /// Print the man page, for `man -l -` or for a file loadgen.1
    Man,
}

/// The options of a run.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    cluster: cluster::Cluster,
    #[command(flatten)]
    connections: connections::Connections,
    #[command(flatten)]
    traffic: traffic::Traffic,
    #[command(flatten)]
    replay: replay::Replay,
    #[command(flatten)]
    requests: requests::Requests,
    #[command(flatten)]
    answers: answers::Answers,
    #[command(flatten)]
    failing_open: answers::FailingOpen,
    #[command(flatten)]
    keys: keys::Keys,
    #[command(flatten)]
    audit: audit::Audit,
    #[command(flatten)]
    thresholds: thresholds::Thresholds,
    #[command(flatten)]
    events: events::Events,
    #[command(flatten)]
    stripes: stripes::Stripes,
    #[command(flatten)]
    results: results::Results,
    #[command(flatten)]
    generator: generator::Generator,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_variable_is_named_after_its_flag() {
        let command = Cli::command();
        let subcommands = command.get_subcommands();
        let of_subcommands = subcommands.flat_map(|command| command.get_arguments());
        let with_variable = of_subcommands.filter(|option| option.get_env().is_some());
        for option in command.get_opts().chain(with_variable) {
            let long = option.get_long().expect("a flag");
            let variable = format!("LOADGEN_{}", long.to_uppercase().replace('-', "_"));
            let named = option.get_env().and_then(|name| name.to_str());
            assert_eq!(named, Some(&*variable), "--{long}");
        }
    }
}
