//! The keys that requests carry.

use super::values::file;
use super::{Arguments, Opt, Options, Refusal, opt, replay};
use crate::base::text::whole;
use crate::core::keys::{self, DEFAULT_PREFIX, Distribution, KeyList, KeyListError, MAX_KEYS};
use clap::Args;
use clap::parser::ValueSource;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(next_help_heading = "Keys")]
pub struct Keys {
    /// How many distinct keys share the traffic. 0 makes a fresh key for every request
    #[arg(long, env = "LOADGEN_KEYS", hide_env_values = true, value_name = "N", value_parser = keys,
          default_value = "7", allow_hyphen_values = true)]
    pub keys: u32,

    /// How the keys share the traffic: `uniform`, in shuffled rounds; `zipf:S`, the key of rank k in
    /// proportion to 1/k^S; or `hot:SHARE`, where the first key gets this share, such as 0.9 or 90%
    #[arg(long, env = "LOADGEN_KEY_DISTRIBUTION", hide_env_values = true, value_name = "KIND", value_parser = opt(distribution),
          default_value = "uniform", allow_hyphen_values = true)]
    pub key_distribution: Opt<Distribution>,

    /// The beginning of every key, before 8 hex digits or a key of the file. By default, `loadgen-`
    /// before hex digits and nothing before the keys of a file
    #[arg(long, env = "LOADGEN_KEY_PREFIX", hide_env_values = true, value_name = "TEXT", value_parser = prefix,
          allow_hyphen_values = true)]
    pub key_prefix: Option<String>,

    /// A file of at most 1 GiB with the keys, one per line, in the order of their ranks, instead of random keys. Behind a tab, a
    /// line may have the key's own limit, `100/60s` or `unlimited`, and behind a tab its own --cost, `cost 5`
    #[arg(long, env = "LOADGEN_KEYS_FILE", hide_env_values = true, value_name = "FILE",
          value_parser = opt(file()), conflicts_with = "keys")]
    pub keys_file: Option<Opt<PathBuf>>,
}

impl Keys {
    /// The keys of the run: those of the file, or generated ones.
    /// `seed` is the seed of the generated ones' digits.
    pub(super) fn plan(
        &self,
        arguments: &Arguments<Options>,
        seed: u64,
        recorded: Option<&mut replay::Read>,
    ) -> Result<keys::Keys, Refusal> {
        let prefix = self.key_prefix.as_deref();
        let keys = if let Some(recorded) = recorded
            && let Some(list) = recorded.keys.take()
        {
            if recorded.replay.requests.have_keys() {
                self.refuse_beside_recorded_keys(arguments)?;
            }
            keys::Keys::listed(list.into(), prefix.unwrap_or(""))
        } else if let Some(file) = &self.keys_file {
            let list = list(arguments, file)?;
            keys::Keys::listed(list.into(), prefix.unwrap_or(""))
        } else {
            let prefix = prefix.unwrap_or(DEFAULT_PREFIX);
            match self.keys {
                0 => keys::Keys::fresh(prefix),
                count => keys::Keys::generated(count, seed, prefix),
            }
        };
        let keys = keys.with_cost(*arguments.options.requests.cost);
        if !self.key_distribution.suits(&keys) {
            let allowed = "must be uniform, unless there are at least 2 keys to choose from";
            return Err(arguments.refuse(&self.key_distribution, allowed));
        }
        Ok(keys)
    }
}

impl Keys {
    /// The keys of `--keys-file`. `None` without it.
    pub(super) fn listed(
        &self,
        arguments: &Arguments<Options>,
    ) -> Result<Option<KeyList>, Refusal> {
        let file = self.keys_file.as_ref();
        file.map(|file| list(arguments, file)).transpose()
    }

    /// Refuses flags that have no effect if each recorded request has a key. Variables may be set for all runs.
    fn refuse_beside_recorded_keys(&self, arguments: &Arguments<Options>) -> Result<(), Refusal> {
        const ALLOWED: &str = "must be left out, because each recorded request has its own key";
        if arguments.source("keys") == Some(ValueSource::CommandLine) {
            return Err(Refusal::wrong("--keys", &self.keys.to_string(), ALLOWED));
        }
        if arguments.is_flag(&self.key_distribution) {
            return Err(arguments.refuse(&self.key_distribution, ALLOWED));
        }
        Ok(())
    }
}

/// Reads the keys of a file, with their own limits and costs.
pub(super) fn list<O>(arguments: &Arguments<O>, file: &Opt<PathBuf>) -> Result<KeyList, Refusal> {
    let list = File::open(&**file)
        .map_err(KeyListError::from)
        .and_then(|file| KeyList::read(BufReader::new(file)));
    list.map_err(|why| {
        let form = format!("must be a file with 1 to {MAX_KEYS} different keys, one a line");
        arguments.refuse(file, format!("{form}; {why}"))
    })
}

fn keys(text: &str) -> Result<u32, String> {
    whole(text, 0..=MAX_KEYS)
}

fn distribution(text: &str) -> Result<Distribution, &'static str> {
    text.parse().map_err(|()| Distribution::FORM)
}

/// The longest prefix, in bytes. With the digits behind it, it is as long as the keys that limiters take.
const MAX_PREFIX: usize = 248;

pub(super) fn prefix(text: &str) -> Result<String, String> {
    let valid = text.len() <= MAX_PREFIX && !text.contains(char::is_control);
    valid
        .then(|| text.to_owned())
        .ok_or_else(|| format!("must be at most {MAX_PREFIX} bytes of text in one line"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_one_short_line() {
        for good in ["", "user:", "é \"x\"", &"x".repeat(248)] {
            assert!(prefix(good).is_ok(), "{good}");
        }
        for bad in ["a\nb", "\0", &"x".repeat(249)] {
            assert!(prefix(bad).is_err(), "{bad}");
        }
    }
}
