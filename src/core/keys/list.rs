use super::tier::{ListedTier, ListedTiers, MAX_TIERS, TierError, split_line};
use foldhash::quality::FixedState;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, Read};

/// Keys as they are listed in a text, one per line. Each takes 4 bytes of memory beside its own, and 2 more if any key
/// has a limit or a cost of its own.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeyList {
    /// All keys, one behind the other.
    text: String,
    /// The end of each key in `text`, in bytes.
    ends: Vec<u32>,
    /// The length of the longest key, in bytes.
    longest: usize,
    tiers: ListedTiers,
}

/// The reason why a list of keys is refused. Lines are counted from 1.
#[derive(Debug, thiserror::Error)]
pub enum KeyListError {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error("it has no keys")]
    Empty,
    #[error("line {line} is not UTF-8")]
    NotUtf8 { line: usize },
    #[error("line {line} has more than {} bytes", KeyList::MAX_KEY)]
    TooLong { line: usize },
    #[error("line {line} has a control character")]
    ControlCharacter { line: usize },
    #[error("line {line}, column {column}: {allowed}")]
    WrongTier {
        line: usize,
        /// In characters, from 1.
        column: usize,
        allowed: String,
    },
    #[error("line {line} has one more than {MAX_TIERS} different limits and costs")]
    TooManyTiers { line: usize },
    #[error("line {line} repeats line {first}")]
    Repeated { line: usize, first: usize },
    #[error("it has more than {} keys", super::MAX_KEYS)]
    TooMany,
    #[error("it is larger than {} bytes", KeyList::MAX_TEXT)]
    TooLarge,
}

impl KeyList {
    /// The longest key, in bytes.
    pub const MAX_KEY: usize = 1_024;
    /// The longest line including blanks around the key, in bytes.
    const MAX_LINE: usize = 4 * Self::MAX_KEY;
    /// The longest text, in bytes.
    pub const MAX_TEXT: u64 = 1 << 30;

    /// Reads one key per line. Blanks around a key and blank lines are ignored. Behind a tab, a line may have the key's
    /// own limit (`100/60s` or `unlimited`), and behind a tab, what each of its requests counts (`cost 5`).
    ///
    /// # Errors
    /// The text can't be read, is too long, has no keys or more than [`MAX_KEYS`](super::MAX_KEYS), or has a key that is
    /// repeated, too long, not UTF-8 or has a control character. A limit or a cost is wrong.
    pub fn read(text: impl BufRead) -> Result<KeyList, KeyListError> {
        Self::read_up_to(Self::MAX_TEXT, text)
    }

    fn read_up_to(most: u64, text: impl BufRead) -> Result<KeyList, KeyListError> {
        let mut text = text.take(most + 1);
        let mut list = KeyList::default();
        let (mut lines, mut read) = (Vec::new(), Vec::new());
        let mut known_tiers = HashMap::new();
        for line in 1.. {
            read.clear();
            let within = Self::MAX_LINE as u64;
            if text.by_ref().take(within).read_until(b'\n', &mut read)? == 0 {
                break;
            }
            if read.len() == Self::MAX_LINE {
                return Err(KeyListError::TooLong { line });
            }
            let read = std::str::from_utf8(&read).map_err(|_| KeyListError::NotUtf8 { line })?;
            // Some editors begin a file with a byte order mark.
            let read = read
                .strip_prefix('\u{feff}')
                .filter(|_| line == 1)
                .unwrap_or(read);
            let split =
                split_line(read).map_err(|TierError { column, allowed }| KeyListError::WrongTier {
                    line,
                    column,
                    allowed,
                });
            let (key, tier) = split?;
            if !key.is_empty() {
                list.push(key, line)?;
                let is_added = list.tiers.push(tier, &mut known_tiers, lines.len());
                is_added.map_err(|_| KeyListError::TooManyTiers { line })?;
                lines.push(line as u32);
            }
        }
        if text.limit() == 0 {
            return Err(KeyListError::TooLarge);
        }
        if list.ends.is_empty() {
            return Err(KeyListError::Empty);
        }
        list.text.shrink_to_fit();
        list.ends.shrink_to_fit();
        list.tiers.shrink_to_fit();
        match list.first_repeated() {
            None => Ok(list),
            Some((first, again)) => Err(KeyListError::Repeated {
                line: lines[again] as usize,
                first: lines[first] as usize,
            }),
        }
    }

    fn push(&mut self, key: &str, line: usize) -> Result<(), KeyListError> {
        if key.len() > Self::MAX_KEY {
            return Err(KeyListError::TooLong { line });
        }
        if key.chars().any(char::is_control) {
            return Err(KeyListError::ControlCharacter { line });
        }
        if self.ends.len() == super::MAX_KEYS as usize {
            return Err(KeyListError::TooMany);
        }
        self.longest = self.longest.max(key.len());
        self.text.push_str(key);
        self.ends.push(self.text.len() as u32);
        Ok(())
    }

