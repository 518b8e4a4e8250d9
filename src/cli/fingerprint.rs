//! What the stripes of one schedule must have in common.

use super::connections::Connections;
use super::generator::Generator;
use super::results::Results;
use super::stripes::Stripes;
use crate::core::masking::without_lengths;
use crate::core::plan::Plan;
use crate::core::request::Template;
use crate::core::summary::Setting;
use clap::{Args, Command};
use std::collections::HashSet;
use uuid::Uuid;

/// The namespace of the fingerprints.
const NAMESPACE: Uuid = Uuid::from_u128(0x3c0d_6f2e_91b4_4a57_8e0c_5b7a_d1f2_6038);

/// An identifier that is the same for all stripes of one run, and differs if a request or its judgement does: a UUID of version
/// 5 ([RFC 9562](https://www.rfc-editor.org/rfc/rfc9562), section 5.5) over the version of the program, the seed, the timeout,
/// the contents of files with keys, a body, events or recorded requests, and every setting that may not differ from machine to
/// machine.
///
/// Secrets of `settings` and of a body are not compared, not even by their lengths: if they were, an identifier that anybody may
/// see would tell whether a guess is right. So stripes with different secrets have the same identifier.
pub(super) fn fingerprint(plan: &Plan, settings: &[Setting]) -> Uuid {
    let uncompared = uncompared();
    let mut text = format!("loadgen {}\n", env!("CARGO_PKG_VERSION"));
    for Setting { option, values, .. } in settings {
        if !uncompared.contains(option) {
            let values: Vec<_> = values.iter().map(|value| without_lengths(value)).collect();
            // The debug format quotes, so that no two settings look like one.
            text += &format!("{option}: {values:?}\n");
        }
    }
    text += &format!("keys: {:016x}\n", plan.keys.list_digest());
    let body = plan.request.body.as_ref().map(Template::shown);
    text += &format!("body: {:?}\n", body.as_deref().map(without_lengths));
    if let Some(replay) = plan.schedule.recording() {
        text += &format!("recorded requests: {:016x}\n", replay.requests.digest);
    }
    text += &format!("seed: {}, timeout: {:?}\n", plan.seed, plan.timeout);
    // Events and thresholds may come from files.
    text += &format!("events: {:?}\n", plan.events);
    let thresholds = plan.thresholds.all.iter().map(|threshold| &threshold.text);
    text += &format!("thresholds: {:?}\n", thresholds.collect::<Vec<_>>());
    Uuid::new_v5(&NAMESPACE, text.as_bytes())
}

/// The options whose values are not compared: those that each machine may have for itself, and those that name a file, whose
/// content counts instead.
pub(super) fn uncompared() -> HashSet<String> {
    let files = ["keys-file", "body-file", "events", "replay"];
    let own = of_one_machine();
    own.into_iter().chain(files.map(str::to_owned)).collect()
}

/// The options that each machine may have for itself: its connections, with the certificates that it shows and trusts, its files,
/// its threads, and its stripe.
fn of_one_machine() -> HashSet<String> {
    let groups = [
        Connections::augment_args(Command::default()),
        Generator::augment_args(Command::default()),
        Results::augment_args(Command::default()),
        Stripes::augment_args(Command::default()),
    ];
    let options = groups.iter().flat_map(Command::get_arguments);
    let longs = options.filter_map(|option| option.get_long());
    longs.chain(["ca-cert"]).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use crate::cli::Command;
    use std::fs;

    /// The fingerprint of a run with this option.
    fn fingerprint(option: &str, value: &str) -> String {
        let words = [
            "loadgen",
            "--targets",
            "http://h",
            "--seed",
            "7",
            option,
            value,
        ];
        match Command::parse(words.map(Into::into)) {
            Ok(Command::Run(setup)) => setup.fingerprint,
            other => panic!("{option} {value}: {other:?}"),
        }
    }

    #[test]
    fn files_count_by_their_contents_and_not_by_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let of = |option: &str, name: &str, content: &str| {
            let path = dir.path().join(name);
            fs::write(&path, content).unwrap();
            fingerprint(option, path.to_str().unwrap())
        };
        for (option, content, others) in [
            (
                "--replay",
                "time,key\n1,a\n2,b\n",
                &["time,key\n1,a\n2,c\n", "time,key\n1,a\n3,b\n"][..],
            ),
            (
                "--keys-file",
                "ab\t5/1s\nc\n",
                &[
                    "ab\t6/1s\nc\n",
                    "ab\nc\t5/1s\n",
                    "a\t5/1s\nbc\n",
                    "c\nab\t5/1s\n",
                ],
            ),
            ("--body-file", "{\"n\": 1}", &["{\"n\": 2}", "{\"n\": 1} "]),
            ("--events", "1s one =", &["1s two =", "2s one ="]),
        ] {
            let first = of(option, "first", content);
            assert_eq!(of(option, "same", content), first, "{option}");
            for other in others {
                assert_ne!(of(option, "first", other), first, "{option} {other:?}");
            }
        }
    }

    #[test]
    fn each_machine_may_have_its_own_file_with_the_authorities_that_it_trusts() {
        let dir = tempfile::tempdir().unwrap();
        let of = |name: &str| {
            let issuer = rcgen::generate_simple_self_signed(vec!["h".to_owned()]).unwrap();
            let path = dir.path().join(name);
            fs::write(&path, issuer.cert.pem()).unwrap();
            fingerprint("--ca-cert", path.to_str().unwrap())
        };
        assert_eq!(of("first"), of("second"));
    }

    #[test]
    fn secrets_are_not_compared_and_everything_around_them_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("body.json");
        let file = |text: &str| {
            fs::write(&path, text).unwrap();
            fingerprint("--body-file", path.to_str().unwrap())
        };
        let given = |option: &'static str| move |text: &str| fingerprint(option, text);
        let [body, header] = ["--body", "--header"].map(given);
        type Fingerprint<'a> = &'a dyn Fn(&str) -> String;
        let all: [(Fingerprint, _, _); 3] = [
            (
                &file,
                r#"{"password": "SECRET", "n": 1}"#,
                r#"{"password": "SECRET", "n": 2}"#,
            ),
            (
                &body,
                r#"{"password": "SECRET", "n": 1}"#,
                r#"{"password": "SECRET"}"#,
            ),
            (
                &header,
                "Authorization: Bearer SECRET",
                "Authorization: Basic SECRET",
            ),
        ];
        for (of, text, other) in all {
            let with = |text: &str, secret| of(&text.replace("SECRET", secret));
            let first = with(text, "dG9rZW4tb25l");
            for secret in ["dG9rZW4tdHdv", "dG9rZW4tdGhyZWU0NTY3"] {
                assert_eq!(with(text, secret), first, "{text}");
                assert_ne!(with(other, secret), first, "{text}");
            }
        }
    }
}
