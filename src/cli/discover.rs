//! The options of `loadgen discover`.

use super::audit::Audit;
use super::command_line::{CommandLine, Role};
use super::events::Events;
use super::generator::Generator;
use super::keys::Keys;
use super::replay::Replay;
use super::settings::quoted;
use super::stripes::Stripes;
use super::thresholds::Thresholds;
use super::traffic::Traffic;
use super::{Arguments, Cli, Command, Options, Refusal, Setup};
use crate::base::Nanos;
use crate::base::text::{time, whole};
use crate::core::discovery::Bounds;
use crate::core::request::Placeholder;
use crate::core::summary::{RepeatingCommand, Setting};
use crate::report::FORMATS;
use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, Args, CommandFactory, Id};
use std::collections::HashSet;
use std::ffi::OsString;
use std::sync::LazyLock;
use std::time::Duration;

/// The largest values of the bounds.
const MOST_REQUESTS: u64 = 1_000_000;
const MOST_TIME: Duration = Duration::from_secs(24 * 3600);
const MOST_RATE: u64 = 10_000;

#[derive(Debug, Args)]
#[command(next_help_heading = "Discovery")]
pub struct Discover {
    /// The most requests that are sent: 1 to 1000000
    #[arg(long, env = "LOADGEN_MAX_REQUESTS", hide_env_values = true, value_name = "N", value_parser = max_requests,
          default_value = "20000", allow_hyphen_values = true)]
    max_requests: u64,

    /// How long it may take: 1s to 24h. A limit of which nothing is admitted again within this time is not found
    #[arg(long, env = "LOADGEN_MAX_TIME", hide_env_values = true, value_name = "TIME", value_parser = max_time,
          default_value = "5m", allow_hyphen_values = true)]
    max_time: Duration,

    /// The most requests that are sent in a second: 1/s to 10000/s. A limit that admits more than half of them for ever
    /// is not found
    #[arg(long, env = "LOADGEN_MAX_RATE", hide_env_values = true, value_name = "RATE", value_parser = max_rate,
          default_value = "200/s", allow_hyphen_values = true)]
    max_rate: u64,

    /// Then hold the limiter to what was found: run the command that is printed at the end. The exit code is that run's
    #[arg(long)]
    then_audit: bool,

    #[command(flatten)]
    options: Box<Options>,
}

/// A requested discovery, as checked values.
#[derive(Debug)]
pub struct DiscoverSetup {
    /// The targets, the requests and where results go. Its plan's schedule and keys are not used.
    pub setup: Box<Setup>,
    pub bounds: Bounds,
    /// Whether requests carry a key. Otherwise, all of them count together.
    pub has_keys: bool,
    pub then_audit: bool,
    /// The command that sends the same requests in a run, without the promise.
    same_requests: RepeatingCommand,
    /// The words that were typed, without those that a run does not take.
    words: Vec<OsString>,
}

impl Discover {
    /// Checks the rules that concern several options.
    ///
    /// # Errors
    /// The options contradict each other, or one has no effect here.
    pub(super) fn setup(
        self,
        arguments: Arguments<()>,
        typed: &[OsString],
    ) -> Result<DiscoverSetup, Refusal> {
        let Discover {
            max_requests,
            max_time,
            max_rate,
            then_audit,
            options,
        } = self;
        let arguments = arguments.with_options(*options);
        refuse_those_of_a_run(&arguments)?;
        let setup = Setup::new(&arguments)?;
        let without_effect = of_a_run();
        let own: HashSet<Id> = own().collect();
        let body = setup.plan.request.body.as_ref();
        Ok(DiscoverSetup {
            same_requests: arguments.repeating_command(
                None,
                body,
                &without_effect.iter().collect(),
                &own.iter().map(|id| (id.clone(), Vec::new())).collect(),
            ),
            has_keys: setup.plan.request.has(Placeholder::Key),
            setup: Box::new(setup),
            bounds: Bounds {
                requests: max_requests,
                time: Nanos::from(max_time),
                per_second: max_rate,
            },
            then_audit,
            words: words_of_a_run(typed),
        })
    }
}

impl DiscoverSetup {
    /// Every option that has an effect.
    pub fn settings(&self) -> Vec<Setting> {
        let without_effect: HashSet<Id> = of_a_run().into_iter().chain(files_of_a_run()).collect();
        let command = Options::augment_args(clap::Command::default());
        let mut of_a_run = command.get_arguments();
        let without_effect: HashSet<&str> = of_a_run
            .by_ref()
            .filter(|option| without_effect.contains(option.get_id()))
            .filter_map(Arg::get_long)
            .collect();
        let settings = self.setup.settings.iter();
        let settings = settings.filter(|setting| !without_effect.contains(&*setting.option));
        settings.cloned().collect()
    }

    /// The run that sends the same requests, with these flags. It writes no files.
    ///
    /// # Errors
    /// The variables for runs contradict the flags.
    pub fn run(&self, flags: &[(&str, String)]) -> Result<Box<Setup>, Refusal> {
        let mut words = self.words.clone();
        let flags = flags.iter().map(|(flag, value)| format!("{flag}={value}"));
        words.splice(1..1, flags.map(OsString::from));
        match Command::parse(words)? {
            Command::Run(mut setup) => {
                setup.outputs.clear();
                Ok(setup)
            }
            other => unreachable!("no subcommand is left: {other:?}"),
        }
    }

