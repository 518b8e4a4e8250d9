//! Random options become a command and options again.

use super::super::{Cli, Refusal, Setup};
use super::*;
use crate::core::plan::Plan;
use crate::report::timetable;
use clap::{CommandFactory, FromArgMatches};
use proptest::prelude::*;
use proptest::sample::subsequence;
use rcgen::generate_simple_self_signed;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command as Process;
use tempfile::TempDir;

fn parse(typed: impl IntoIterator<Item = String>) -> Result<Setup, Refusal> {
    let words = std::iter::once("loadgen".to_owned()).chain(typed);
    let arguments = Arguments::<Cli>::parse(words.map(Into::into))?;
    let (cli, arguments) = arguments.split();
    Setup::new(&arguments.with_options(cli.options))
}

#[test]
fn a_run_is_repeated_by_its_flags_and_its_seed() {
    let typed = r#"--seed 3 --report r.html --demo --rps 20 --header "Accept: it's" --header "C: d" --header Content-Type: --body=-x --probe false --show-secrets"#;
    let setup = parse(shlex::split(typed).unwrap()).unwrap();
    let expected = r#"loadgen --demo --rps 20 --header "Accept: it's" --header "C: {env:SECRET_C}" --header Content-Type: --body "{env:SECRET_BODY}" --probe=false --seed 3"#;
    let split = |command: &str| shlex::split(command).unwrap();
    let command = &setup.repeating_command;
    assert_eq!(split(&command.text), split(expected));
    let names: Vec<_> = command
        .variables
        .iter()
        .map(|variable| &*variable.name)
        .collect();
    assert_eq!(names, ["SECRET_C", "SECRET_BODY"]);
    for (more, value) in [("", "***(2 bytes)"), ("--show-secrets", "-x")] {
        let typed = format!("--demo --header Content-Type: --body=-x {more}");
        let settings = parse(shlex::split(&typed).unwrap()).unwrap().settings;
        let body = settings.iter().find(|setting| setting.option == "body");
        assert_eq!(body.expect("a setting").values, [value]);
    }
}

#[test]
fn positional_arguments_stand_behind_all_flags() {
    let command = Cli::command();
    let typed = ["loadgen", "http://a", "http://u:p@b", "--keys=3"];
    let matches = command.clone().try_get_matches_from(typed).unwrap();
    let arguments = Arguments {
        options: Cli::from_arg_matches(&matches).unwrap(),
        matches,
        command,
    };
    let repeated = arguments.repeating_command(Some(1), None, &HashSet::new(), &HashMap::new());
    assert_eq!(
        repeated.text,
        "loadgen --keys 3 --seed 1 http://a 'http://…@b'"
    );
    let settings = arguments.settings(false);
    let given = settings.iter().find(|setting| setting.option == "URL");
    assert_eq!(given.unwrap().values, ["http://a", "http://…@b"]);
}

/// Files that options name.
pub(in crate::cli) struct Files(TempDir);

impl Files {
    pub fn new() -> Files {
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let place = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("cert.pem", made.cert.pem()),
            ("key.pem", made.signing_key.serialize_pem()),
            ("keys.txt", "a\nb\t5/1s\n".to_owned()),
            (
                "requests.csv",
                "time,headers\n0,X-Key: a\n0.5,X-Key: b\n".to_owned(),
            ),
            ("body.txt", "{key} {env:MINE}".to_owned()),
            (
                "drill.events",
                "# a drill\n1s a mark =\n\n2s stop = false\nundo 3s stop = true\nexpect sent.count > 1\n".to_owned(),
            ),
        ] {
            fs::write(place.path().join(name), text).unwrap();
        }
        Files(place)
    }

    fn at(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }
}

/// The secrets of the values below, by the names that stand for them, and a variable that a value names.
pub(in crate::cli) const SECRETS: [(&str, &str); 4] = [
    ("SECRET_X_AUTH", "it's a $ecret"),
    ("SECRET_API_KEY", "abc"),
    ("SECRET_BODY", "-x"),
    ("MINE", "my own"),
];

