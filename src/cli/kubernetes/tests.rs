//! The pods of a deployment have the run that was typed.

use super::super::Command;
use super::super::settings::tests::{Files, Given, SECRETS, described, every_option, given, needs};
use super::*;
use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::TestRunner;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::fs;
use std::process::Command as Process;

/// What the pods get, but for their stripe and their start.
#[derive(Debug, Serialize, Deserialize)]
struct Pods {
    start: String,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    secrets: Vec<(String, String)>,
    /// The path, the text, and whether it is in a Secret.
    files: Vec<(String, String, bool)>,
}

const CHILD: &str = "cli::kubernetes::tests::deploys_the_run_of_its_environment";
const TYPED: &str = "DEPLOYED_WORDS";
const START: &str = "2200-01-01T00:00:00Z";

/// Variables are of a process, so each set of them is read in a process of its own.
#[test]
#[ignore = "a part of the tests below"]
fn deploys_the_run_of_its_environment() {
    let typed = std::env::var(TYPED).unwrap_or_default();
    let typed: Vec<String> = serde_json::from_str(&typed).unwrap_or_default();
    let pods = match Command::parse(typed.into_iter().map(Into::into)) {
        Ok(Command::Kubernetes(deployment)) => {
            let file = |file: PlanFile| {
                let path = PlanFile::path(&file.name, file.may_have_secrets);
                (path, file.text, file.may_have_secrets)
            };
            Ok(Pods {
                start: deployment.start,
                variables: deployment.variables,
                arguments: deployment.arguments,
                secrets: deployment.secrets,
                files: deployment.files.into_iter().map(file).collect(),
            })
        }
        Ok(other) => Err(format!("{other:?}")),
        Err(refusal) => Err(refusal.to_string()),
    };
    println!("\n{TYPED}{}", serde_json::to_string(&pods).unwrap());
}

/// The pods of this command line and these variables. The error is the refusal.
fn pods(
    secret: Option<&str>,
    typed: &[String],
    variables: &[(String, String)],
) -> Result<Pods, String> {
    let words = ["loadgen", "kubernetes", "--stripes=4"].map(str::to_owned);
    let secret = secret.map(|name| format!("--secret={name}"));
    let words = words.into_iter().chain(secret).chain(["--".to_owned()]);
    let words: Vec<_> = words.chain(typed.iter().cloned()).collect();
    let output = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", CHILD])
        .env_clear()
        .env(TYPED, serde_json::to_string(&words).unwrap())
        .envs(variables.iter().cloned())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(TYPED));
    let line = line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(line).unwrap()
}

fn is_demo(word: &str) -> bool {
    ["--demo=true", "--demo=yes"].contains(&word)
}

/// Gives each option by its flag or by its variable. Returns the refusal, or checks that each pod has the run that one
/// process would have.
fn check(options: &[(&Given, bool)]) -> Result<(), String> {
    let (mut typed, mut variables) = given(options);
    let is_given = |flag: &str| options.iter().any(|(option, _)| option.flag == flag);
    for (flag, value) in [
        ("--start-at=", START),
        (
            "--targets=",
            "http://ratelimiter-1:8000,http://ratelimiter-2:8000",
        ),
        ("--metrics-addr=", ":9100"),
    ] {
        // A URL has no flag.
        let has_nodes = is_given("") || typed.iter().any(|word| is_demo(word));
        let is_given = is_given(flag) || flag == "--targets=" && has_nodes;
        if !is_given {
            typed.push(format!("{flag}{value}"));
        }
    }
    let outside: Vec<_> = SECRETS
        .iter()
        .filter(|(name, _)| !name.starts_with("SECRET_"))
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    variables.extend(outside.clone());
    let mut pods = match pods(None, &typed, &variables) {
        Err(refusal) if refusal.contains("needs --secret") => {
            pods(Some("own"), &typed, &variables)?
        }
        pods => pods?,
    };
    // A seed that was drawn is that of the pods, and so is a start that depends on the clock.
    assert!(pods.start.ends_with(":00Z"), "{}", pods.start);
    let (_, seed) = &pods.variables[0];
    typed.retain(|word| !word.starts_with("--seed=") && !word.starts_with("--start-at="));
    variables.retain(|(name, _)| !["LOADGEN_SEED", "LOADGEN_START_AT"].contains(&&**name));
    typed.splice(
        0..0,
        [format!("--seed={seed}"), format!("--start-at={START}")],
    );
    let expected = described(&typed, &variables);
    let expected = expected.expect("a run, since a deployment was made of it");
    // The volumes of a pod are folders here.
    let root = tempfile::tempdir().unwrap();
    for (path, text, _) in &pods.files {
        let here = root.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(here.parent().unwrap()).unwrap();
        fs::write(&here, text).unwrap();
        let texts = pods.variables.iter_mut().map(|(_, value)| value);
        for text in texts.chain(&mut pods.arguments) {
            if text == path || text.ends_with(&format!("={path}")) {
                *text = text.replace(path, here.to_str().unwrap());
            }
        }
    }
    let mut environment = pods.variables.clone();
    environment.extend(pods.secrets.clone());
    environment.extend(outside);
    environment.push(("LOADGEN_START_AT".to_owned(), START.to_owned()));
    let of_a_pod = described(&pods.arguments, &environment);
    let of_a_pod =
        of_a_pod.unwrap_or_else(|why| panic!("{typed:?} {variables:?} {pods:#?}: {why}"));
    // The name of a recording is that of its option, since the pods' copies have these names.
    let expected = expected.run;
    let lines = expected.lines().zip(of_a_pod.run.lines());
    let differing: Vec<_> = lines.filter(|(one, other)| one != other).collect();
    assert!(
        differing.is_empty(),
        "{typed:?} {variables:?} {pods:#?}: {differing:#?}"
    );
    assert_eq!(expected.lines().count(), of_a_pod.run.lines().count());
    // The ConfigMap and the arguments can be read by many.
    let plain: Vec<_> = pods
        .files
        .iter()
        .filter(|(_, _, is_secret)| !is_secret)
        .collect();
    let shown = format!("{:?}{:?}{plain:?}", pods.variables, pods.arguments);
    for (name, secret) in SECRETS.iter().filter(|(_, secret)| secret.len() > 2) {
        assert!(!shown.contains(secret), "{name} in {shown}");
    }
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
    Ok(())
}

