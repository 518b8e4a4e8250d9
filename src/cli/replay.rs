//! Recorded requests that are sent again.

use super::values::{boolean, file};
use super::{Arguments, Opt, Options, Refusal, opt};
use crate::core::keys::KeyList;
use crate::core::replay::{self, NoReplay, Speed};
use crate::recording::{self, ReplayFile, ReplayFormat};
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use ureq::http::HeaderName;

#[derive(Debug, Args)]
#[command(next_help_heading = "Replay")]
pub struct Replay {
    /// Send recorded requests at their recorded instants, instead of a rate: JSON lines or CSV with time, method, path,
    /// headers, body and key, or an access log. `-` reads standard input. Parts that a recorded request lacks
    /// come from the options of the run
    #[arg(long, env = "LOADGEN_REPLAY", hide_env_values = true, value_name = "FILE", value_parser = opt(file()),
          conflicts_with_all = ["rps", "burst_enabled", "burst_multiplier", "burst_duration", "burst_interval", "burst_align",
                                "profile", "arrivals"])]
    pub replay: Option<Opt<PathBuf>>,

    /// The format of the --replay file: jsonl, csv, combined, common, envoy, or nginx's log_format or Envoy's format as it stands in the
    /// server's configuration. By default, JSON lines and CSV are recognized
    #[arg(long, env = "LOADGEN_REPLAY_FORMAT", hide_env_values = true, value_name = "FORMAT", value_parser = opt(str::parse::<ReplayFormat>),
          allow_hyphen_values = true)]
    pub replay_format: Option<Opt<ReplayFormat>>,

    /// Where each recorded request has its key: a column, `header:NAME`, or a variable of the log's format such as
    /// $remote_addr. By default, the column key, if there is one. Results show the keys, so none should be a secret
    #[arg(long, env = "LOADGEN_REPLAY_KEY", hide_env_values = true, value_name = "NAME", value_parser = opt(key))]
    pub replay_key: Option<Opt<String>>,

    /// Send this many times as fast as recorded: 2x, or 0.5x for half as fast
    #[arg(long, env = "LOADGEN_SPEED", hide_env_values = true, value_name = "FACTOR", value_parser = opt(str::parse::<Speed>),
          default_value = "1x", allow_hyphen_values = true)]
    pub speed: Opt<Speed>,

    /// Begin again after the last recorded request, one mean gap later, until --duration, --count or a stop
    #[arg(long = "loop", id = "loop", env = "LOADGEN_LOOP", hide_env_values = true, value_name = "BOOL", value_parser = opt(boolean),
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub repeat: Opt<bool>,

    /// Skip and count lines that can't be read. Without this, loadgen refuses the file and names the first such line
    #[arg(long, env = "LOADGEN_SKIP_UNREADABLE", hide_env_values = true, value_name = "BOOL", value_parser = opt(boolean),
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub skip_unreadable: Opt<bool>,
}

/// A recording that was read.
pub(super) struct Read {
    pub replay: replay::Replay,
    /// The recorded keys, behind those of `--keys-file`; or only these, if nothing is recorded. `None` if there is none.
    pub keys: Option<KeyList>,
}

impl Replay {
    /// Reads the recording, without the headers that the run has itself. `listed` are the keys of `--keys-file`. `None` without
    /// `--replay`.
    pub(super) fn read(
        &self,
        arguments: &Arguments<Options>,
        dropped: Vec<HeaderName>,
        listed: impl FnOnce() -> Result<Option<KeyList>, Refusal>,
    ) -> Result<Option<Read>, Refusal> {
        let Some(path) = &self.replay else {
            self.refuse_needless(arguments)?;
            return Ok(None);
        };
        let file = ReplayFile {
            path: (**path).clone(),
            format: self.replay_format.as_deref().cloned(),
            key: self.replay_key.as_deref().cloned(),
            skips_unreadable: *self.skip_unreadable,
            speed: *self.speed,
            dropped,
        };
        let copied = recording::copy(&file, listed()?);
        let (requests, keys) = copied.map_err(|error| {
            arguments.refuse(
                path,
                format!("must be a file with recorded requests; {error}"),
            )
        })?;
        let replay = replay::Replay::new(Arc::new(requests), *self.speed, *self.repeat);
        let replay = replay.map_err(|why| match why {
            NoReplay::TooLong => arguments.refuse(&self.speed, format!("must be higher; {why}")),
            NoReplay::NoPeriod | NoReplay::TooDense => {
                arguments.refuse(&self.repeat, format!("can't repeat this recording; {why}"))
            }
        })?;
        Ok(Some(Read { replay, keys }))
    }

    /// Refuses flags that have no effect. Variables are not refused: they may be set for all runs.
    fn refuse_needless(&self, arguments: &Arguments<Options>) -> Result<(), Refusal> {
        const NEEDS: &str = "needs --replay";
        if let Some(format) = self
            .replay_format
            .as_ref()
            .filter(|format| arguments.is_flag(format))
        {
            return Err(arguments.refuse(format, NEEDS));
        }
        if let Some(key) = self
            .replay_key
            .as_ref()
            .filter(|key| arguments.is_flag(key))
        {
            return Err(arguments.refuse(key, NEEDS));
        }
        if arguments.is_flag(&self.speed) {
            return Err(arguments.refuse(&self.speed, NEEDS));
        }
        for option in [&self.repeat, &self.skip_unreadable] {
            if arguments.is_flag(option) && **option {
                return Err(arguments.refuse(option, NEEDS));
            }
        }
        Ok(())
    }
}

fn key(text: &str) -> Result<String, &'static str> {
    const FORM: &str = "must be the name of a column, header:NAME, or a variable of the format, such as $remote_addr";
    let text = text.trim();
    match text.strip_prefix("header:") {
        Some(name) if HeaderName::from_bytes(name.trim().as_bytes()).is_err() => Err(FORM),
        _ if text.is_empty() => Err(FORM),
        _ => Ok(text.to_owned()),
    }
}