/// Values of every option that is no boolean, as they are given: each inner list has the values of one run.
fn values(option: &str, files: &Files) -> Vec<Vec<String>> {
    let one = |values: &[&str]| -> Vec<Vec<String>> {
        let values = values.iter();
        values.map(|value| vec![(*value).to_owned()]).collect()
    };
    let several = |values: &[&[&str]]| -> Vec<Vec<String>> {
        let owned = |values: &&[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        values.iter().map(owned).collect()
    };
    match option {
        "targets" => one(&[
            "http://127.0.0.1:9,http://a.example/base",
            "unix:/run/x.sock:/base,http://[::1]:80",
        ]),
        "ca-cert" | "cert" => vec![vec![files.at("cert.pem")]],
        "key" => vec![vec![files.at("key.pem")]],
        "connect-to" => several(&[
            &["ratelimiter-1:8000=127.0.0.1:1"],
            &["ratelimiter-1:8000=127.0.0.1:1,ratelimiter-2:8000=[::1]:2"],
            &[
                "ratelimiter-1:8000=127.0.0.1:1",
                "ratelimiter-2:8000=[::1]:2",
            ],
        ]),
        "sni" => one(&["api.example.com"]),
        "source-address" => one(&["127.0.0.1", "127.0.0.1, 127.0.0.2"]),
        "demo-limiter" => one(&["racy", "token-bucket"]),
        "rps" => one(&["20", "0.5", "1e2"]),
        "duration" => one(&["0", "90s", "1m30s", "5"]),
        "count" => one(&["7"]),
        "wait" => one(&["2s"]),
        "stripe" => one(&["1/4", "0/1"]),
        "stripes" => one(&["1"]),
        "start-at" => one(&["next-minute"]),
        "clock-error" => one(&["3ms"]),
        "URL" => several(&[
            &["http://127.0.0.1:9/v1?a={key}"],
            &["http://127.0.0.1:9", "unix:/run/x.sock:/base"],
        ]),
        "burst-multiplier" => one(&["2", "1.5"]),
        "burst-duration" => one(&["2s", "0.5"]),
        "burst-interval" => one(&["20", "1m"]),
        "profile" => one(&[
            "50/s for 30s, ramp 50/s to 500/s over 2m",
            "sine 100/s ± 50/s every 1m for 5m, repeat",
        ]),
        "replay" => vec![vec![files.at("requests.csv")]],
        "replay-format" => one(&["csv"]),
        "replay-key" => one(&["header:X-Key"]),
        "speed" => one(&["2x", "0.5"]),
        "arrivals" => one(&["poisson", "Uniform"]),
        "preset" => one(&["check", "kong"]),
        "method" => one(&["GET", "PUT"]),
        "path" => one(&["/a&b?n={seq}", "/x?api_key=abc&key={key}"]),
        "header" => several(&[
            &["X-Auth: it's a $ecret"],
            &["Accept: \"a\"", "X-B: {env:MINE}"],
            &["Content-Type:"],
        ]),
        "body" => one(&["-x", "{key}", ""]),
        "body-file" => vec![vec![files.at("body.txt")]],
        "limit" => one(&["5", "100"]),
        "window" => one(&["2s", "60s"]),
        "cost" => one(&["3"]),
        "allowed" => several(&[&["200-299, header X = \"a b\""], &["200", "204"]]),
        "blocked" => several(&[&["429, body contains \"it's $5\""]]),
        "failing-open" => several(&[
            &["header X-Degraded != \"no, 0\""],
            &["203", "json /degraded = true"],
        ]),
        "keys" => one(&["0", "3"]),
        "key-distribution" => one(&["zipf:1.1", "hot:90%"]),
        "key-prefix" => one(&["", "-user_", "it's"]),
        "keys-file" => vec![vec![files.at("keys.txt")]],
        "audit" => one(&[
            "auto",
            "off",
            "sliding-window",
            "fixed-window 5/2s and token-bucket 10/s burst 5",
        ]),
        "audit-memory" => one(&["2 MiB"]),
        "clock-tolerance" => one(&["1ms"]),
        "excess-tolerance" => one(&["5%"]),
        "threshold" => several(&[
            &["latency.p99 < 50ms"],
            &["failed.rate < 0.1%\ntls.max < 1s", "sent.count > 1"],
        ]),
        "at" => several(&[
            &["3s true", "4s x = false\n2s half time ="],
            &["3s redis goes = sh -c 'echo \"it'\\''s $HOME\"'"],
        ]),
        "undo" => several(&[&["true = echo 'a  b'"], &["4s true = false", "x = true"]]),
        "events" => vec![vec![files.at("drill.events")]],
        "undo-timeout" => one(&["2s", "1.5"]),
        "workers" => one(&["7"]),
        "queue" => one(&["99"]),
        "timeout" | "drain-timeout" | "stats-interval" | "metrics-linger" => one(&["2s", "1.5"]),
        "seed" => one(&["7", "random"]),
        "metrics-addr" => one(&[":9100", "[::1]:0"]),
        other => panic!(
            "{other} has no example here; give it one, so that its part in the command is tested"
        ),
    }
}

/// An option as it is given.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Given {
    pub flag: String,
    pub variable: Option<String>,
    pub values: Vec<String>,
    /// Whether only one value fits on a flag, so that each has a flag of its own.
    pub is_alone: bool,
}

