use super::{Columns, Recording};
use crate::base::Nanos;
use crate::core::answers::Answers;
use crate::core::audit::{AuditReport, AuditVerdict, Promise, Quota, Terms};
use crate::core::recorded::ColumnNames;
use proptest::prelude::*;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const OWN: &str = "sequence,key,target,due_ns,sent_ns,done_ns,latency_ns,service_time_ns,outcome,failure,\
                   sent_unix_ns,abandoned_ns\n";

fn columns(names: ColumnNames) -> Columns {
    let rules = |text: &str| text.parse().unwrap();
    Columns {
        names,
        answers: Answers::new(&rules("200"), &rules("429")),
    }
}

/// Columns as another program might call them.
fn named() -> Columns {
    let name = |name: &str| Some(name.to_owned());
    columns(ColumnNames {
        time: name("t"),
        took: name("ms"),
        key: name("k"),
        status: name("code"),
        ..ColumnNames::default()
    })
}

/// The verdict on these files, and the share of the keys that was audited; or why there is none.
fn audited(
    files: &[&[u8]],
    columns: &Columns,
    memory: usize,
) -> Result<(AuditVerdict, f64), String> {
    let place = TempDir::new().unwrap();
    let paths: Vec<PathBuf> = (0..files.len())
        .map(|n| place.path().join(n.to_string()))
        .collect();
    for (path, content) in paths.iter().zip(files) {
        fs::write(path, content).unwrap();
    }
    let recording = Recording::survey(&paths, columns, Some(Nanos::ZERO), memory / 2);
    let recording = recording.map_err(|error| error.to_string())?;
    let targets = recording.targets().len().max(1);
    let terms = Terms {
        memory: memory / 2,
        ..Terms::of_all_promises(5, Nanos(1_000_000_000), targets)
    };
    let reported = recording
        .audit(terms, columns)
        .map_err(|error| error.to_string())?;
    Ok((reported.report.verdict(true), reported.report.share))
}

/// Rows of loadgen's own, one each ten milliseconds. The key of each is `key` of its number.
fn own_rows(
    count: u64,
    key: impl Fn(u64) -> String,
    outcome: impl Fn(u64) -> &'static str,
) -> String {
    let row = |number: u64| {
        let (sent, key, outcome) = (number * 10_000_000, key(number), outcome(number));
        let (done, unix) = (sent + 1_000, sent + 1_767_225_600_000_000_000);
        format!("{number},{key},http://a,{sent},{sent},{done},1000,1000,{outcome},,{unix},\n")
    };
    OWN.to_owned() + &(0..count).map(row).collect::<String>()
}

#[test]
fn a_run_that_is_read_twice_is_refused() {
    let rows = own_rows(10, |_| "a".to_owned(), |_| "allowed");
    let again = rows.clone() + rows.strip_prefix(OWN).unwrap();
    for files in [&[again.as_bytes()][..], &[rows.as_bytes(), rows.as_bytes()]] {
        let refused = audited(files, &columns(ColumnNames::default()), 1 << 20).unwrap_err();
        assert!(refused.contains("give each run only once"), "{refused}");
    }
    let audited = audited(
        &[rows.as_bytes()],
        &columns(ColumnNames::default()),
        1 << 20,
    );
    assert!(audited.is_ok(), "{audited:?}");
}

#[test]
fn a_file_that_was_cut_off_in_its_last_row_says_so() {
    let rows = own_rows(10, |_| "a".to_owned(), |_| "allowed");
    let json =
        "{\"sent_ns\": 1, \"done_ns\": 2, \"outcome\": \"allowed\", \"key\": \"a\"}\n".repeat(3);
    let cut = "the file ends in the middle of this row, as a copy does that was cut off";
    let cut_off = |text: &str| text[..text.len() - 20].to_owned();
    for (text, line) in [
        (cut_off(&rows), format!("line 11: {cut}")),
        (cut_off(&json), format!("line 3: {cut}")),
        // Somebody ended the line.
        (
            cut_off(&rows) + "\n",
            "fields, and the first row has".to_owned(),
        ),
    ] {
        let columns = columns(ColumnNames::default());
        let refused = audited(&[text.as_bytes()], &columns, 1 << 20).unwrap_err();
        assert!(refused.contains(&line), "{refused}");
    }
}

#[test]
fn rows_far_out_of_order_are_audited_as_in_order() {
    let outcome = |number: u64| {
        if number % 200 < 12 {
            "allowed"
        } else {
            "blocked"
        }
    };
    let text = own_rows(20_000, |number| format!("k{}", number % 2), outcome);
    let rows: Vec<_> = text.lines().skip(1).collect();
    let mut rotated = rows.clone();
    rotated.rotate_left(7_000);
    let reversed: Vec<_> = rows.iter().rev().copied().collect();
    for rows in [rows, rotated, reversed] {
        let text = OWN.to_owned() + &rows.join("\n");
        let verdict = audited(
            &[text.as_bytes()],
            &columns(ColumnNames::default()),
            64 << 20,
        );
        assert_eq!(verdict, Ok((AuditVerdict::Broken, 1.0)));
    }
}