    /// The limit and the cost of the key at a place, counted from 0.
    pub(super) fn tier(&self, place: usize) -> ListedTier {
        self.tiers.of(place)
    }

    /// The different limits and costs; none if no key has one of its own.
    pub(super) fn tiers(&self) -> &[ListedTier] {
        self.tiers.different()
    }

    /// The place in [`tiers`](Self::tiers) for each key; none if no key has one of its own.
    pub(super) fn tier_places(&self) -> &[u16] {
        self.tiers.places()
    }

    /// The places of the first key that repeats an earlier one, and of that one before it, if any key is repeated.
    fn first_repeated(&self) -> Option<(usize, usize)> {
        let hash = RandomState::new();
        let key = |place: u32| self.key(place as usize);
        let mut hashes: Vec<_> = (0..self.len() as u32)
            .map(|place| (hash.hash_one(key(place)) as u32, place))
            .collect();
        // Most keys differ in their hashes, which are faster to compare than text that is scattered over memory.
        hashes.sort_unstable_by(|(hash, place), (other_hash, other)| {
            let by_hash = hash.cmp(other_hash);
            by_hash.then_with(|| (key(*place), place).cmp(&(key(*other), other)))
        });
        let alike =
            |pair: &&[(u32, u32)]| pair[0].0 == pair[1].0 && key(pair[0].1) == key(pair[1].1);
        let repeated = hashes.windows(2).filter(alike);
        let places = repeated.map(|pair| (pair[0].1 as usize, pair[1].1 as usize));
        places.min_by_key(|(_, again)| *again)
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Always false, since a list has keys.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The key at a place, counted from 0.
    pub fn key(&self, place: usize) -> &str {
        let start = match place {
            0 => 0,
            place => self.ends[place - 1] as usize,
        };
        &self.text[start..self.ends[place] as usize]
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// See [`Keys::list_digest`](super::Keys::list_digest).
    pub(super) fn digest(&self) -> u64 {
        FixedState::default().hash_one((&self.text, &self.ends, &self.tiers))
    }

    pub fn longest(&self) -> usize {
        self.longest
    }
}

/// Numbers keys in the order in which they come, behind those of a list. Each takes its own length and about 100 bytes of
/// memory.
#[derive(Debug, Default)]
pub struct KeyNumbers {
    list: KeyList,
    places: HashMap<Box<str>, u32>,
    tiers: HashMap<ListedTier, u16>,
}

impl KeyNumbers {
    /// The keys of the list, which keep their limits and costs, have the first numbers.
    pub fn behind(list: KeyList) -> KeyNumbers {
        let places = (0..list.len()).map(|place| (list.key(place).into(), place as u32));
        KeyNumbers {
            places: places.collect(),
            // Keys without a limit or a cost of their own come first.
            tiers: HashMap::from([(ListedTier::default(), 0)]),
            list,
        }
    }

    /// The place of a key in the list, which is its last if it is new.
    ///
    /// # Errors
    /// The key can't be listed, or there are too many. The error is the end of a sentence that begins with the line.
    pub fn number(&mut self, key: &str) -> Result<u32, &'static str> {
        if let Some(place) = self.places.get(key) {
            return Ok(*place);
        }
        let place = self.list.len() as u32;
        self.list.push(key, 0).map_err(|error| match error {
            KeyListError::TooLong { .. } => "its key has more than 1024 bytes",
            KeyListError::ControlCharacter { .. } => "its key has a control character",
            _ => "it has one more key than the 10000000 that a run may have",
        })?;
        if self.list.text.len() as u64 > KeyList::MAX_TEXT {
            return Err("its key is one more than 1 GiB of keys");
        }
        // A list in which any key has a limit or a cost of its own has a place for that of each key.
        if !self.list.tiers.different().is_empty() {
            let plain =
                self.list
                    .tiers
                    .push(ListedTier::default(), &mut self.tiers, place as usize);
            plain.map_err(|_| "it has too many different limits")?;
        }
        self.places.insert(key.into(), place);
        Ok(place)
    }

    /// The list of all keys. `None` if there is none.
    pub fn into_list(self) -> Option<KeyList> {
        Some(self.list).filter(|list| !list.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::keys::Allowance;
    use proptest::prelude::*;

    fn keys(text: &str) -> Result<Vec<String>, KeyListError> {
        let list = KeyList::read(text.as_bytes())?;
        let keys = (0..list.len()).map(|place| list.key(place).to_owned());
        Ok(keys.collect())
    }

    #[test]
    fn keys_are_the_lines_without_blanks_around_them() {
        for text in [
            "a\nb c\né",
            "a\nb c\né\n",
            "a\r\nb c\r\né\r\n",
            "\u{feff}a\nb c\né",
            "\n a\n\n\tb c \n\u{2003}é\n \n",
        ] {
            assert_eq!(keys(text).unwrap(), ["a", "b c", "é"], "{text:?}");
        }
    }

    #[test]
    fn a_bad_list_is_refused_with_the_line() {
        let long = "k".repeat(1_025);
        for (text, error) in [
            ("", "it has no keys"),
            (" \n\r\n", "it has no keys"),
            ("\u{feff}\n", "it has no keys"),
            (&*format!("a\n{long}"), "line 2 has more than 1024 bytes"),
            (&*" ".repeat(10_000), "line 1 has more than 1024 bytes"),
            ("a\n\nb\0c", "line 3 has a control character"),
            ("a\nb\nb\na", "line 3 repeats line 2"),
            ("\n\nx\n\ny\n\n x\n", "line 7 repeats line 3"),
        ] {
            assert_eq!(keys(text).unwrap_err().to_string(), error, "{text:?}");
        }
        assert_eq!(keys(&long[1..]).unwrap(), [&long[1..]]);
        let error = KeyList::read(&b"a\n\xff"[..]).unwrap_err();
        assert_eq!(error.to_string(), "line 2 is not UTF-8");
        let endless = KeyList::read(io::BufReader::new(io::repeat(0))).unwrap_err();
        assert!(matches!(endless, KeyListError::TooLong { line: 1 }));
        assert!(KeyList::read_up_to(4, &b"a\nb\n"[..]).is_ok());
        for more in ["a\nb\n\n", "a\nb\nc", "a\nbcd"] {
            let error = KeyList::read_up_to(4, more.as_bytes()).unwrap_err();
            assert!(matches!(error, KeyListError::TooLarge), "{error}");
        }
    }

    #[test]
    fn keys_have_the_limits_and_costs_of_their_lines_or_none() {
        let read = |text: &str| KeyList::read(text.as_bytes());
        let list = read("a\nb\tunlimited\n\nc\td\n").unwrap_err();
        let form = "line 4, column 3: must be a limit such as 100/60s, unlimited, or a cost such as cost 5";
        assert_eq!(list.to_string(), form);

        let list = read("a\nb\tunlimited\n\nc\nd\tcost 3\ne\tunlimited").unwrap();
        let unlimited = ListedTier {
            allowance: Allowance::Unlimited,
            cost: None,
        };
        let costly = ListedTier {
            cost: Some(3),
            ..ListedTier::default()
        };
        let plain = ListedTier::default();
        let tiers: Vec<_> = (0..list.len()).map(|place| list.tier(place)).collect();
        assert_eq!(tiers, [plain, unlimited, plain, costly, unlimited]);
        assert_eq!(list.tiers(), [plain, unlimited, costly]);

        let list = read("a\nb\n").unwrap();
        assert_eq!((list.tier(1), list.tiers().len()), (plain, 0));
    }

    #[test]
    fn a_list_has_at_most_65535_different_limits_and_costs() {
        let lines = |count: usize| -> String {
            let lines = (1..=count).map(|limit| format!("k{limit}\t{limit}/1s\n"));
            lines.chain(["again\t1/1s\n".to_owned()]).collect()
        };
        let most = KeyList::read(lines(65_535).as_bytes()).unwrap();
        assert_eq!(most.tier(65_535), most.tier(0));
        let error = KeyList::read(lines(65_536).as_bytes()).unwrap_err();
        assert!(
            matches!(error, KeyListError::TooManyTiers { line: 65_536 }),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn a_list_has_the_keys_of_its_lines(lines in prop::collection::vec("[ab ]{0,3}\r?", 0..6)) {
            let trimmed: Vec<_> = lines.iter().map(|line| line.trim()).collect();
            let given = |line: &&&str| !line.is_empty();
            let expected: Vec<_> = trimmed.iter().filter(given).copied().collect();
            let repeated = (0..trimmed.len()).find_map(|line| {
                let first = trimmed[..line].iter().position(|other| *other == trimmed[line])?;
                (!trimmed[line].is_empty()).then_some((line + 1, first + 1))
            });
            match keys(&lines.join("\n")) {
                Ok(keys) => prop_assert!(keys == expected && repeated.is_none()),
                Err(KeyListError::Empty) => prop_assert!(expected.is_empty()),
                Err(KeyListError::Repeated { line, first }) => prop_assert_eq!(repeated, Some((line, first))),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
