//! `loadgen kubernetes`: the manifests, and the pods that a cluster makes of them.

use crate::support::run::{Finished, Launch, loadgen};
use crate::support::server::{Request, Server};
use jiff::Timestamp;
use rcgen::generate_simple_self_signed;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
#[cfg(target_os = "linux")]
use std::thread;
use std::time::Duration;
#[cfg(target_os = "linux")]
use std::time::Instant;
use tempfile::TempDir;

const STRIPES: usize = 3;

/// The objects that a deployment of these options prints.
struct Manifests(Vec<Value>);

impl Manifests {
    fn of(before: &str, options: &[&str]) -> Manifests {
        let finished = deployed(before, options).finish();
        assert_eq!(finished.code(), Some(0), "{finished}");
        Manifests::read(&finished.stdout())
    }

    fn read(text: &str) -> Manifests {
        let documents = text.split("\n---\n");
        let read = documents.map(|document| serde_saphyr::from_str(document).expect(document));
        Manifests(read.collect())
    }

    fn get(&self, kind: &str, name: &str) -> &Value {
        let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
        let found = self.0.iter().find(is_it);
        found.unwrap_or_else(|| panic!("no {kind} {name} in {:#?}", self.0))
    }

    /// The texts of an object, by name.
    fn texts(&self, kind: &str, name: &str, field: &str) -> BTreeMap<String, String> {
        serde_json::from_value(self.get(kind, name)[field].clone()).expect("texts")
    }

    fn without_secrets(&self) -> String {
        let objects = self.0.iter().filter(|object| object["kind"] != "Secret");
        objects.map(Value::to_string).collect()
    }
}

fn deployed(before: &str, options: &[&str]) -> Launch {
    let launch = loadgen("kubernetes").args(before.split_whitespace());
    launch.arg("--").args(options)
}

/// What Kubernetes makes of a text with references to variables, by its documentation.
fn expanded(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded += before;
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) =
            rest.strip_prefix('(').and_then(|rest| rest.split_once(')'))
            && let Some(value) = variables.get(name)
        {
            expanded += value;
            rest = after;
        } else {
            expanded.push('$');
        }
    }
    expanded + rest
}

