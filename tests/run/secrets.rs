//! Secrets in requests are shown nowhere, unless `--show-secrets` asks for them.

use crate::support::metrics::{address, ask};
use crate::support::run::{Launch, loadgen};
use crate::support::server::{Reply, Request, Server};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A secret for each place that takes one. Parts of URLs and of JSON are written in several ways.
const IN_HEADERS: &[(&str, &str)] = &[
    ("X-Auth: ", "header-auth-1"),
    ("X-Signature: ", "header-sign-2"),
    ("Ocp-Apim-Subscription-Key: ", "header-ocp-3"),
    ("X-Credential: ", "header-cred-4"),
    ("X-Session: ", "header-sess-5"),
    ("X-Pwd: ", "header-pwd-6"),
    ("Authorization: Bearer ", "header-bearer-7"),
    ("Proxy-Authorization: Basic ", "dXNlcjpiYXNpYy1wYXNzLTg="),
    ("Cookie: sid=", "cookie-value-9"),
    ("Referer: https://h/?token=", "referer-value-10"),
    ("X-Mixed: {key} ", "header-mixed-11"),
];
const BASIC_PASSWORD: &str = "basic-pass-8";
const IN_QUERY: &[&str] = &["query-value-12", "query-alone-13"];
const PATH: &str = "/check?api_key=query-value-12&limit=5&{seq}&query-alone-13&env={env:IN_QUERY}";
const JSON: &str = r#"{"key":"{key}","limit":{limit},"password":"json-value-14","pin":9182736450,
    "deep":[{"list":["json-list-15"]}],"env":"{env:IN_BODY}"}"#;
const IN_JSON: &[&str] = &["json-value-14", "9182736450", "json-list-15"];
const FORM: &str = "user=form-value-16&key={key}&limit=3";
const TEXT: &str = "prose with text-value-17 and text-value-18";
const VARIABLES: &[(&str, &str)] = &[
    ("IN_HEADER", "env-header-19"),
    ("IN_QUERY", "env query/20"),
    ("IN_BODY", "env-\"body\"-21"),
];

fn folder() -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("secrets-{}", NUMBER.fetch_add(1, Relaxed));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Answers with all of the request, in headers and in the body.
fn echoing() -> Server {
    Server::start(|request: &Request| {
        let headers = request.headers.iter();
        let headers = headers.map(|(name, value)| format!("X-Echo-{name}: {value}\r\n"));
        let body = format!(
            "no such thing: {} {} {BASIC_PASSWORD} {}",
            request.path,
            request.header_values("X-Auth").join(","),
            String::from_utf8_lossy(&request.body)
        );
        Reply::raw(format!(
            "HTTP/1.1 500 No\r\nServer: echo\r\nLocation: {}\r\n{}Content-Length: {}\r\n\r\n{body}",
            request.path,
            headers.collect::<String>(),
            body.len()
        ))
    })
}

/// The ways in which a secret may be written.
fn spellings(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    vec![
        secret.to_owned(),
        json[1..json.len() - 1].to_owned(),
        secret.replace(' ', "%20").replace('/', "%2F"),
    ]
}

fn with_secrets(launch: Launch) -> Launch {
    let headers = IN_HEADERS
        .iter()
        .map(|(name, secret)| format!("--header={name}{secret}"));
    let launch = launch.args(headers).arg("--header=X-Env: {env:IN_HEADER}");
    let launch = launch.arg(format!("--path={PATH}"));
    let variables = VARIABLES.iter();
    variables.fold(launch, |launch, (name, value)| launch.env(name, value))
}

fn all_secrets() -> Vec<&'static str> {
    let headers = IN_HEADERS.iter().map(|(_, secret)| *secret);
    let variables = VARIABLES.iter().map(|(_, secret)| *secret);
    let others = IN_QUERY.iter().chain([&BASIC_PASSWORD]).copied();
    headers.chain(variables).chain(others).collect()
}

