//! Files of keys: each is read, or refused at a line of it. Every key that was read can be sent.

use crate::cost::within;
use crate::mangling::{mangled, nasty, one_in};
use crate::refusals::check_line;
use loadgen::base::KeyId;
use loadgen::core::keys::{KeyList, Keys};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::HashSet;

fn line() -> impl Strategy<Value = String> {
    let tier = select(
        &[
            "",
            "",
            "\t100/60s",
            "\tunlimited",
            "\t5/1m\tcost 5",
            "\t\tcost 2",
            "\t1/1ms",
            "\t1000000000/3650d",
            "\t0/1s",
            "\t1/",
            "\tcost 5",
            "\t5/1s\tcost 0",
            "\t5/1s\tcost 18446744073709551615",
        ][..],
    );
    let end = select(&["\n", "\n", "\n", "\r\n", "\n\n", ""][..]);
    (prop_oneof![4 => "[a-z0-9]{1,12}", 1 => nasty()], tier, end)
        .prop_map(|(key, tier, end)| format!("{key}{tier}{end}"))
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    let lines = vec(line(), 0..20).prop_map(|lines| lines.concat()).boxed();
    prop_oneof![
        4 => lines.clone().prop_map(String::into_bytes),
        4 => mangled(lines).prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    #![proptest_config(one_in(1))]

    #[test]
    fn a_file_of_keys_is_read_or_refused_at_a_line(file in file()) {
        let input = String::from_utf8_lossy(&file).into_owned();
        let list = match within(3, 64, &input, || KeyList::read(&file[..])) {
            Ok(list) => list,
            Err(error) => {
                let line = error.to_string();
                check_line(&line, &input);
                let number = line.strip_prefix("line ").and_then(|rest| rest.split([' ', ',']).next());
                if let Some(number) = number {
                    let lines = file.split(|byte| *byte == b'\n').count();
                    let number: usize = number.parse().expect("a number");
                    prop_assert!((1..=lines).contains(&number), "{}", line);
                }
                return Ok(());
            }
        };
        let keys = Keys::listed(list.into(), "");
        let count = keys.count().expect("a number of keys");
        let names: Vec<_> = (0..count).map(|number| keys.name(KeyId(number))).collect();
        let unique: HashSet<_> = names.iter().collect();
        prop_assert_eq!(unique.len(), names.len());
        for name in &names {
            prop_assert!(!name.is_empty() && !name.contains(char::is_control), "{:?}", name);
            prop_assert!(name.len() <= KeyList::MAX_KEY);
        }
    }
}