/// Every way to give an option that is no result file.
pub(in crate::cli) fn every_option(files: &Files) -> Vec<Given> {
    let results = Results::augment_args(Command::default());
    let command = Cli::command();
    let mut all = Vec::new();
    for option in command.get_arguments() {
        let is_result = results
            .get_arguments()
            .any(|other| other.get_id() == option.get_id());
        if is_result || !option.get_action().takes_values() {
            continue;
        }
        let name = name(option).expect("a name");
        let names = option.get_value_names().unwrap_or_default();
        let values = if names.iter().any(|name| name == "BOOL") {
            ["true", "false", "0", "yes"]
                .map(|value| vec![value.to_owned()])
                .to_vec()
        } else {
            values(&name, files)
        };
        all.extend(values.into_iter().map(|values| {
            Given {
                flag: if option.is_positional() {
                    String::new()
                } else {
                    format!("--{name}=")
                },
                variable: option
                    .get_env()
                    .map(|name| name.to_string_lossy().into_owned()),
                values,
                is_alone: option.get_value_delimiter().is_none(),
            }
        }));
    }
    all
}

/// What a run is, in words that two equal runs share.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Described {
    command: String,
    needs: Vec<String>,
    pub run: String,
    /// The settings with masks, but for those from variables that have no effect.
    settings: BTreeMap<String, Vec<String>>,
}

impl Described {
    fn of(mut setup: Setup) -> Described {
        setup.plan.request.shows_secrets = true;
        // Without a threshold, this has no effect.
        setup.plan.thresholds.abort_on_fail &= !setup.plan.thresholds.all.is_empty();
        let timetable = timetable(&setup.plan, &setup.nodes.examples());
        let keys_used = setup.plan.describe_keys();
        // A field that is added here is a part of the run.
        let Plan {
            schedule,
            alignment,
            workers,
            queue,
            timeout,
            drain,
            stats_interval,
            request: _,
            limit,
            window,
            cost,
            keys: _,
            key_distribution,
            seed: _,
            key_seed: _,
            allowed,
            blocked,
            failing_open,
            audit,
            thresholds,
            events,
            undo_timeout,
            start,
            clock_error,
        } = &setup.plan;
        let texts: Vec<_> = thresholds.all.iter().map(|one| &one.text).collect();
        let run = (
            (schedule.end(), alignment, workers, queue, timeout, drain),
            (stats_interval, limit, window, cost, key_distribution),
            (
                allowed,
                blocked,
                failing_open,
                audit,
                texts,
                thresholds.abort_on_fail,
                &setup.nodes,
            ),
            (events, undo_timeout),
            (
                schedule.stripe(),
                start.as_ref().map(|start| start.joins_late),
                clock_error,
            ),
            &setup.connecting,
            setup
                .metrics
                .as_ref()
                .map(|metrics| (metrics.addr, metrics.linger, metrics.accepts_marks)),
        );
        let given = setup.settings.into_iter();
        let given = given.filter(|setting| setting.source != Source::Default);
        Described {
            needs: setup
                .repeating_command
                .variables
                .into_iter()
                .map(|one| one.name)
                .collect(),
            command: setup.repeating_command.text,
            run: without_random(&format!("{timetable}\n{keys_used}\n{run:#?}")),
            settings: given
                .map(|setting| (setting.option, setting.values))
                .collect(),
        }
    }
}