/// The secrets that occur in a text, in any spelling.
fn found<'a>(text: &str, secrets: &[&'a str]) -> Vec<&'a str> {
    let secrets = secrets.iter().copied();
    let occurs = |secret: &&str| {
        spellings(secret)
            .iter()
            .any(|spelling| text.contains(spelling))
    };
    secrets.filter(occurs).collect()
}

/// Everything that a run and its plan print, write and serve, each with its name.
fn outputs(options: &[String]) -> Vec<(String, String)> {
    let server = echoing();
    let folder = folder();
    let launch = with_secrets(server.launch("--rps 20 --duration 0.2 --seed 5"));
    let mut launch = launch
        .args(options)
        .args(["--metrics-addr=127.0.0.1:0", "--metrics-linger=25"]);
    for (flag, name) in [
        ("report", "report.html"),
        ("summary-json", "summary.json"),
        ("summary-markdown", "summary.md"),
        ("timeline", "timeline.csv"),
        ("hdr-log", "hdr.log"),
        ("requests", "requests.csv"),
    ] {
        launch = launch.arg(format!("--{flag}={}", folder.join(name).display()));
    }
    let run = launch.start();
    let address = address(&run);
    run.await_line("metrics stay available at");
    let metrics = ask(address, "GET", "/metrics").expect("an answer").body;
    run.terminate();
    let finished = run.finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    assert!(!server.requests().is_empty());

    let plan = with_secrets(loadgen("plan --targets http://h"))
        .args(options)
        .finish();
    assert_eq!(plan.code(), Some(0), "{plan}");
    let page = loadgen("report --output -")
        .arg(folder.join("summary.json"))
        .finish();
    let mut outputs = vec![
        ("run".to_owned(), finished.to_string()),
        ("metrics".to_owned(), metrics),
        ("plan".to_owned(), plan.to_string()),
        ("page".to_owned(), page.to_string()),
    ];
    for entry in fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("a file").path();
        let text = fs::read_to_string(&path).expect("text");
        outputs.push((
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned(),
            text,
        ));
    }
    assert_eq!(outputs.len(), 10);
    outputs
}

#[test]
fn no_secret_is_in_anything_that_comes_out_unless_it_was_asked_for() {
    let file = folder().join("body.json");
    fs::write(&file, JSON).expect("a file");
    for (body, in_body) in [
        (vec![format!("--body={JSON}")], IN_JSON),
        (vec![format!("--body-file={}", file.display())], IN_JSON),
        (
            vec![
                format!("--body={FORM}"),
                "--header=Content-Type: application/x-www-form-urlencoded".to_owned(),
            ],
            &["form-value-16"],
        ),
        (
            vec![
                format!("--body={TEXT}"),
                "--header=Content-Type: text/plain".to_owned(),
            ],
            &["text-value-17", "text-value-18"],
        ),
    ] {
        let secrets = [all_secrets(), in_body.to_vec()].concat();
        for (name, text) in outputs(&body) {
            assert_eq!(
                found(&text, &secrets),
                [""; 0],
                "in {name} with {body:?}:\n{text}"
            );
        }
        let shown = outputs(&[body.clone(), vec!["--show-secrets".to_owned()]].concat());
        let of = |name: &str| &shown.iter().find(|(of, _)| of == name).expect(name).1;
        for secret in &secrets {
            if *secret != BASIC_PASSWORD && (*secret != "env-\"body\"-21" || in_body == IN_JSON) {
                assert_eq!(found(of("plan"), &[*secret]), [*secret], "{}", of("plan"));
            }
        }
        for name in ["summary.json", "report.html"] {
            let in_settings = &all_secrets()[..IN_HEADERS.len()];
            assert_eq!(found(of(name), in_settings), in_settings, "in {name}");
        }
    }
}