#[test]
fn every_option_reaches_the_pods_or_is_refused_by_name() {
    let files = Files::new();
    let all = every_option(&files);
    let mut refused: Vec<String> = Vec::new();
    for option in &all {
        let needed = needs(&option.flag).iter().map(|needed| {
            let mut of_it = all
                .iter()
                .filter(|other| !other.flag.is_empty() && needed.starts_with(&*other.flag));
            let value = needed.split_once('=').expect("a flag").1;
            let found = of_it.find(|other| value.is_empty() || other.values == [value]);
            (found.expect("an option"), false)
        });
        let mut options: Vec<_> = needed.collect();
        // The test below gives options by variables, too.
        options.push((option, false));
        if let Err(refusal) = check(&options) {
            let name = |option: &Given| option.flag.trim_matches(['-', '=']).to_owned();
            let is_named = |(option, _): &(&Given, bool)| match &*name(option) {
                "" => refusal.contains("URL '"),
                name => refusal.contains(&format!("--{name} '")),
            };
            assert!(options.iter().any(is_named), "{options:?}: {refusal}");
            refused.push(name(option));
        }
    }
    refused.sort_unstable();
    refused.dedup();
    // Only some values of the URLs, of --metrics-addr and of the events are refused.
    let expected = [
        "",
        "abort-on-fail",
        "at",
        "burst-align",
        "demo",
        "demo-limiter",
        "events",
        "metrics-addr",
        "probe",
        "source-address",
        "stripe",
        "stripes",
        "targets",
        "undo",
    ];
    assert_eq!(refused, expected);
}

/// The combinations that are tried, and the fewest of them that have to be accepted.
const COMBINATIONS: u32 = 40;
const FEWEST_ACCEPTED: u32 = 3;

#[test]
fn random_options_reach_the_pods() {
    let files = Files::new();
    let all = every_option(&files);
    let places = subsequence((0..all.len()).collect::<Vec<_>>(), 1..6);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: COMBINATIONS,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let accepted = Cell::new(0);
    let tried = runner.run(&(places, any::<u32>()), |(places, by_variable)| {
        let mut options: Vec<(&Given, bool)> = Vec::new();
        for (number, place) in places.iter().enumerate() {
            let option = &all[*place];
            if options.iter().all(|(other, _)| other.flag != option.flag) {
                options.push((option, by_variable >> number & 1 == 1));
            }
        }
        // Options that exclude each other, or that pods can't have, are refused.
        if check(&options).is_ok() {
            accepted.set(accepted.get() + 1);
        }
        Ok(())
    });
    tried.unwrap();
    let accepted = accepted.get();
    assert!(
        accepted >= FEWEST_ACCEPTED,
        "{accepted} of {COMBINATIONS} combinations were accepted"
    );
}
