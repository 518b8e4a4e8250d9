//! Whom the requests are for.

use crate::cli::{Arguments, Options, Refusal};
use crate::keys::Keys;

pub(super) fn keys(arguments: &Arguments<Options>) -> Result<Keys, Refusal> {
    let Options {
        keys, generator, ..
    } = &arguments.options;
    let listed = arguments.prevails("keys_file", &["keys"])?;
    let list = keys.keys_file.as_ref().filter(|_| listed);
    let made = match (list, keys.keys) {
        (Some(list), _) => Keys::listed(list.clone(), keys.key_prefix.as_deref().unwrap_or("")),
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
