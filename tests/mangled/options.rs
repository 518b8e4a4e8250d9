//! Options of every subcommand, as flags and as variables: a command line is accepted, or refused in one line that names an
//! option. The plan of every accepted run can be computed and printed with bounded work.
//!
//! The options are those of the help, so that a new option is tried without a change here.

use crate::cost::within;
use crate::mangling::{either, nasty, one_in};
use crate::refusals::check_line;
use loadgen::cli::{Command, Refusal};
use loadgen::report::timetable;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Valid values by option, for those whose default in the help is not enough.
const VALUES: &[(&str, &[&str])] = &[
    (
        "targets",
        &[
            "http://a",
            "http://127.0.0.1:1,http://[::1]:2/x",
            "https://a.test",
            "unix:/run/x.sock:/b",
            "http://a/x?y={key},http://b",
            "http://u:p@h",
        ],
    ),
    ("rps", &["0.5", "1000000", "0.000001", "10"]),
    ("duration", &["0", "90s", "1h30m", "3650d", "0.001"]),
    ("count", &["1", "100", "1000000000000000"]),
    ("burst-multiplier", &["1", "1000", "0.5", "2.5"]),
    ("burst-duration", &["1ms", "5s", "3650d"]),
    ("burst-interval", &["1ms", "30s", "3650d"]),
    (
        "profile",
        &[
            "50/s for 30s, repeat",
            "ramp 0/s to 1000000/s over 3650d",
            "sine 100/s ± 100/s every 1ms for 3650d",
            "burst 1000000000 at once",
            "burst 1 at once, pause 1ms, repeat",
            "1/s for 1ms, repeat 1000000000 times",
            "0.000001/s",
        ],
    ),
    ("arrivals", &["uniform", "poisson"]),
    (
        "preset",
        &[
            "envoy",
            "kong",
            "nginx",
            "gubernator",
            "limitador",
            "throttlecrab",
            "http",
        ],
    ),
    ("method", &["get", "PUT", "M-X"]),
    (
        "path",
        &[
            "/",
            "/{key}?n={seq}",
            "/x/{uuid}/{target}/{now_ms}/{window_ms}",
        ],
    ),
    (
        "header",
        &["X-A: {key}", "Host: a", "Content-Type:", "a: b\nc: d"],
    ),
    (
        "body",
        &["", "{{\"k\":\"{key}\"}", "x", "{limit} {cost} {window_s}"],
    ),
    ("limit", &["1", "1000000000", "100"]),
    ("window", &["1ms", "60s", "3650d", "1500ms"]),
    ("cost", &["1", "5", "1000000000"]),
    ("keys", &["0", "1", "2", "1000000", "4294967295"]),
    (
        "key-distribution",
        &[
            "uniform",
            "zipf:1",
            "zipf:1.1",
            "zipf:10",
            "zipf:0.0001",
            "hot:90%",
            "hot:0.000001",
        ],
    ),
    ("key-prefix", &["", "k-", "é"]),
    (
        "audit",
        &[
            "auto",
            "off",
            "sliding-window",
            "token-bucket 10/s burst 5",
            "fixed-window 100/60s by clock",
        ],
    ),
    ("audit-memory", &["64MiB", "1GiB", "1MiB"]),
    ("clock-tolerance", &["0", "1ms", "30s"]),
    ("excess-tolerance", &["5%", "0.05", "0", "1"]),
    (
        "threshold",
        &[
            "latency.p99 < 50ms",
            "failed.rate < 0.1%",
            "audit = kept",
            "target[1].latency.p99 < 20ms",
        ],
    ),
    (
        "allowed",
        &[
            "200-299",
            "200 and header x = y",
            "json /a = 2",
            "body matches /a+/",
        ],
    ),
    ("blocked", &["429", "503 and body contains no"]),
    ("demo-limiter", &["racy", "per-node", "fixed-window"]),
    ("connect-to", &["a:80=127.0.0.1:1"]),
    ("sni", &["a.test"]),
    ("source-address", &["127.0.0.1", "127.0.0.1,::1"]),
    ("workers", &["1", "100", "10000"]),
    ("queue", &["1", "1000", "1000000"]),
    ("timeout", &["1ms", "1h"]),
    ("seed", &["0", "18446744073709551615"]),
    ("metrics-addr", &["127.0.0.1:0", "[::1]:0"]),
    ("time-unit", &["s", "ns"]),
    ("took-unit", &["ms"]),
];

/// An option as the help shows it.
#[derive(Debug, Clone)]
struct Known {
    name: String,
    value: String,
    variable: Option<String>,
    default: Option<String>,
}

