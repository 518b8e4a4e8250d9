//! The options of `loadgen audit`.

use super::answers::Answers;
use super::audit::{AUTO, Judging};
use super::generator::Timeout;
use super::keys::{list, prefix};
use super::promise::Promised;
use super::requests::Quota;
use super::results::{Color, RecordedFiles};
use super::stripes::clock_error;
use super::values::file;
use super::{Arguments, Opt, Refusal, opt};
use crate::base::Nanos;
use crate::core::answers;
use crate::core::audit::PriorUse;
use crate::core::keys::{self, Keys};
use crate::core::plan::AuditPlan;
use crate::core::presets;
use crate::core::recorded::{self, ColumnNames, Unit};
use crate::recording::{Columns, Unreadable};
use crate::report::{ColorChoice, Input, Output};
use clap::Args;
use clap::parser::ValueSource;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use strum::VariantArray;

/// The most files that are merged.
const MOST_FILES: usize = recorded::Recorded::MOST_FILES;

#[derive(Debug, Args)]
pub struct Recorded {
    /// Files with a row for each request: what --requests wrote, or CSV with a line of names, or one JSON
    /// object per line. The rows of several files are merged by the clock
    #[arg(required = true, value_name = "FILE", value_parser = file())]
    files: Vec<PathBuf>,

    /// The column of a request's start: a number, or an instant such as 2026-01-31T12:00:00.123Z
    #[arg(long, value_name = "COLUMN", help_heading = "Columns")]
    time: Option<String>,

    /// The column of a request's end, instead of its start or of its duration
    #[arg(long, value_name = "COLUMN", help_heading = "Columns")]
    done: Option<String>,

    /// The column of a request's duration
    #[arg(long, value_name = "COLUMN", help_heading = "Columns")]
    took: Option<String>,

    /// The unit of --time and --done: s, ms, us or ns. By default, a column's name ends with it, such as
    /// `start_ms`; otherwise it is seconds
    #[arg(long, value_name = "UNIT", value_parser = unit, help_heading = "Columns")]
    time_unit: Option<Unit>,

    /// The unit of --took, likewise
    #[arg(long, value_name = "UNIT", value_parser = unit, help_heading = "Columns")]
    took_unit: Option<Unit>,

    /// The column of a request's key [default: key]
    #[arg(long, value_name = "COLUMN", help_heading = "Columns")]
    key: Option<String>,

    /// All requests share one limit. Without this, there must be a column of keys
    #[arg(long, help_heading = "Columns", conflicts_with = "key")]
    one_key: bool,

    /// The column of the HTTP status. Empty, `-` and 0 stand for no answer
    #[arg(long, value_name = "COLUMN", help_heading = "Columns")]
    status: Option<String>,

    /// The column of a word instead: allowed, blocked, failed or unanswered; true is allowed, false blocked
    #[arg(
        long,
        value_name = "COLUMN",
        help_heading = "Columns",
        conflicts_with = "status"
    )]
    verdict: Option<String>,

    /// The column of the node that answered. Without it, and without a column `target`, all requests went to one node
    #[arg(long, value_name = "COLUMN", help_heading = "Columns")]
    target: Option<String>,

    /// The files have every request that counted against their keys, and nobody used the keys before.
    /// Without this, a blocked request proves nothing, because others may have used up the limit
    #[arg(long, help_heading = "Audit")]
    complete: bool,

    /// The clock error, at most 1h, of files whose column clock_error_ns is missing or empty. Files of several machines need it.
    /// Give 0 if one machine wrote all files
    #[arg(long, value_name = "TIME", value_parser = clock_error, allow_hyphen_values = true, help_heading = "Audit")]
    clock_error: Option<Duration>,

    #[command(flatten, next_help_heading = "Audit")]
    quota: Quota,

    /// The units that each request counted, for a limiter that counts units
    #[arg(long, env = "LOADGEN_COST", hide_env_values = true, value_name = "N", value_parser = opt(keys::cost),
          default_value = "1", allow_hyphen_values = true, help_heading = "Audit")]
    cost: Opt<u64>,

    /// A run's file of keys, one per line. Behind a tab, a line may have the key's own limit, `100/60s` or
    /// `unlimited`, and behind a tab its own --cost, `cost 5`. Keys that are not in it have none of their own
    #[arg(long, env = "LOADGEN_KEYS_FILE", hide_env_values = true, value_name = "FILE", value_parser = opt(file()),
          help_heading = "Audit")]
    keys_file: Option<Opt<PathBuf>>,

    /// The beginning of every recorded key, before a key of --keys-file
    #[arg(long, env = "LOADGEN_KEY_PREFIX", hide_env_values = true, value_name = "TEXT", value_parser = prefix,
          allow_hyphen_values = true, help_heading = "Audit")]
    key_prefix: Option<String>,

    #[command(flatten)]
    judging: Judging,
    #[command(flatten)]
    requests: Timeout,
    #[command(flatten)]
    answers: Answers,
    #[command(flatten)]
    color: Color,
    #[command(flatten, next_help_heading = "Results")]
    results: RecordedFiles,
}