/// The pod of a Job as a process, with folders here in the place of its volumes. `own` is the Secret of the cluster.
fn pod(
    manifests: &Manifests,
    job: &str,
    own: &BTreeMap<String, String>,
    volumes: &Path,
    index: usize,
) -> Launch {
    let pod = &manifests.get("Job", job)["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let list = |field: &str| container[field].as_array().cloned().unwrap_or_default();
    let objects = |source: &Value, config_map: &str, secret: &str| {
        let name = |kind: &str, field: &str| source[kind][field].as_str().map(str::to_owned);
        let secret_name = if secret == "secret" {
            "secretName"
        } else {
            "name"
        };
        match (name(config_map, "name"), name(secret, secret_name)) {
            (Some(name), _) => Some(manifests.texts("ConfigMap", &name, "data")),
            (None, Some(name)) if name == "own" => Some(own.clone()),
            (None, Some(name)) => Some(manifests.texts("Secret", &name, "stringData")),
            (None, None) => None,
        }
    };
    let mut variables = BTreeMap::new();
    for source in list("envFrom") {
        variables.extend(objects(&source, "configMapRef", "secretRef").expect("an object"));
    }
    for variable in list("env") {
        let source = &variable["valueFrom"];
        let texts = objects(source, "configMapKeyRef", "secretKeyRef").expect("an object");
        let key = source["configMapKeyRef"]["key"].as_str();
        let key = key
            .or(source["secretKeyRef"]["key"].as_str())
            .expect("a key");
        variables.insert(
            variable["name"].as_str().expect("a name").to_owned(),
            texts[key].clone(),
        );
    }
    if manifests.get("Job", job)["spec"]["completionMode"] == "Indexed" {
        variables.insert("JOB_COMPLETION_INDEX".to_owned(), index.to_string());
    }
    let mut arguments: Vec<_> = list("args")
        .iter()
        .map(|text| expanded(text.as_str().expect("a text"), &variables))
        .collect();
    for mount in list("volumeMounts") {
        let folder = mount["mountPath"].as_str().expect("a folder");
        let mut all = pod["volumes"].as_array().expect("volumes").iter();
        let volume = all
            .find(|volume| volume["name"] == mount["name"])
            .expect("a volume");
        let here = match mount["subPathExpr"].as_str() {
            Some(part) => {
                let claim = volume["persistentVolumeClaim"]["claimName"]
                    .as_str()
                    .expect("a claim");
                let expanded = expanded(part, &variables);
                assert!(!expanded.contains('$'), "{expanded}");
                volumes.join(claim).join(expanded)
            }
            None => volumes.join(folder.trim_start_matches('/')),
        };
        fs::create_dir_all(&here).expect("a folder");
        for (name, text) in objects(volume, "configMap", "secret").unwrap_or_default() {
            fs::write(here.join(name), text).expect("a file");
        }
        let here = here.to_str().expect("a path in UTF-8");
        for text in arguments.iter_mut().chain(variables.values_mut()) {
            let value = match text.strip_prefix("--") {
                Some(flag) => flag.split_once('=').map_or("", |(_, value)| value),
                None => text,
            };
            if value == folder || value.starts_with(&format!("{folder}/")) {
                *text = text.replacen(folder, here, 1);
            }
        }
    }
    // Each pod has its own network, in which port 9100 is free.
    if let Some(address) = variables.get_mut("LOADGEN_METRICS_ADDR") {
        assert_eq!(address, ":9100");
        *address = "127.0.0.1:0".to_owned();
    }
    let launch = loadgen("").args(arguments);
    variables
        .iter()
        .fold(launch, |launch, (name, value)| launch.env(name, value))
}

/// What a server sees of a request.
fn seen(request: &Request) -> (String, String, String, String) {
    let header = |name: &str| request.header(name).to_owned();
    (
        request.path.clone(),
        header("x-secret"),
        header("x-own"),
        request.text().to_owned(),
    )
}

#[test]
fn pods_together_send_what_one_process_would_and_each_writes_its_stripe() {
    let folder = TempDir::new().unwrap();
    let in_folder = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(
        in_folder("body"),
        "{\"k\":\"{key}\",\"n\":{seq},\"pin\":\"12: 34\"}\n",
    )
    .unwrap();
    fs::write(in_folder("keys"), "yes\n- a\n\"q\": *x # no\n0123\n").unwrap();
    let own = BTreeMap::from([("MINE".to_owned(), "a value $(HOME) of mine".to_owned())]);
    let options = |server: &Server| -> Vec<String> {
        let options = [
            "--rps=40",
            "--duration=2",
            "--burst-interval=1",
            "--burst-duration=500ms",
            "--arrivals=poisson",
            "--seed=7",
            "--header=X-Secret: it's $(JOB_COMPLETION_INDEX) $$ \"50%\": # no",
            "--header=X-Own: {env:MINE}",
            "--method=POST",
        ];
        let files = [
            format!("--body-file={}", in_folder("body")),
            format!("--keys-file={}", in_folder("keys")),
        ];
        let url = format!("{}/v1/$(LOADGEN_SEED)?token=s3cret&n={{seq}}", server.url());
        options
            .map(str::to_owned)
            .into_iter()
            .chain(files)
            .chain([url])
            .collect()
    };
    let with_mine = |launch: Launch| launch.env("MINE", &own["MINE"]);

    let shared = Server::allowing();
    let printed = {
        let options = options(&shared);
        let mut options: Vec<_> = options.iter().map(String::as_str).collect();
        options.extend([
            "--start-at=+6s",
            "--summary-json=x/all.json",
            "--report=all.html",
        ]);
        let finished =
            with_mine(deployed("--stripes 3 --name run --secret own", &options)).finish();
        assert_eq!(finished.code(), Some(0), "{finished}");
        assert!(
            finished
                .stderr
                .contains("is the pod itself, not this machine"),
            "{finished}"
        );
        finished.stdout()
    };
    let manifests = Manifests::read(&printed);
    assert!(!printed.contains(&own["MINE"]), "{printed}");
    let plain = manifests.without_secrets();
    for secret in ["it's", "s3cret", "12: 34", "0123"] {
        assert!(!plain.contains(secret), "{secret} in {plain}");
    }

    let volumes = TempDir::new().unwrap();
    let pods: Vec<_> = (0..STRIPES)
        .map(|index| pod(&manifests, "run", &own, volumes.path(), index).start())
        .collect();
    let merge = pod(&manifests, "run-merge", &own, volumes.path(), 0).start();
    let alone = Server::allowing();
    let whole = with_mine(loadgen("").args(options(&alone))).finish();
    assert_eq!(whole.code(), Some(0), "{whole}");
    let finished: Vec<Finished> = pods.into_iter().map(|pod| pod.finish()).collect();

    let merge = merge.finish();
    assert_eq!(merge.code(), Some(0), "{merge}");
    let plan = manifests.texts("ConfigMap", "run-plan", "data");
    let results = volumes
        .path()
        .join("loadgen-results/run")
        .join(&plan["LOADGEN_START_AT"]);
    let summary = |name: &str| -> Value {
        let text = fs::read_to_string(results.join(name)).expect(name);
        serde_json::from_str(&text).expect("JSON")
    };
    assert!(
        fs::read_to_string(results.join("all.html"))
            .expect("a page")
            .contains("<html")
    );
    let merged = summary("all.json");

    let mut plans = Vec::new();
    let mut sent = Vec::new();
    for (index, pod) in finished.iter().enumerate() {
        assert_eq!(pod.code(), Some(0), "{pod}");
        let summary = summary(&format!("stripes/summary-{index}.json"));
        assert_eq!(summary["stripe"]["index"], index);
        assert_eq!(summary["stripe"]["of"], STRIPES);
        plans.push(summary["stripe"]["plan"].clone());
        sent.push(summary["requests"]["sent"].as_u64().unwrap());
    }
    plans.dedup();
    assert_eq!(plans.len(), 1, "{plans:?}");
    let [mut together, mut by_one]: [Vec<_>; 2] =
        [&shared, &alone].map(|server| server.requests().iter().map(seen).collect());
    together.sort_unstable();
    by_one.sort_unstable();
    assert!(by_one.len() > 100, "{} requests", by_one.len());
    assert_eq!(sent.iter().sum::<u64>(), by_one.len() as u64);
    assert_eq!(merged["requests"]["sent"], by_one.len());
    assert_eq!(merged["requests"]["scheduled"], by_one.len());
    assert!(
        sent.iter().all(|sent| *sent >= by_one.len() as u64 / 3),
        "{sent:?}"
    );
    assert_eq!(together, by_one);
    assert_eq!(by_one[0].1, "it's $(JOB_COMPLETION_INDEX) $$ \"50%\": # no");
    assert_eq!(by_one[0].2, own["MINE"]);
    assert!(
        by_one[0]
            .0
            .starts_with("/v1/$(LOADGEN_SEED)?token=s3cret&n="),
        "{}",
        by_one[0].0
    );
}

/// Waits until a process handles SIGTERM, so that the signal does not end it.
#[cfg(target_os = "linux")]
fn await_handler(process: u32) {
    const SIGTERM: u32 = 15;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.expect("a mask").trim(), 16).expect("a mask");
        if caught >> (SIGTERM - 1) & 1 == 1 {
            return;
        }
        assert!(Instant::now() < deadline, "SIGTERM is not handled");
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_merge_pod_that_is_deleted_merges_the_stripes_that_are_there() {
    let server = Server::allowing();
    let url = server.url();
    let options = [&*url, "--count=8", "--rps=40", "--start-at=+3s"];
    let manifests = Manifests::of("--stripes 2 --name run --merge-wait 1h", &options);
    let (own, volumes) = (BTreeMap::new(), TempDir::new().unwrap());
    let stripe = pod(&manifests, "run", &own, volumes.path(), 1).finish();
    assert_eq!(stripe.code(), Some(0), "{stripe}");
    let merge = pod(&manifests, "run-merge", &own, volumes.path(), 0).start();
    await_handler(merge.id());
    merge.terminate();
    let merge = merge.finish();
    assert_eq!(merge.code(), Some(3), "{merge}");
    let plan = manifests.texts("ConfigMap", "run-plan", "data");
    let results = volumes
        .path()
        .join("loadgen-results/run")
        .join(&plan["LOADGEN_START_AT"]);
    let text = fs::read_to_string(results.join("summary.json")).expect("a summary");
    let merged: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(merged["requests"]["sent"], 4, "{merged}");
}

#[test]
fn the_base_is_what_its_command_prints() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker/kubernetes/base");
    let kustomization = fs::read_to_string(base.join("kustomization.yaml")).unwrap();
    let command = kustomization
        .lines()
        .find_map(|line| line.split_once("    loadgen kubernetes "));
    let words = shlex::split(command.expect("a command").1).unwrap();
    let finished = loadgen("kubernetes").args(words).finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    let file = base.join("loadgen.yaml");
    assert_eq!(
        finished.stdout(),
        fs::read_to_string(&file).unwrap(),
        "{}",
        file.display()
    );
}