fn parse(words: &[OsString]) -> Result<Command, Refusal> {
    let program = [OsString::from("loadgen")].into_iter();
    Command::parse(program.chain(words.iter().cloned()))
}

fn read_help(task: Option<&str>) -> Vec<Known> {
    let words: Vec<_> = task
        .into_iter()
        .chain(["--help"])
        .map(OsString::from)
        .collect();
    let Ok(Command::Show(help)) = parse(&words) else {
        panic!("no help of {task:?}");
    };
    let between = |text: &str, begin: &str| {
        let rest = text.split_once(begin)?.1;
        Some(rest.split_once(']')?.0.to_owned())
    };
    let mut known = Vec::new();
    // Without the short flags before the long ones.
    let without_short = |line: &str| match line.strip_prefix("  -") {
        Some(rest) if rest[1..].starts_with(", --") => format!("      {}\n", &rest[3..]),
        _ => format!("{line}\n"),
    };
    let help: String = help.lines().map(without_short).collect();
    let joined = help.split("\n      --").skip(1);
    for entry in joined {
        let entry = entry.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = entry.split([' ', '=']).next().expect("a name").to_owned();
        let value = entry
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'));
        known.push(Known {
            value: value.map_or(String::new(), |(value, _)| value.to_owned()),
            variable: between(&entry, "[env: "),
            default: between(&entry, "[default: "),
            name,
        });
    }
    known
}

fn known(task: Option<&'static str>) -> &'static [Known] {
    static ALL: OnceLock<[Vec<Known>; 3]> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        [
            read_help(None),
            read_help(Some("audit")),
            read_help(Some("report")),
        ]
    });
    match task {
        Some("audit") => &all[1],
        Some("report") => &all[2],
        _ => &all[0],
    }
}

/// Files for the options that read one.
fn files() -> &'static [String] {
    static FILES: OnceLock<Vec<String>> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mangled");
        fs::create_dir_all(&folder).expect("a folder");
        let text = |name: &str, content: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, content).expect("a file");
            path.to_str().expect("UTF-8").to_owned()
        };
        vec![
            text("keys", b"a\nb\t100/60s\nc\t\tcost 5\n"),
            text("empty", b""),
            text("bytes", b"\xff\xfe\0"),
            text(
                "pem",
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            ),
            text("requests.csv", b"time,status\n1,200\n"),
            folder.to_str().expect("UTF-8").to_owned(),
            "/nonexistent/file".to_owned(),
            "-".to_owned(),
        ]
    })
}

fn value(option: &Known) -> BoxedStrategy<String> {
    let mut valid: Vec<String> = option.default.iter().cloned().collect();
    let listed = VALUES.iter().find(|(name, _)| *name == option.name);
    valid.extend(
        listed
            .iter()
            .flat_map(|(_, values)| values.iter().map(|value| (*value).to_owned())),
    );
    match option.value.as_str() {
        "BOOL" => valid.extend(["true", "false", "yes", "0"].map(str::to_owned)),
        "FILE" => valid.extend(files().iter().cloned()),
        "TIME" => valid.extend(["1s", "500ms"].map(str::to_owned)),
        _ => {}
    }
    if valid.is_empty() {
        return nasty().boxed();
    }
    let valid = select(valid).boxed();
    // Files of other names would be made or read anywhere.
    if option.value == "FILE" {
        return valid;
    }
    prop_oneof![5 => valid.clone(), 1 => either(valid)].boxed()
}

/// An option with its value, and whether it is a variable if it can be one.
fn given(task: Option<&'static str>) -> impl Strategy<Value = (Known, String, bool)> {
    select(known(task)).prop_flat_map(|option| {
        let value = value(&option);
        (Just(option), value, any::<bool>())
    })
}

fn task() -> impl Strategy<Value = Option<&'static str>> {
    select(
        &[
            None,
            Some("plan"),
            Some("plan"),
            Some("plan"),
            Some("audit"),
        ][..],
    )
}

/// A subcommand and what is given to it.
fn command() -> impl Strategy<Value = (Option<&'static str>, Vec<(Known, String, bool)>)> {
    task().prop_flat_map(|task| (Just(task), vec(given(task), 0..7)))
}

fn flags(task: Option<&str>, given: &[(Known, String, bool)]) -> Vec<OsString> {
    let mut words: Vec<OsString> = task.iter().map(OsString::from).collect();
    for (option, value, _) in given {
        words.push(match option.value.as_str() {
            "" => format!("--{}", option.name).into(),
            _ => format!("--{}={value}", option.name).into(),
        });
    }
    if task == Some("audit") {
        words.push(files()[4].clone().into());
    }
    words
}