#[test]
fn a_sample_of_the_keys_is_audited_if_their_names_need_too_much_memory() {
    let text = own_rows(50_000, |number| format!("key-{number}"), |_| "allowed");
    let (verdict, share) = audited(
        &[text.as_bytes()],
        &columns(ColumnNames::default()),
        1 << 20,
    )
    .unwrap();
    assert_eq!(verdict, AuditVerdict::Inconclusive);
    assert!((0.01..0.5).contains(&share), "{share}");
}

/// How far the clock of a file's machine is taken to be off, in nanoseconds, if its rows have these cells of `clock_error_ns`
/// and the user gave `given`. The stripe of each row is that of its cell.
fn error(of_own: bool, cells: &[(&str, &str)], given: Option<u64>) -> Result<Option<u64>, String> {
    let mut text = format!("{},stripe,clock_error_ns\n", OWN.trim_end());
    let mut columns = columns(ColumnNames::default());
    if !of_own {
        text = "sent_ns,done_ns,key,outcome,clock_error_ns\n".to_owned();
        columns.names.key = Some("key".to_owned());
    }
    for ((stripe, error), number) in cells.iter().zip(0..) {
        let instant = 1_000 * number;
        text += &match of_own {
            true => format!(
                "{number},k,http://a,{instant},{instant},{instant},0,0,allowed,,{},,{stripe},{error}\n",
                1_767_225_600_000_000_000_u64 + instant
            ),
            false => format!("{instant},{instant},k,allowed,{error}\n"),
        };
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let paths = [file.path().to_owned()];
    let recording = Recording::survey(&paths, &columns, given.map(Nanos), 1 << 20);
    let recording = recording.map_err(|error| error.to_string())?;
    let error = recording.clock_errors().next().flatten();
    Ok(error.map(|error| error.0))
}

#[test]
fn the_error_of_a_joined_file_is_the_greatest_of_what_its_rows_say_and_what_is_given_for_the_others()
 {
    let known = [("0/2", "50"), ("1/2", "7")];
    let unknown = [("0/2", "50"), ("1/2", ""), ("0/2", "3")];
    for (cells, given, greatest) in [
        (&known[..], None, Some(50)),
        (&known, Some(90), Some(50)),
        (&unknown, Some(1), Some(50)),
        (&unknown, Some(90), Some(90)),
        (&[("0/2", ""), ("1/2", "")], Some(9), Some(9)),
        // One clock gave all instants.
        (&[("", "50"), ("", "")], None, None),
    ] {
        assert_eq!(error(true, cells, given), Ok(greatest), "{cells:?}");
    }
    let refused = error(true, &unknown, None).unwrap_err();
    assert!(refused.contains("must say in clock_error_ns"), "{refused}");
}

#[test]
fn a_row_that_repeats_the_names_is_passed_over() {
    let first = own_rows(10, |_| "a".to_owned(), |_| "allowed");
    let whole = own_rows(20, |_| "a".to_owned(), |_| "allowed");
    let rest = whole.strip_prefix(first.as_str()).unwrap();
    let audited = |text: &str| {
        let columns = columns(ColumnNames::default());
        audited(&[text.as_bytes()], &columns, 1 << 20)
    };
    assert!(audited(&whole).is_ok());
    for joint in [OWN.to_owned(), format!("\u{feff}{OWN}"), OWN.repeat(2)] {
        let joined = format!("{first}{joint}{rest}{OWN}");
        assert_eq!(audited(&joined), audited(&whole), "{joint:?}");
    }
    let other = OWN.replace("sequence", "number");
    let refused = audited(&format!("{first}{other}{rest}")).unwrap_err();
    assert!(refused.contains("line 12"), "{refused}");
}

#[test]
fn the_log_of_another_program_is_widened_by_the_errors_that_it_says() {
    let cells = [("", "50"), ("", "7")];
    assert_eq!(error(false, &cells, None), Ok(Some(50)));
    let unknown = [("", "50"), ("", "")];
    assert_eq!(error(false, &unknown, Some(80)), Ok(Some(80)));
    let refused = error(false, &unknown, None).unwrap_err();
    assert!(refused.contains("must say in clock_error_ns"), "{refused}");
    assert_eq!(error(false, &[("", ""), ("", "")], None), Ok(None));
}

/// The audit of a file of `--requests` with these rows, whose targets are the cells of `target`. The rows end with the
/// cells of `address`, which is the last column. Also returns the targets' names.
fn audited_nodes(
    outcome: impl Fn(u64) -> &'static str,
    target: impl Fn(u64) -> &'static str,
    address: impl Fn(u64) -> &'static str,
) -> (AuditReport, Vec<String>) {
    let text = own_rows(40, |_| "k".to_owned(), outcome);
    let rows = text.lines().skip(1).zip(0..).map(|(row, number)| {
        let row = row.replace("http://a", target(number));
        format!("{row},{}\n", address(number))
    });
    let text = format!("{},address\n", OWN.trim_end()) + &rows.collect::<String>();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let columns = columns(ColumnNames::default());
    let paths = [file.path().to_owned()];
    let recording = Recording::survey(&paths, &columns, None, 1 << 20).unwrap();
    let targets = recording.targets();
    let quota = Quota::new(5, Nanos(1_000_000_000));
    let terms = Terms {
        promises: Promise::alternatives("sliding-window", quota).unwrap(),
        ..Terms::of_all_promises(quota.limit, quota.window, targets.len())
    };
    let reported = recording.audit(terms, &columns).unwrap();
    let by_node = reported.nodes.iter().map(|counts| counts.recorded);
    assert_eq!(by_node.sum::<u64>(), 40);
    (reported.report, targets)
}

#[test]
fn addresses_are_nodes_of_their_targets_in_files_that_have_them() {
    let nodes = |target, address: fn(u64) -> &'static str| {
        let (report, targets) = audited_nodes(|_| "allowed", target, address);
        assert_eq!(report.terms.targets, targets.len());
        report.nodes.names(&targets)
    };
    let in_turn: fn(u64) -> &'static str = |number| match number % 4 {
        0 => "10.0.0.1:80",
        1 => "",
        _ => "10.0.0.2:80",
    };
    let one: fn(u64) -> &'static str = |_| "http://a";
    let expected = ["http://a (10.0.0.1:80)", "http://a (10.0.0.2:80)"];
    assert_eq!(nodes(one, in_turn), expected);
    assert_eq!(nodes(one, |_| "10.0.0.1:80"), ["http://a"]);
    let two: fn(u64) -> &'static str = |number| ["http://b", "http://c"][number as usize % 2];
    let expected = [
        "http://b (10.0.0.1:80)",
        "http://c",
        "http://b (10.0.0.2:80)",
    ];
    assert_eq!(nodes(two, in_turn), expected);
}

