//! Whom the requests are for.

use crate::cli::{Arguments, Options, Refusal};
use crate::core::keys::{KeyList, KeyListError, Keys, MAX_KEYS};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

pub(super) fn keys(arguments: &Arguments<Options>) -> Result<Keys, Refusal> {
    let Options {
        keys, generator, ..
    } = &arguments.options;
    let listed = arguments.prevails("keys_file", &["keys"])?;
    let file = keys.keys_file.as_ref().filter(|_| listed);
    let list = file.map(|file| {
        list(file).map_err(|why| {
            let form = format!("must be a file with 1 to {MAX_KEYS} different keys, one a line");
            arguments.refuse("keys_file", format!("{form}; {why}"))
        })
    });
    let made = match (list.transpose()?, keys.keys) {
        (Some(list), _) => Keys::listed(list.into(), keys.key_prefix.as_deref().unwrap_or("")),
        (None, 0) => Keys::fresh(keys.prefix()),
        (None, count) => Keys::generated(count, generator.seed, keys.prefix()),
    };
    match keys.key_distribution.suits(&made) {
        true => Ok(made),
        false => {
            let allowed = "must be uniform, unless there are at least 2 keys to choose from";
            Err(arguments.refuse("key_distribution", allowed))
        }
    }
}

fn list(file: &Path) -> Result<KeyList, KeyListError> {
    KeyList::read(BufReader::new(File::open(file)?))
}