    /// The command of that run, for a shell.
    pub fn command_of_a_run(&self, flags: &[(&str, String)]) -> RepeatingCommand {
        let mut words = vec!["loadgen".to_owned()];
        for (flag, value) in flags {
            words.extend([(*flag).to_owned(), quoted(value)]);
        }
        let same = self
            .same_requests
            .text
            .strip_prefix("loadgen")
            .unwrap_or_default();
        RepeatingCommand {
            text: words.join(" ") + same,
            variables: self.same_requests.variables.clone(),
        }
    }
}

/// Hides an option that has no effect from the help of this command.
pub(super) fn hide_if_without_effect(option: Arg) -> Arg {
    static HIDDEN: LazyLock<HashSet<Id>> =
        LazyLock::new(|| of_a_run().into_iter().chain(files_of_a_run()).collect());
    if ids_of::<Stripes>().any(|id| id == *option.get_id()) {
        // A variable may be set for all runs.
        option.hide(true).env(Resettable::Reset)
    } else if HIDDEN.contains(option.get_id()) {
        option.hide(true)
    } else {
        option
    }
}

fn ids_of<A: Args>() -> impl Iterator<Item = Id> {
    let command = A::augment_args(clap::Command::default());
    let ids: Vec<_> = command.get_arguments().map(Arg::get_id).cloned().collect();
    ids.into_iter()
}

/// The options of a run that have no effect here.
fn of_a_run() -> HashSet<Id> {
    const KEPT: [&str; 4] = ["timeout", "drain_timeout", "stats_interval", "key_prefix"];
    let all = ids_of::<Traffic>()
        .chain(ids_of::<Replay>())
        .chain(ids_of::<Keys>())
        .chain(ids_of::<Audit>())
        .chain(ids_of::<Thresholds>())
        .chain(ids_of::<Events>())
        .chain(ids_of::<Stripes>())
        .chain(ids_of::<Generator>());
    all.filter(|id| !KEPT.contains(&id.as_str())).collect()
}

/// The options for files that only a run writes.
fn files_of_a_run() -> impl Iterator<Item = Id> {
    let formats = FORMATS.iter().filter(|format| !format.is_for_recorded());
    formats.map(|format| format.option.into())
}

/// The words of a command line without the subcommand, its own options and those for files.
fn words_of_a_run(typed: &[OsString]) -> Vec<OsString> {
    let command = Cli::command();
    let line = CommandLine::new(&command, typed);
    let left_out: HashSet<Id> = own()
        .chain(FORMATS.iter().map(|format| format.option.into()))
        .collect();
    let is_kept = |role: &Role| match role {
        Role::Subcommand => false,
        Role::Flag(Some(argument)) | Role::Value(argument) => !left_out.contains(argument.get_id()),
        Role::Flag(None) | Role::Free | Role::Other => true,
    };
    let words = typed.iter().zip(&line.roles);
    let kept = words.filter(|(_, role)| is_kept(role));
    kept.map(|(word, _)| word.clone()).collect()
}

/// The options that only this command has.
fn own() -> impl Iterator<Item = Id> {
    let of_a_run: HashSet<Id> = ids_of::<Options>().collect();
    ids_of::<Discover>().filter(move |id| !of_a_run.contains(id))
}

/// Refuses flags that have no effect. Variables are not refused: they may be set for all runs.
fn refuse_those_of_a_run(arguments: &Arguments<Options>) -> Result<(), Refusal> {
    let without_effect = of_a_run();
    let files: HashSet<Id> = files_of_a_run().collect();
    for option in arguments.command.get_arguments() {
        let id = option.get_id();
        if arguments.source(id.as_str()) != Some(ValueSource::CommandLine) {
            continue;
        }
        let allowed = if without_effect.contains(id) {
            "is an option of a run; discover chooses its requests, their keys and their times itself"
        } else if files.contains(id) {
            "is written by a run only; discover writes --report, --summary-json and --summary-markdown"
        } else {
            continue;
        };
        let given = arguments.matches.get_raw(id.as_str()).into_iter().flatten();
        let values: Vec<_> = given.map(|value| value.to_string_lossy()).collect();
        let name = arguments.name_of(id.as_str());
        return Err(Refusal::wrong(&name, &values.join(" "), allowed));
    }
    Ok(())
}

fn max_requests(text: &str) -> Result<u64, String> {
    whole(text, 1..=MOST_REQUESTS)
}

fn max_time(text: &str) -> Result<Duration, String> {
    time(text, Duration::from_secs(1)..=MOST_TIME, "from 1s to 24h")
}

fn max_rate(text: &str) -> Result<u64, String> {
    let text = text.trim();
    whole(text.strip_suffix("/s").unwrap_or(text), 1..=MOST_RATE)
        .map_err(|_| format!("must be whole requests per second, from 1/s to {MOST_RATE}/s"))
}