#[test]
fn addresses_that_may_share_a_node_are_not_said_to_count_alone() {
    let first_ten = |number| if number < 10 { "allowed" } else { "blocked" };
    let names = |target: fn(u64) -> &'static str, address: fn(u64) -> &'static str| {
        let (report, targets) = audited_nodes(first_ten, target, address);
        assert_eq!(report.verdict(true), AuditVerdict::Broken);
        let causes = report.causes(None, &targets).into_iter();
        causes.map(|cause| cause.name).collect::<Vec<_>>()
    };
    let alone = "each node counts alone";
    let targets = names(
        |number| ["http://b", "http://c"][number as usize % 2],
        |_| "",
    );
    assert!(targets.contains(&alone), "{targets:?}");
    // With one key, addresses that are used in turn reach the limit at once even if they share it.
    let addresses = names(
        |_| "http://b",
        |number| ["10.0.0.1:80", "10.0.0.2:80"][number as usize % 2],
    );
    assert!(!addresses.contains(&alone), "{addresses:?}");
}

/// Texts that are almost CSV or JSON lines of a log.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("t,ms,k,code\n".to_owned()),
        Just(OWN.to_owned()),
        "[0-9]{1,3}(\\.[0-9]{1,9})?,[0-9]{1,3},[ab]?,(200|429|503|0|-)\n",
        "[-0-9eE.]{0,25},[-0-9eE.]{0,25},[a-c\"]?,[0-9]{0,4}\r?\n",
        "\\{\"t\":[0-9]{1,5},\"ms\":[0-9]{1,3},\"k\":\"[ab]\",\"code\":(200|429)\\}\n",
        "\\{\"t\":\"?[-0-9eE.]{0,9}\"?,\"ms\":[0-9.]{0,9},\"k\":(null|\"\\\\u0061\"|\\{\\}),\"code\":[0-9]{0,4}\\}?\n",
        "[0-9]{1,20},a,b,[0-9]{1,20},[0-9]{1,20},[0-9]{0,20},,[0-9]{0,3},(allowed|blocked|failed|abandoned),(panic|reset)?,[0-9]{1,20},[0-9]{0,20}\n",
        ".{0,40}\n",
    ];
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat().into_bytes()),
    ]
}

proptest! {
    #[test]
    fn every_file_is_audited_or_refused(files in prop::collection::vec(mangled(), 1..3)) {
        let files: Vec<_> = files.iter().map(Vec::as_slice).collect();
        for columns in [named(), columns(ColumnNames::default())] {
            if let Err(why) = audited(&files, &columns, 2 << 20) {
                prop_assert!(!why.is_empty());
            }
        }
    }
}