/// The text with `#` in place of eight hexadecimal digits, as random keys have.
fn without_random(text: &str) -> String {
    let (mut kept, mut digits) = (String::new(), String::new());
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() {
            digits.push(c);
        } else {
            kept += if digits.len() == 8 { "#" } else { &digits };
            digits.clear();
            kept.push(c);
        }
    }
    kept
}

const CHILD: &str = "cli::settings::tests::describes_the_run_of_its_environment";
const TYPED: &str = "TYPED_WORDS";

/// Variables are of a process, so each set of them is read in a process of its own.
#[test]
#[ignore = "a part of the tests below"]
fn describes_the_run_of_its_environment() {
    let typed = std::env::var(TYPED).unwrap_or_default();
    let typed: Vec<String> = serde_json::from_str(&typed).unwrap_or_default();
    let described = parse(typed)
        .map(Described::of)
        .map_err(|refusal| refusal.to_string());
    println!("\n{TYPED}{}", serde_json::to_string(&described).unwrap());
}

/// The run of this command line and these variables. The error is the refusal.
pub(in crate::cli) fn described(
    typed: &[String],
    variables: &[(String, String)],
) -> Result<Described, String> {
    let output = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", CHILD])
        .env_clear()
        .env(TYPED, serde_json::to_string(typed).unwrap())
        .envs(variables.iter().cloned())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(TYPED));
    let line = line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(line).unwrap()
}

/// The words and the variables that give each option by its flag or by its variable.
pub(in crate::cli) fn given(options: &[(&Given, bool)]) -> (Vec<String>, Vec<(String, String)>) {
    let (mut typed, mut variables) = (Vec::new(), Vec::new());
    for (option, by_variable) in options {
        match &option.variable {
            Some(variable) if *by_variable && (option.values.len() == 1 || option.is_alone) => {
                let are_rules = ["--allowed=", "--blocked=", "--failing-open="];
                let separator = if are_rules.contains(&&*option.flag) {
                    ","
                } else {
                    "\n"
                };
                variables.push((variable.clone(), option.values.join(separator)));
            }
            _ => typed.extend(
                option
                    .values
                    .iter()
                    .map(|value| format!("{}{value}", option.flag)),
            ),
        }
    }
    (typed, variables)
}

/// Gives each option by its flag or by its variable, and returns whether a run took them. The command of that run has to
/// be one of the same run.
fn is_repeated(options: &[(&Given, bool)]) -> bool {
    let (typed, mut variables) = given(options);
    let secrets = SECRETS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    variables.extend(secrets.clone());
    let Ok(first) = described(&typed, &variables) else {
        return false;
    };
    let words = shlex::split(&first.command).expect("a command");
    assert_eq!(words[0], "loadgen");
    let needed = secrets
        .iter()
        .filter(|(name, _)| first.needs.contains(name));
    let needed: Vec<_> = needed.cloned().collect();
    let again = described(&words[1..], &needed);
    let again =
        again.unwrap_or_else(|why| panic!("{typed:?} {variables:?} {}: {why}", first.command));
    let lines = first.run.lines().zip(again.run.lines());
    let differing: Vec<_> = lines.filter(|(one, other)| one != other).collect();
    assert!(
        again.run == first.run,
        "{typed:?} {variables:?} {}: {differing:#?}",
        first.command
    );
    assert_eq!(again.command, first.command);
    for (option, values) in &again.settings {
        // Variables of the command stand for secrets.
        let is_secret = values.iter().any(|value| value.contains("{env:SECRET_"));
        let is_same = option == "seed" || is_secret || first.settings.get(option) == Some(values);
        assert!(is_same, "--{option} {values:?}, {:?}", first.settings);
    }
    for (option, by_variable) in options {
        let name = match option.flag.trim_matches(['-', '=']) {
            "" => "URL",
            name => name,
        };
        assert!(
            *by_variable || first.settings.contains_key(name),
            "{name}: {:?}",
            first.settings
        );
    }
    let shown = format!("{}{:?}", first.command, first.settings);
    for (name, secret) in &SECRETS[..2] {
        assert!(!shown.contains(secret), "{name} in {shown}");
    }
    true
}

