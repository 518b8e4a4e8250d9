//! Addresses that requests went to, as small as a sample needs them.

use parking_lot::RwLock;
use std::collections::HashMap;
use std::num::NonZeroU16;
use std::sync::LazyLock;

/// The address of a node, such as `10.0.0.2:8000`, or the path of its Unix socket. A handle of a text that is stored once.
///
/// A process stores at most 65,534 different addresses. All further ones are [`Address::OTHER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(NonZeroU16);

/// The addresses so far, and the handle of each.
#[derive(Default)]
struct Known {
    texts: Vec<&'static str>,
    handles: HashMap<&'static str, Address>,
}

static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

impl Address {
    /// All addresses beyond those that are told apart.
    pub const OTHER: Address = Address(NonZeroU16::MAX);

    /// The most addresses of one target that are told apart.
    pub const MOST: usize = 64;

    pub fn new(text: &str) -> Address {
        if let Some(handle) = KNOWN.read().handles.get(text) {
            return *handle;
        }
        let mut known = KNOWN.write();
        let Known { texts, handles } = &mut *known;
        if let Some(handle) = handles.get(text) {
            return *handle;
        }
        let number = u16::try_from(texts.len() + 1).ok();
        let handle = number.and_then(NonZeroU16::new).map(Address);
        let Some(handle) = handle.filter(|handle| *handle != Address::OTHER) else {
            return Address::OTHER;
        };
        let text = &*String::leak(text.to_owned());
        texts.push(text);
        handles.insert(text, handle);
        handle
    }

    pub fn text(self) -> &'static str {
        let place = usize::from(self.0.get()) - 1;
        KNOWN
            .read()
            .texts
            .get(place)
            .copied()
            .unwrap_or("other addresses")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_handle() {
        let [one, other] = ["10.0.0.1:80", "10.0.0.2:80"].map(Address::new);
        assert_ne!(one, other);
        assert_eq!(Address::new("10.0.0.1:80"), one);
        assert_eq!((one.text(), other.text()), ("10.0.0.1:80", "10.0.0.2:80"));
        assert_eq!(Address::OTHER.text(), "other addresses");
        assert_eq!(size_of::<Option<Address>>(), 2);
    }
}