#[test]
fn what_is_hidden_still_has_its_shape() {
    let outputs = outputs(&[format!("--body={JSON}")]);
    let of = |name: &str| &outputs.iter().find(|(of, _)| of == name).expect(name).1;
    for line in [
        "X-Auth: ***(13 bytes)",
        "Authorization: Bearer ***(15 bytes)",
        "Cookie: sid=***(14 bytes)",
        "X-Env: {env:IN_HEADER}",
        "POST /check?api_key=***(14 bytes)&limit=5&0&***(14 bytes)&env={env:IN_QUERY}",
        r#""limit":100,"password":"***(13 bytes)","pin":***(10 bytes),"#,
    ] {
        assert!(of("plan").contains(line), "{line} in {}", of("plan"));
    }
    // The answer of the server, in the printed summary.
    for part in [
        "server: echo",
        "no such thing: /check?api_key=***(14 bytes)&limit=5&0&",
    ] {
        assert!(
            of("summary.json").contains(part),
            "{part} in {}",
            of("summary.json")
        );
    }
}

#[test]
fn the_command_that_repeats_a_run_does_so_once_its_variables_are_set() {
    let server = Server::allowing();
    let summary = folder().join("summary.json");
    let options = "--rps 10 --duration 0.1 --seed 3 --show-secrets";
    let launch = server.launch(options).args([
        "--header=X-Auth: it's me",
        "--header=X-Auth: {key}",
        "--header=X-Mine: {env:MINE}",
        "--path=/check?a=b%20c&limit=5",
        r#"--body={"password":"a\"b","pin":123,"x":["{{key}","{key}"]}"#,
    ]);
    let launch = launch
        .env("MINE", "my own")
        .arg(format!("--summary-json={}", summary.display()));
    launch.report();
    let text = fs::read_to_string(summary).expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let configuration = &summary["configuration"];
    let command = configuration["command"].as_str().expect("a command");
    assert!(
        !command.contains("it's") && !command.contains("--show-secrets"),
        "{command}"
    );
    let variables = configuration["variables"].as_array().expect("variables");
    let names: Vec<_> = variables
        .iter()
        .map(|one| one["name"].as_str().expect("a name"))
        .collect();
    let values = [
        ("SECRET_A", "b c"),
        ("SECRET_X_AUTH", "it's me"),
        ("MINE", "my own"),
        ("SECRET_PASSWORD", "a\"b"),
        ("SECRET_PIN", "123"),
        ("SECRET_X", "{key}"),
    ];
    assert_eq!(names, values.map(|(name, _)| name), "{command}");
    let script = format!("loadgen() {{ \"$BINARY\" \"$@\"; }}\n{command}\n");
    let status = Command::new("sh")
        .args(["-c", &script])
        .env("BINARY", env!("CARGO_BIN_EXE_loadgen"))
        .envs(values)
        .output();
    let output = status.expect("a shell");
    assert!(output.status.success(), "{output:?}");
    let requests = server.requests();
    let [first, second] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!(first.head, second.head);
    assert_eq!(first.text(), second.text());
    assert!(first.text().contains("{key}"), "{}", first.text());
}