#[test]
fn a_failed_stripe_is_not_repeated_and_the_merge_waits_for_all() {
    let manifests = Manifests::of(
        "--stripes 5 --name run --namespace load --image r.example/l:1 --claim shared --merge-wait 90s",
        &[
            "http://a",
            "--audit=sliding-window",
            "--drain-timeout=20s",
            "--report=x/r.html",
            "--timeline=x/t.tar.csv",
            "--start-at=2200-01-01T00:00:00.5Z",
        ],
    );
    assert!(
        manifests
            .0
            .iter()
            .all(|object| object["metadata"]["namespace"] == "load")
    );
    assert!(
        manifests
            .0
            .iter()
            .all(|object| object["kind"] != "PersistentVolumeClaim")
    );
    let plan = manifests.texts("ConfigMap", "run-plan", "data");
    assert_eq!(plan["LOADGEN_START_AT"], "2200-01-01T00:00:00.5Z");
    let job = &manifests.get("Job", "run")["spec"];
    for (field, value) in [
        ("completions", 5),
        ("parallelism", 5),
        ("backoffLimitPerIndex", 0),
    ] {
        assert_eq!(job[field], value, "{field}");
    }
    assert_eq!(job["completionMode"], "Indexed");
    assert_eq!(job["podReplacementPolicy"], "Failed");
    let pod = &job["template"]["spec"];
    assert_eq!(pod["restartPolicy"], "Never");
    assert!(pod["terminationGracePeriodSeconds"].as_u64() > Some(20));
    let arguments = &pod["containers"][0]["args"];
    let expected = serde_json::json!([
        "--summary-json=/stripes/summary-$(JOB_COMPLETION_INDEX).json",
        "--requests=/stripes/requests-$(JOB_COMPLETION_INDEX).csv",
        "--timeline=/stripes/t.tar-$(JOB_COMPLETION_INDEX).csv",
        "http://a"
    ]);
    assert_eq!(*arguments, expected);
    let merge = &manifests.get("Job", "run-merge")["spec"];
    assert_eq!(merge["backoffLimit"], 0);
    let container = &merge["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "r.example/l:1");
    let expected = serde_json::json!([
        "merge",
        "--stripes=$(LOADGEN_STRIPES)",
        "--wait=90s",
        "--output=/results/summary.json",
        "--report=/results/r.html",
        "/stripes"
    ]);
    assert_eq!(container["args"], expected);
    // Both see the same folder, which is that of this start.
    let folder = |container: &Value| -> Value {
        let mut mounts = container["volumeMounts"].as_array().unwrap().iter();
        mounts
            .find(|mount| mount["mountPath"] == "/stripes")
            .unwrap()["subPathExpr"]
            .clone()
    };
    assert_eq!(folder(container), folder(&pod["containers"][0]));
}

/// The pods of a Job as Kubernetes compares them: a Job whose template is not the same is refused.
fn templates(manifests: &Manifests, names: [&str; 2]) -> [Value; 2] {
    names.map(|name| manifests.get("Job", name)["spec"]["template"].clone())
}

#[test]
fn another_run_of_the_same_name_can_not_be_taken_for_the_first() {
    let folder = TempDir::new().unwrap();
    let events = |text: &str| {
        let file = folder.path().join("events");
        fs::write(&file, text).unwrap();
        format!("--events={}", file.to_str().unwrap())
    };
    let of = |more: &[&str]| {
        let options = [
            "http://a",
            "--start-at=2200-01-01T00:00:00Z",
            "--header=Authorization: secret",
        ];
        let options = [&options[..], more].concat();
        // By default, the merge's wait depends on the time that is left until the start.
        Manifests::of("--stripes 2 --name run --merge-wait 1h", &options)
    };
    let base = ["--seed=1", "--rps=10", &events("1s half =\n")];
    let first = of(&base);
    let again = of(&base);
    let names = ["run", "run-merge"];
    assert_eq!(templates(&again, names), templates(&first, names));
    for object in [
        "ConfigMap run-plan",
        "ConfigMap run-files",
        "Secret run-secrets",
    ] {
        let (kind, name) = object.split_once(' ').unwrap();
        assert_eq!(first.get(kind, name)["immutable"], true, "{object}");
    }
    let mut others = vec![
        of(&["--seed=2", base[1], base[2]]),
        of(&[base[0], "--rps=11", base[2]]),
    ];
    // The same file with another text.
    events("2s half =\n");
    others.push(of(&base));
    for other in others {
        let [first, other] = [&first, &other].map(|manifests| templates(manifests, names));
        for (one, other) in first.iter().zip(&other) {
            assert_ne!(one, other);
        }
    }
}

#[test]
fn the_default_name_is_that_of_the_start_and_the_plan() {
    let name = |options: &[&str]| -> String {
        let options = [options, &["http://a", "--start-at=2200-01-01T00:00:00Z"]].concat();
        let manifests = Manifests::of("--stripes 2", &options);
        let mut jobs = manifests.0.iter().filter(|object| object["kind"] == "Job");
        jobs.next().unwrap()["metadata"]["name"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first = name(&["--seed=1"]);
    assert!(first.starts_with("loadgen-22000101-000000-"), "{first}");
    assert!(first.len() <= 40, "{first}");
    assert_eq!(name(&["--seed=1"]), first);
    for other in [&["--seed=2"][..], &["--seed=1", "--rps=7"], &[]] {
        assert_ne!(name(other), first, "{other:?}");
    }
}

#[test]
fn a_private_key_never_stands_in_a_config_map() {
    let folder = TempDir::new().unwrap();
    let certified = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let file = |name: &str, text: String| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let both = file("both.pem", format!("{certificate}{key}"));
    let plain = file("plain.pem", certificate);
    for option in ["--ca-cert", "--cert"] {
        let in_option = format!("{option}={both}");
        let manifests = Manifests::of("--stripes 2 --name run", &["https://a", &in_option]);
        assert!(!manifests.without_secrets().contains("PRIVATE KEY"));
        let secret = manifests.texts("Secret", "run-secret-files", "stringData");
        let text = &secret[option.trim_start_matches('-')];
        assert!(text.contains("PRIVATE KEY"), "{text}");
    }
    let option = format!("--ca-cert={plain}");
    let manifests = Manifests::of("--stripes 2 --name run", &["https://a", &option]);
    manifests.get("ConfigMap", "run-files");
}

#[test]
fn each_class_and_size_has_a_claim_of_its_own() {
    for (before, name) in [
        ("", "loadgen-results"),
        ("--storage 1Gi", "loadgen-results"),
        ("--storage 20Gi", "loadgen-results-20gi"),
        ("--storage-class nfs.csi", "loadgen-results-nfs.csi"),
        (
            "--storage-class nfs.csi --storage 5T",
            "loadgen-results-nfs.csi-5t",
        ),
    ] {
        let manifests = Manifests::of(&format!("--stripes 2 --name run {before}"), &["http://a"]);
        manifests.get("PersistentVolumeClaim", name);
        for job in ["run", "run-merge"] {
            let volumes = &manifests.get("Job", job)["spec"]["template"]["spec"]["volumes"];
            assert_eq!(volumes[0]["persistentVolumeClaim"]["claimName"], name);
        }
    }
}

#[test]
fn requests_that_do_not_fit_into_the_claim_are_announced() {
    let announces = |before: &str, duration: &str| {
        let duration = format!("--duration={duration}");
        let options = [
            "http://a",
            "--audit=sliding-window",
            "--rps=10000",
            "--burst-enabled=false",
            &duration,
        ];
        let finished = deployed(&format!("--stripes 2 {before}"), &options).finish();
        assert_eq!(finished.code(), Some(0), "{finished}");
        let in_comment = finished
            .stdout()
            .contains("# The stripes' files of requests");
        assert_eq!(finished.stderr.contains("files of requests"), in_comment);
        in_comment
    };
    // 1.56 MB a second: 1 GiB is full after 688 s.
    assert!(!announces("", "680s"));
    assert!(announces("", "700s"));
    assert!(!announces("--storage 2Gi", "700s"));
    assert!(announces("--storage 999M", "680s"));
    assert!(!announces("--claim shared", "700s"));
}

#[test]
fn a_start_at_which_no_pod_may_be_ready_is_announced() {
    let announces = |options: &[&str]| {
        let options = [&["http://a"], options].concat();
        let finished = deployed("--stripes 2", &options).finish();
        assert_eq!(finished.code(), Some(0), "{finished}");
        let in_comment = finished.stdout().contains("# The start is in ");
        assert_eq!(finished.stderr.contains("The start is in "), in_comment);
        in_comment
    };
    assert!(announces(&["--start-at=+3s"]));
    assert!(!announces(&["--start-at=+3s", "--join-late"]));
    assert!(!announces(&["--start-at=+5m"]));
    assert!(!announces(&[]));
}

#[test]
fn characters_that_end_lines_in_yaml_are_escaped_also_in_comments() {
    let ends = ['\u{2028}', '\u{2029}'];
    for end in ends {
        let prefix = format!("--key-prefix=a{end}b");
        let finished = deployed("--stripes 2", &["http://a", &prefix]).finish();
        assert_eq!(finished.code(), Some(0), "{finished}");
        let text = finished.stdout();
        assert!(!text.contains(ends), "{finished}");
        let manifests = Manifests::read(&text);
        let plans = manifests
            .0
            .iter()
            .filter_map(|object| object["data"]["LOADGEN_KEY_PREFIX"].as_str());
        assert_eq!(plans.collect::<Vec<_>>(), [format!("a{end}b")]);
    }
}

#[test]
fn a_name_leaves_room_for_the_index_of_the_stripe() {
    let timeline = |length: usize| format!("--timeline={}", "t".repeat(length));
    let deployed = |length| deployed("--stripes 11", &["http://a", &timeline(length)]);
    let fits = deployed(252).finish();
    assert_eq!(fits.code(), Some(0), "{fits}");
    deployed(253).assert_refused(&["--timeline", "at most 252 bytes"]);
}

#[test]
fn a_merge_counts_from_now_if_the_start_has_passed() {
    let start = Timestamp::now() - Duration::from_secs(1800);
    let start = format!("--start-at={start}");
    let options = [
        "http://a",
        &start,
        "--join-late",
        "--duration=1h",
        "--timeout=1s",
    ];
    let manifests = Manifests::of("--stripes 2 --name run --start-in 1h", &options);
    let container = &manifests.get("Job", "run-merge")["spec"]["template"]["spec"]["containers"][0];
    let wait = container["args"][2].as_str().unwrap();
    let wait: u64 = wait
        .trim_start_matches("--wait=")
        .trim_end_matches('s')
        .parse()
        .unwrap();
    assert!((3600..=3600 + 400).contains(&wait), "{wait} s");
}

#[test]
fn the_merge_waits_beyond_the_longest_run() {
    let seconds = |options: &[&str]| -> u64 {
        let manifests = Manifests::of("--stripes 2 --name run", options);
        let container =
            &manifests.get("Job", "run-merge")["spec"]["template"]["spec"]["containers"][0];
        let wait = container["args"][2].as_str().unwrap();
        wait.strip_prefix("--wait=")
            .unwrap()
            .trim_end_matches('s')
            .parse()
            .unwrap()
    };
    // The start is two to three minutes away, and requests may take twice their timeout.
    let (start, rest) = (120..=181, 2 * 30 + 30 + 300);
    let wait = seconds(&["http://a", "--duration=1000", "--timeout=30s"]);
    assert!(
        (start.start() + 1000 + rest..=start.end() + 1000 + rest).contains(&wait),
        "{wait} s"
    );
    assert_eq!(seconds(&["http://a", "--duration=0"]), 24 * 3600);
}

#[test]
fn what_no_pod_can_do_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let large = folder.path().join("large");
    fs::write(
        &large,
        (0..150_000)
            .map(|key| format!("key-{key}\n"))
            .collect::<String>(),
    )
    .unwrap();
    let large = format!("--keys-file={}", large.to_str().unwrap());
    let binary = folder.path().join("binary");
    fs::write(&binary, b"\xff\xfe").unwrap();
    let binary = format!("--ca-cert={}", binary.to_str().unwrap());
    let an_hour_ago = Timestamp::now() - Duration::from_secs(3600);
    let an_hour_ago = format!("--start-at={an_hour_ago}");
    let cases: &[(&[&str], &[&str])] = &[
        (&["--demo"], &["--demo 'true'", "--targets"]),
        (&["http://a", "--stripe=1/2"], &["--stripe '1/2'"]),
        (&["http://a", "--stripes=2"], &["--stripes '2'"]),
        (
            &["http://a", "--source-address=127.0.0.1"],
            &["--source-address '127.0.0.1'"],
        ),
        (
            &["http://a", "--burst-align"],
            &["--burst-align 'true'", "--start-at"],
        ),
        (&["unix:/run/x.sock"], &["URL 'unix:/run/x.sock'"]),
        (&["--rps=5"], &["--targets", "must be given"]),
        (
            &["http://a", "--metrics-addr=:0"],
            &["--metrics-addr ':0'", "port"],
        ),
        (&["http://a", "--at=1s true"], &["--at 'true'", "mark"]),
        (&["http://a", "--events=-"], &["--events '-'"]),
        (&["http://a", "--summary-json=-"], &["--summary-json '-'"]),
        (
            &["http://a", "--timeline=a/x", "--hdr-log=b/x"],
            &["--hdr-log 'b/x'", "name"],
        ),
        (
            &["http://a", &large],
            &["--keys-file", "1.00 MiB", "Secret"],
        ),
        (&["http://a", &binary], &["--ca-cert"]),
        (&["http://a", "--rps=fast"], &["--rps 'fast'"]),
        (
            &["http://a", "--start-at=2020-01-01T00:00:00Z"],
            &["--start-at", "in the future"],
        ),
        (
            &["http://a", &an_hour_ago, "--join-late", "--duration=59m"],
            &["--start-at", "must be later", "nothing is left to send"],
        ),
        (
            &["http://a", "--audit=sliding-window", "--probe"],
            &["--probe 'true'", "several stripes"],
        ),
        (
            &["http://a", "--report=x/stripes"],
            &["--report 'x/stripes'", "must have another name"],
        ),
        (
            &["http://a", "--summary-json=stripes"],
            &["--summary-json 'stripes'", "must have another name"],
        ),
        (
            &[
                "http://a",
                "--audit=sliding-window",
                "--hdr-log=requests.csv",
            ],
            &["--hdr-log 'requests.csv'", "name"],
        ),
        (
            &["http://a", "--header=A: {env:NOT_SET}"],
            &["--header", "NOT_SET"],
        ),
        (&["http://a", "plan"], &["OPTIONS 'plan'"]),
        (&["plan"], &["OPTIONS 'plan'"]),
    ];
    for (options, words) in cases {
        deployed("--stripes 2", options).assert_refused(words);
    }
    for variable in ["LOADGEN_SEED", "JOB_COMPLETION_INDEX"] {
        let header = format!("--header=A: {{env:{variable}}}");
        let launch = deployed("--stripes 2 --secret own", &["http://a", &header]);
        launch
            .env(variable, "1")
            .assert_refused(&["--header A", variable]);
    }
    let own = ["http://a", "--header=A: {env:MINE}"];
    deployed("--stripes 2", &own)
        .env("MINE", "x")
        .assert_refused(&["--header A '{env:MINE}'", "--secret"]);
    for (before, words) in [
        ("", &["--stripes N", "must be given"][..]),
        ("--stripes 1", &["--stripes '1'", "from 2 to 10000"]),
        ("--stripes 2 --name=-a", &["--name"]),
        ("--stripes 2 --name A", &["--name 'A'"]),
        (
            "--stripes 2 --name aaaaaaaaaabbbbbbbbbbccccccccccddddddddddx",
            &["--name", "40"],
        ),
        ("--stripes 2 --storage 5", &["--storage '5'"]),
        (
            "--stripes 2 --claim x --storage 5Gi",
            &["--claim 'x'", "--storage"],
        ),
        ("--stripes 2 --secret x", &["--secret 'x'", "{env:TOKEN}"]),
        ("--stripes 2 --image=-a", &["--image"]),
        ("--stripes 2 --rps 5", &["--rps", "behind --"]),
    ] {
        deployed(before, &["http://a"]).assert_refused(words);
    }
    loadgen("kubernetes --stripes 2 http://a?b=c")
        .assert_refused(&["http://a?***(3 bytes)", "behind --"]);
}

#[test]
fn variables_take_effect_as_for_a_run() {
    let launch = deployed(
        "--stripes 2 --name run",
        &["--targets=http://a,http://b", "--body="],
    );
    let launch = launch
        .env("RPS", "20")
        .env("LOADGEN_HEADER", "Content-Type:\nX-A: {key}");
    let finished = launch
        .env("LOADGEN_DEMO", "true")
        .env("LOADGEN_LIMIT", "")
        .finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    let manifests = Manifests::read(&finished.stdout());
    let plan = manifests.texts("ConfigMap", "run-plan", "data");
    let names: Vec<_> = plan.keys().map(String::as_str).collect();
    let expected = [
        "LOADGEN_HEADER",
        "LOADGEN_METRICS_ADDR",
        "LOADGEN_RPS",
        "LOADGEN_SEED",
        "LOADGEN_START_AT",
        "LOADGEN_STRIPES",
        "LOADGEN_TARGETS",
    ];
    assert_eq!(names, expected);
    assert_eq!(plan["LOADGEN_HEADER"], "Content-Type:\nX-A: {key}");
    assert_eq!(plan["LOADGEN_RPS"], "20");
    // An empty variable would be ignored.
    let arguments =
        &manifests.get("Job", "run")["spec"]["template"]["spec"]["containers"][0]["args"];
    assert!(
        arguments.as_array().unwrap().contains(&"--body=".into()),
        "{arguments}"
    );
    // A start is a full minute.
    assert!(plan["LOADGEN_START_AT"].ends_with(":00Z"), "{plan:?}");
}