/// The options without which another one is refused.
pub(in crate::cli) fn needs(flag: &str) -> &'static [&'static str] {
    match flag.trim_matches(['-', '=']) {
        "demo-limiter" => &["--demo=true"],
        "key" => &["--cert="],
        "cert" => &["--key="],
        "body" | "body-file" => &["--header=Content-Type:"],
        "reuse-keys" => &["--audit=auto", "--seed=7"],
        "probe" | "audit-memory" | "clock-tolerance" | "excess-tolerance" => &["--audit=auto"],
        "abort-on-fail" => &["--threshold="],
        "stripe" => &["--start-at=", "--seed=7"],
        "join-late" => &["--start-at="],
        "undo" => &["--at="],
        "replay-format" | "replay-key" | "speed" | "loop" | "skip-unreadable" => &["--replay="],
        "accept-marks" => &["--metrics-addr="],
        _ => &[],
    }
}

#[test]
fn every_option_is_repeated_by_the_command() {
    let files = Files::new();
    let all = every_option(&files);
    for option in &all {
        let needed = needs(&option.flag).iter().map(|needed| {
            let mut of_it = all.iter().filter(|other| {
                // A URL has no flag.
                !other.flag.is_empty() && needed.starts_with(&*other.flag)
            });
            let value = needed.split_once('=').expect("a flag").1;
            let found = of_it.find(|other| value.is_empty() || other.values == [value]);
            (found.expect("an option"), false)
        });
        for by_variable in [false, true] {
            let mut options: Vec<_> = needed.clone().collect();
            options.push((option, by_variable));
            assert!(
                is_repeated(&options),
                "{option:?} by variable: {by_variable}: refused"
            );
            // A variable may be set for all runs.
            if by_variable
                && !["--key=", "--cert=", "--body=", "--body-file=", "--stripe="]
                    .contains(&&*option.flag)
            {
                assert!(is_repeated(&[(option, true)]), "{option:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn random_options_become_a_command_and_options_again(
        places in subsequence((0..1_000usize).collect::<Vec<_>>(), 2..7), by_variable in any::<u32>()
    ) {
        thread_local!(static FILES: Files = Files::new());
        FILES.with(|files| {
            let all = every_option(files);
            let mut options: Vec<(&Given, bool)> = Vec::new();
            for (number, place) in places.iter().enumerate() {
                let option = &all[place % all.len()];
                if options.iter().all(|(other, _)| other.flag != option.flag) {
                    options.push((option, by_variable >> number & 1 == 1));
                }
            }
            // Options that exclude each other are no run.
            is_repeated(&options);
        });
    }
}

#[test]
fn a_variable_that_has_no_effect_is_no_part_of_the_command() {
    let command_of = |variables: &[(&str, &str)], typed: &str| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: Vec<_> = variables.iter().map(owned).collect();
        let described = described(&shlex::split(typed).unwrap(), &variables).unwrap();
        let command = described
            .command
            .rsplit_once(" --seed")
            .unwrap()
            .0
            .to_owned();
        command.trim_start_matches("loadgen ").to_owned()
    };
    for (variables, typed) in [
        (&[("TARGETS", "http://a")][..], "--demo"),
        (
            &[("LOADGEN_DEMO", "true"), ("LOADGEN_DEMO_LIMITER", "racy")],
            "--targets http://a",
        ),
        (
            &[("LOADGEN_LIMIT", "5")],
            "--audit='sliding-window 100/60s'",
        ),
        (
            &[
                ("LOADGEN_REUSE_KEYS", "1"),
                ("LOADGEN_AUDIT_MEMORY", "2MiB"),
                ("LOADGEN_PROBE", "1"),
            ],
            "--rps 20",
        ),
        (
            &[("LOADGEN_ABORT_ON_FAIL", "1"), ("LOADGEN_PROFILE", "5/s")],
            "--rps 20",
        ),
    ] {
        let command = command_of(variables, typed);
        assert_eq!(shlex::split(&command), shlex::split(typed), "{variables:?}");
    }
    assert_eq!(
        command_of(&[("RPS", "20"), ("BURST_ENABLED", "0")], ""),
        "--rps 20 --burst-enabled=0"
    );
}