/// Files to be audited, and how.
#[derive(Debug)]
pub struct RecordedSetup {
    pub files: Vec<PathBuf>,
    pub columns: Columns,
    /// The terms, but for the number of targets.
    pub limit: u64,
    pub window: Nanos,
    /// The longest time of a request.
    pub timeout: Nanos,
    /// How far the clock of a machine may be off whose file does not say it.
    pub clock_error: Option<Nanos>,
    /// The units that a request counts if its key has no cost of its own.
    pub cost: u64,
    /// The keys of `--keys-file`.
    pub listed: Option<ListedKeys>,
    pub audit: AuditPlan,
    /// The files that results go to.
    pub outputs: Vec<Output>,
    /// The files that are read.
    pub inputs: Vec<Input>,
    /// When verdicts are coloured.
    pub color: ColorChoice,
}

/// Keys that may have a limit and a cost of their own.
#[derive(Debug)]
pub struct ListedKeys {
    pub keys: Keys,
    /// The line that refuses their file because no request has any of them.
    pub unused: Refusal,
}

impl RecordedSetup {
    /// Checks the rules that concern several options.
    ///
    /// # Errors
    /// The options contradict each other, or a file is given twice.
    pub(super) fn new(arguments: &Arguments<Recorded>) -> Result<RecordedSetup, Refusal> {
        let options = &arguments.options;
        options.check_files()?;
        let (allowed, blocked) = options.answers.rules(presets::ALL[0]);
        for (option, rules) in [("allowed", &allowed), ("blocked", &blocked)] {
            let flag = &arguments.name_of(option);
            if !rules.need_only_status() {
                let why = "must be statuses, because headers and bodies are not recorded";
                return Err(Refusal::wrong(flag, &rules.to_string(), why));
            }
        }
        let promise = options.judging.promise(Some(AUTO));
        if promise.is_none() && arguments.source("audit") == Some(ValueSource::CommandLine) {
            let why = "must be a promise, because the audit is all that this command does";
            return Err(Refusal::wrong("--audit", "off", why));
        }
        // A variable may be set for all runs, also to off.
        let promise = Some(promise.unwrap_or(AUTO));
        let promised = Promised::new(arguments, promise, &options.quota)?;
        let prior_use = if options.complete {
            PriorUse::None
        } else {
            PriorUse::Anyone
        };
        let clock_tolerance = options
            .judging
            .clock_tolerance(promised.shortest_window(), arguments)?;
        let outputs = options.results.outputs(arguments);
        Ok(RecordedSetup {
            files: options.files.clone(),
            columns: Columns {
                names: options.column_names(),
                answers: answers::Answers::new(&allowed, &blocked),
            },
            limit: promised.quota.limit,
            window: promised.quota.window,
            timeout: options.requests.timeout.into(),
            clock_error: options.clock_error.map(Nanos::from),
            cost: *options.cost,
            listed: options.listed(arguments)?,
            audit: AuditPlan {
                promises: promised.promises.unwrap_or_default(),
                asked: true,
                probe: false,
                prior_use,
                memory: *options.judging.audit_memory,
                clock_tolerance,
                excess_tolerance: *options.judging.excess_tolerance,
            },
            inputs: arguments.inputs(&outputs),
            outputs,
            color: options.color.color,
        })
    }

    /// The line that refuses a file.
    pub fn refuse(&self, error: &Unreadable) -> Refusal {
        refuse(&error.file, &error.to_string())
    }
}

fn refuse(file: &Path, why: &str) -> Refusal {
    Refusal::wrong("FILE", &file.to_string_lossy(), why)
}

impl Recorded {
    /// A file that is given twice would count twice.
    fn check_files(&self) -> Result<(), Refusal> {
        let places: Vec<_> = self.files.iter().map(fs::canonicalize).collect();
        for (number, file) in self.files.iter().enumerate() {
            let is_same = |other: &io::Result<PathBuf>| match (other, &places[number]) {
                (Ok(one), Ok(other)) => one == other,
                _ => false,
            };
            if places[..number].iter().any(is_same) {
                return Err(refuse(file, "must be given only once"));
            }
        }
        match self.files.get(MOST_FILES) {
            Some(file) => Err(refuse(
                file,
                &format!(
                    "must be one of at most {MOST_FILES} files; the files of several stripes can be joined to one, such as with cat"
                ),
            )),
            None => Ok(()),
        }
    }

    /// The keys of `--keys-file`.
    fn listed(&self, arguments: &Arguments<Recorded>) -> Result<Option<ListedKeys>, Refusal> {
        let Some(file) = &self.keys_file else {
            return Ok(None);
        };
        let list = list(arguments, file)?;
        let prefix = self.key_prefix.as_deref().unwrap_or_default();
        let allowed =
            "must have a key that was recorded; --key-prefix gives what stands before all of them";
        Ok(Some(ListedKeys {
            keys: Keys::listed(list.into(), prefix).with_cost(*self.cost),
            unused: arguments.refuse(file, allowed),
        }))
    }

    fn column_names(&self) -> ColumnNames {
        ColumnNames {
            time: self.time.clone(),
            done: self.done.clone(),
            took: self.took.clone(),
            key: self.key.clone(),
            one_key: self.one_key,
            target: self.target.clone(),
            status: self.status.clone(),
            verdict: self.verdict.clone(),
            time_unit: self.time_unit,
            took_unit: self.took_unit,
        }
    }
}

fn unit(text: &str) -> Result<Unit, String> {
    text.trim().parse().map_err(|_| {
        let units: Vec<_> = Unit::VARIANTS.iter().map(ToString::to_string).collect();
        format!("must be one of {}", units.join(", "))
    })
}