#[test]
fn a_refusal_repeats_no_secret() {
    const SECRET: &str = "s3cret-v4lue";
    let long = "x".repeat(9_000);
    for arguments in [
        &["--header=X-Auth: s3cret-v4lue {usr}"][..],
        &["--header=X-Auth: s3cret-v4lue\u{7f}"],
        &["--header", "s3cret-v4lue"],
        &["--header", "Bearer s3cret-v4lue: x"],
        &["--header", "-s3cret-v4lue"],
        &["--header", "X-Auth:", "s3cret-v4lue"],
        &["--header=X-Auth:", "Bearer", "s3cret-v4lue"],
        &["--header=Content-Length: s3cret-v4lue"],
        &["--header=A: 1\ns3cret-v4lue"],
        &[&format!("--header=X-Auth: s3cret-v4lue{long}")],
        &[&format!(
            "--header=X-Auth: s3cret-v4lue{}",
            "{uuid}".repeat(1_300)
        )],
        &["--header=X-Auth: s3cret-v4lue{env:NOT_SET}"],
        &["--header=X-Auth: {env:s3cret-v4lue}"],
        &["--header=X-Auth: {env:WITH_LINE_END}"],
        &["--path=/?a=s3cret-v4lue {usr}"],
        &["--path=check?a=s3cret-v4lue"],
        &["--path=/{env:NOT_SET}?a=s3cret-v4lue"],
        &["--path=/check?a=s3cret-v4lue", "--path=/x"],
        &["--demo", "--path=/x?a=s3cret-v4lue"],
        &["--body=s3cret-v4lue"],
        &["--body={\"password\":s3cret-v4lue}"],
        &["--body={\"password\":\"s3cret-v4lue\",\"a\":{key}}"],
        &["--body=s3cret-v4lue {usr}"],
        &["--body=s3cret-v4lue", "--body-file=x"],
        &["--body=s3cret-v4lue", "--body=x"],
        &[
            "--body={\"a\":\"s3cret-v4lue\",\"window\":\"{window_s}\"}",
            "--window=1500ms",
            "--preset=check",
            "--rps=x",
        ],
        &["--targets=http://me:s3cret-v4lue@h"],
        &["--targets=http://h,http://me:s3,s3cret-v4lue@h"],
        &["--targets=http://h?token=s3cret-v4lue", "--path=/x"],
        &["--targets=http://h/{usr}?token=s3cret-v4lue"],
        &["--targets=http://h#s3cret-v4lue,http://x"],
        &["http://me:s3cret-v4lue@h"],
        &["http://h/?token=s3cret-v4lue#x"],
        &["http://h/{usr}?token=s3cret-v4lue"],
        &["http://h/?token=a", "s3cret-v4lue"],
        &["-H", "X-Auth:", "s3cret-v4lue"],
        &["-HX-Auth: s3cret-v4lue {usr}"],
        &["-d", "x", "s3cret-v4lue"],
        &[
            "-d{\"a\":\"s3cret-v4lue\"",
            "-HContent-Type: application/json",
        ],
        &["--metrics-addr=http://me:s3cret-v4lue@h:1"],
    ] {
        for command in ["", "plan"] {
            let launch = loadgen(command).env("WITH_LINE_END", "s3cret-v4lue\n");
            let finished = launch.args(arguments).finish();
            finished.assert_refused(&[]);
            assert!(
                !finished.stderr.contains(SECRET),
                "{arguments:?}: {finished}"
            );
        }
    }
    for (variable, value) in [
        ("LOADGEN_HEADER", "A: 1\nX-Auth s3cret-v4lue"),
        ("LOADGEN_HEADER", "X-Auth: s3cret-v4lue {usr}"),
        ("LOADGEN_PATH", "x?a=s3cret-v4lue"),
        ("LOADGEN_BODY", "s3cret-v4lue"),
        ("TARGETS", "http://me:s3cret-v4lue@h"),
    ] {
        let finished = loadgen("").env(variable, value).finish();
        finished.assert_refused(&[variable]);
        assert!(!finished.stderr.contains(SECRET), "{variable}: {finished}");
    }
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf_8_is_not_repeated_if_it_may_be_a_secret() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let glued = OsStr::from_bytes(b"--header=X-Auth: s3cret\xff");
    let alone = OsStr::from_bytes(b"X-Auth: s3cret\xff");
    for arguments in [&[glued][..], &[OsStr::new("--header"), alone]] {
        let finished = loadgen("").args(arguments).finish();
        finished.assert_refused(&["--header", "UTF-8"]);
        assert!(!finished.stderr.contains("s3cret"), "{finished}");
    }
}

#[test]
fn a_variable_that_is_missing_is_named() {
    for (option, name) in [
        (
            "--header=X-Auth: {env:NOT_SET}",
            "--header 'X-Auth: {env:NOT_SET}'",
        ),
        ("--path=/{env:NOT_SET}", "--path '/{env:NOT_SET}'"),
        ("--body={env:NOT_SET}", "--body '{env:NOT_SET}'"),
    ] {
        let says = "the environment variable NOT_SET must be set";
        loadgen("plan").arg(option).assert_refused(&[name, says]);
    }
    let braces = loadgen("plan --targets http://h").arg("--header=X-A: {{env:NOT_SET}");
    assert!(braces.finish().stdout().contains("X-A: ***(13 bytes)"));
}