/// The part of a plan before the first request, which repeats what was given.
fn computed(plan: &str) -> &str {
    plan.split("\nThe first request").next().expect("a part")
}

fn check_plan(plan: &str, input: &str) {
    for line in computed(plan).lines() {
        for wrong in ["inf", "NaN", "18446744073709551615"] {
            let mut words = line.split(|c: char| !c.is_alphanumeric());
            // A profile is repeated as it was given.
            assert!(
                !words.any(|word| word == wrong) || input.contains(wrong),
                "{line} for {input}"
            );
        }
    }
    assert!(
        plan.len() < (64 << 10) + 4 * input.len(),
        "{} bytes for {input}",
        plan.len()
    );
    assert!(
        !plan.replace(['\n', '\t'], "").contains(char::is_control),
        "{plan:?} for {input}"
    );
}

proptest! {
    #![proptest_config(one_in(1))]

    #[test]
    fn a_command_line_is_planned_or_refused_by_an_option((task, given) in command()) {
        let words = flags(task, &given);
        let input = format!("{words:?}");
        let plan = within(5, 256, &input, || match parse(&words) {
            Ok(Command::Run(setup) | Command::Plan(setup)) => {
                Some(Ok(timetable(&setup.plan, &setup.nodes.examples())))
            }
            Ok(_) => None,
            Err(Refusal::Asked(text)) => Some(Ok(text)),
            Err(Refusal::Wrong(line)) => Some(Err(line)),
        });
        match plan {
            None => {}
            Some(Ok(plan)) => check_plan(&plan, &input),
            Some(Err(line)) => {
                check_line(&line, &input);
                let is_named = given.iter().any(|(option, ..)| line.contains(&format!("--{}", option.name)));
                prop_assert!(is_named || line.starts_with("FILE "), "{}", line);
            }
        }
    }

    #[test]
    fn words_that_are_no_options_are_refused_in_one_line(
        task in prop_oneof![Just(None), select(&["plan", "presets", "audit", "report", "completions", "man", "help"][..]).prop_map(Some)],
        words in vec(prop_oneof![
            nasty(), nasty().prop_map(|word| format!("--{word}")), nasty().prop_map(|word| format!("-{word}")),
            select(known(None)).prop_map(|option| format!("--{}", option.name)),
            (select(known(None)), nasty()).prop_map(|(option, word)| format!("--{}={word}", option.name)),
            select(&["--", "-h", "--version", "bash", "envoy", "man"][..]).prop_map(str::to_owned),
        ], 1..5),
        bytes in proptest::option::weighted(0.1, vec(1_u8.., 1..5))
    ) {
        let mut words: Vec<OsString> = task.into_iter().map(OsString::from).chain(words.into_iter().map(OsString::from)).collect();
        words.extend(bytes.map(OsString::from_vec));
        let input = format!("{words:?}");
        match within(5, 256, &input, || parse(&words)) {
            Err(Refusal::Wrong(line)) => check_line(&line, &words.iter().map(|word| word.to_string_lossy()).collect::<String>()),
            Ok(Command::Show(text)) | Err(Refusal::Asked(text)) => prop_assert!(!text.is_empty()),
            Ok(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(one_in(6))]

    #[test]
    fn the_program_plans_or_refuses_by_a_flag_or_a_variable(given in vec(given(Some("plan")), 1..5)) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_loadgen"));
        command.arg("plan").env_clear();
        let mut names = Vec::new();
        for (option, value, is_variable) in &given {
            match &option.variable {
                // The system allows no zero byte in either.
                _ if value.contains('\0') => continue,
                Some(variable) if *is_variable => {
                    names.push(variable.clone());
                    command.env(variable, value);
                }
                _ => {
                    names.push(format!("--{}", option.name));
                    command.arg(format!("--{}={value}", option.name));
                }
            }
        }
        let output = command.output()?;
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
        let input = format!("{command:?}");
        match output.status.code() {
            Some(0) => {
                prop_assert_eq!(&err, "");
                check_plan(&out, &input);
            }
            Some(2) => {
                prop_assert_eq!(&out, "");
                prop_assert!(err.starts_with("loadgen: ") && err.ends_with('\n'), "{}", err);
                check_line(err.trim_end_matches('\n'), &input);
                prop_assert!(names.iter().any(|name| err.contains(name)), "{}", err);
            }
            code => prop_assert!(false, "{:?} for {}: {}", code, input, err),
        }
    }
}
