//! Recorded requests as CSV and as JSON lines: a file is audited, or refused at one of its lines. The result files that the
//! program makes of what it accepted are well formed.

use crate::cost::within;
use crate::mangling::{mangled, nasty, one_in};
use crate::refusals::check_line;
use loadgen::base::Nanos;
use loadgen::base::text::printable;
use loadgen::core::answers::Answers;
use loadgen::core::audit::Terms;
use loadgen::core::recorded::ColumnNames;
use loadgen::recording::{Columns, Recording};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Columns as another program might call them.
const NAMES: [(&str, &str); 5] = [
    ("time", "t"),
    ("took", "ms"),
    ("key", "k"),
    ("status", "code"),
    ("target", "node"),
];

fn columns() -> Columns {
    let name = |option: &str| {
        let named = NAMES.iter().find(|(named, _)| *named == option);
        named.map(|(_, column)| (*column).to_owned())
    };
    let rules = |text: &str| text.parse().expect("rules");
    Columns {
        names: ColumnNames {
            time: name("time"),
            took: name("took"),
            key: name("key"),
            status: name("status"),
            target: name("target"),
            ..ColumnNames::default()
        },
        answers: Answers::new(&rules("200"), &rules("429")),
    }
}

/// A request's time, duration, key, status and node, as they are written in CSV.
fn row() -> impl Strategy<Value = [String; 5]> {
    let time = prop_oneof![
        6 => (0_u64..2_000).prop_map(|tenths| format!("{}.{}", 1_767_225_600 + tenths / 10, tenths % 10)),
        2 => (0_u64..60, 0_u64..1_000).prop_map(|(s, ms)| format!("2026-01-01T00:00:{s:02}.{ms:03}Z")),
        1 => nasty(),
    ];
    let took = prop_oneof![6 => (0_u32..5_000).prop_map(|ms| ms.to_string()), 1 => nasty()];
    let key = prop_oneof![6 => "[abc]", 1 => nasty()];
    let code = prop_oneof![6 => select(&["200", "429", "503", "0", "-", ""][..]).prop_map(str::to_owned), 1 => nasty()];
    let node = prop_oneof![6 => select(&["n1", "n2"][..]).prop_map(str::to_owned), 1 => nasty()];
    (time, took, key, code, node)
        .prop_map(|(time, took, key, code, node)| [time, took, key, code, node])
}

/// Quotes a cell as RFC 4180 demands.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn csv(rows: &[[String; 5]]) -> String {
    let lines = rows
        .iter()
        .map(|row| row.each_ref().map(|text| cell(text)).join(",") + "\n");
    "t,ms,k,code,node\n".to_owned() + &lines.collect::<String>()
}

fn json_lines(rows: &[[String; 5]]) -> String {
    let value = |text: &String| match text.parse::<f64>() {
        Ok(number)
            if number.is_finite() && !text.starts_with(['+', '.', '0']) && !text.ends_with('.') =>
        {
            text.clone()
        }
        _ => serde_json::to_string(text).expect("a text"),
    };
    let line = |row: &[String; 5]| {
        let fields = NAMES.iter().map(|(_, column)| column);
        let order = [0, 1, 2, 3, 4].map(|place: usize| value(&row[place]));
        let fields: Vec<_> = fields
            .zip(order)
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}\n", fields.join(","))
    };
    rows.iter().map(line).collect()
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    let rows = vec(row(), 0..30).boxed();
    let csv = rows.clone().prop_map(|rows| csv(&rows)).boxed();
    let json = rows.prop_map(|rows| json_lines(&rows)).boxed();
    let text =
        prop_oneof![3 => csv.clone(), 3 => json.clone(), 3 => mangled(csv), 3 => mangled(json)];
    (
        text,
        prop_oneof![8 => Just(None), 1 => any::<u8>().prop_map(Some)],
        any::<prop::sample::Index>(),
    )
        .prop_map(|(text, byte, at)| {
            let mut bytes = text.into_bytes();
            if let (Some(byte), false) = (byte, bytes.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        })
}

/// Audits the file. The error is the line that refuses it.
fn audited(path: &Path) -> Result<(), String> {
    let columns = columns();
    // As the program shows it.
    let refused = |error: loadgen::recording::Unreadable| printable(&error.to_string());
    let paths = [path.to_owned()];
    let recording =
        Recording::survey(&paths, &columns, Some(Nanos::ZERO), 2 << 20).map_err(refused)?;
    let terms = Terms {
        memory: 2 << 20,
        ..Terms::of_all_promises(5, Nanos(1_000_000_000), recording.targets().len().max(1))
    };
    let reported = recording.audit(terms, &columns).map_err(refused)?;
    let share = reported.report.share;
    assert!((0.0..=1.0).contains(&share), "{share}");
    Ok(())
}

fn check_refusal(line: &str, file: &[u8]) {
    let input = String::from_utf8_lossy(file);
    check_line(line, &input);
    let number = line
        .split("line ")
        .nth(1)
        .and_then(|rest| rest.split([' ', ',', ':']).next());
    if let Some(number) = number.and_then(|number| number.parse::<usize>().ok()) {
        // A carriage return alone ends a line of CSV too.
        let lines = file.split(|byte| b"\r\n".contains(byte)).count();
        assert!((1..=lines).contains(&number), "{line} for {input:?}");
    }
}

proptest! {
    #![proptest_config(one_in(1))]

    #[test]
    fn a_file_is_audited_or_refused_at_a_line(file in file()) {
        let folder = TempDir::new()?;
        let path = folder.path().join("requests");
        fs::write(&path, &file)?;
        let input = String::from_utf8_lossy(&file).into_owned();
        if let Err(line) = within(3, 64, &input, || audited(&path)) {
            check_refusal(&line, &file);
        }
    }
}

proptest! {
    #![proptest_config(one_in(16))]

    #[test]
    fn the_program_makes_whole_results_or_refuses_in_one_line(file in file()) {
        let folder = TempDir::new()?;
        let path = folder.path().join("requests");
        fs::write(&path, &file)?;
        let [page, summary] = ["page.html", "summary.json"].map(|name| folder.path().join(name));
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        command.arg("audit").arg(&path).env_clear();
        for (option, column) in NAMES {
            command.args([format!("--{option}"), column.to_owned()]);
        }
        let output = command.arg("--report").arg(&page).arg("--summary-json").arg(&summary).output()?;
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
        match output.status.code() {
            Some(2) => {
                prop_assert_eq!(err.lines().count(), 1, "{}", err);
                check_refusal(err.trim_end(), &file);
            }
            Some(0 | 3 | 4) => {
                prop_assert_eq!(&err, "");
                prop_assert!(!out.replace('\n', "").contains(char::is_control), "{:?}", out);
                crate::saved_summaries::check_page(&fs::read_to_string(&page)?, &String::from_utf8_lossy(&file));
                serde_json::from_str::<serde_json::Value>(&fs::read_to_string(&summary)?)?;
            }
            code => prop_assert!(false, "{:?}: {}", code, err),
        }
    }
}
