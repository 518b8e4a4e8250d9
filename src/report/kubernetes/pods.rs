//! The two Jobs.

use super::yaml::{Node, map, texts};
use super::{Deployment, MergeFile, StripeFile};

/// The kinds of pods, as their labels name them.
pub(super) const STRIPE: &str = "stripe";
pub(super) const MERGE: &str = "merge";

/// The folders of the files that a run reads.
pub(super) const PLAN_FILES: &str = "/plan";
pub(super) const SECRET_FILES: &str = "/secrets";
/// The folder that the stripes write to, and the merge reads.
const STRIPES: &str = "/stripes";
/// The folder that the merge writes to.
const RESULTS: &str = "/results";

/// The user of the image.
const USER: u64 = 65532;

/// The most memory of a pod, in MiB: that of the stack's container, far above what the defaults need.
const MEMORY: u64 = 512;

/// A pod for each stripe. A stripe that fails is not repeated: a second attempt would send at another time than the others,
/// and its requests would not be those of the schedule. The other stripes go on.
pub(super) fn stripes_job(deployment: &Deployment) -> Node {
    let not_repeated =
        |condition: &str, what: Node| map([("action", "FailIndex".into())]).with(condition, what);
    let rules = vec![
        not_repeated(
            "onExitCodes",
            map([
                ("operator", "NotIn".into()),
                ("values", vec![0.into()].into()),
            ]),
        ),
        not_repeated(
            "onPodConditions",
            vec![map([
                ("type", "DisruptionTarget".into()),
                ("status", "True".into()),
            ])]
            .into(),
        ),
    ];
    let spec = map([
        ("completionMode", "Indexed".into()),
        ("completions", deployment.stripes.into()),
        ("parallelism", deployment.stripes.into()),
        ("backoffLimitPerIndex", 0.into()),
        ("podReplacementPolicy", "Failed".into()),
        ("podFailurePolicy", map([("rules", rules.into())])),
        ("template", stripe_pod(deployment)),
    ]);
    job(deployment, &deployment.name, STRIPE, spec)
}

/// Makes one result of the stripes' summaries. Its exit code is the verdict on the whole.
pub(super) fn merge_job(deployment: &Deployment) -> Node {
    let spec = map([
        ("backoffLimit", 0.into()),
        ("template", merge_pod(deployment)),
    ]);
    job(deployment, &deployment.name_of(MERGE), MERGE, spec)
}

fn job(deployment: &Deployment, name: &str, component: &str, spec: Node) -> Node {
    map([
        ("apiVersion", "batch/v1".into()),
        ("kind", "Job".into()),
        ("metadata", deployment.metadata(name, Some(component))),
        ("spec", spec),
    ])
}

fn stripe_pod(deployment: &Deployment) -> Node {
    let metadata = map([("labels", deployment.labels(Some(STRIPE)))]);
    let mut annotations = deployment.annotations();
    if let Some(port) = deployment.metrics_port {
        annotations = annotations
            .with("prometheus.io/scrape", "true")
            .with("prometheus.io/port", port.to_string())
            .with("prometheus.io/path", "/metrics");
    }
    let mut mounts = vec![results_mount(deployment, STRIPES, "/stripes")];
    let mut volumes = vec![results_volume(deployment)];
    for (volume, folder, is_secret) in [
        ("files", PLAN_FILES, false),
        ("secret-files", SECRET_FILES, true),
    ] {
        let mut files = deployment.files.iter();
        if !files.any(|file| file.may_have_secrets == is_secret) {
            continue;
        }
        mounts.push(mount(volume, folder).with("readOnly", true));
        let name: Node = deployment.name_of(volume).into();
        volumes.push(match is_secret {
            false => volume_of(volume, "configMap", map([("name", name)])),
            true => volume_of(volume, "secret", map([("secretName", name)])),
        });
    }
    if deployment.is_replay {
        // The recording is copied to a temporary file. It is no longer than a ConfigMap, and its entries are shorter than its lines.
        let room = map([("sizeLimit", "64Mi".into())]);
        mounts.push(mount("copy", "/tmp"));
        volumes.push(volume_of("copy", "emptyDir", room));
    }
    let needed = deployment.needed_variables.iter().map(|variable| {
        map([
            ("name", variable.into()),
            (
                "valueFrom",
                map([(
                    "secretKeyRef",
                    map([
                        ("name", deployment.secret.clone().unwrap_or_default().into()),
                        ("key", variable.into()),
                    ]),
                )]),
            ),
        ])
    });
    let needed: Vec<_> = needed.collect();
    let ports = deployment.metrics_port.map(|port| {
        vec![map([
            ("name", "metrics".into()),
            ("containerPort", u64::from(port).into()),
        ])]
    });
    let mut from = Vec::new();
    if !deployment.secrets.is_empty() {
        let name = deployment.name_of("secrets").into();
        from.push(map([("secretRef", map([("name", name)]))]));
    }
    // Of a variable that is in several objects, the last one counts.
    from.push(plan_variables(deployment));
    let container = container(deployment, "loadgen", arguments(deployment))
        .with("envFrom", from)
        .with_any("env", Some(needed).filter(|needed| !needed.is_empty()))
        .with_any("ports", ports)
        .with("resources", resources("1", MEMORY))
        .with("securityContext", container_security())
        .with("volumeMounts", mounts);
    let spread = vec![map([
        ("maxSkew", 1.into()),
        ("topologyKey", "kubernetes.io/hostname".into()),
        ("whenUnsatisfiable", "ScheduleAnyway".into()),
        (
            "labelSelector",
            map([("matchLabels", deployment.labels(Some(STRIPE)))]),
        ),
    ])];
    let spec = pod(container, volumes)
        .with("terminationGracePeriodSeconds", deployment.grace.as_secs())
        .with("topologySpreadConstraints", spread);
    map([
        ("metadata", metadata.with("annotations", annotations)),
        ("spec", spec),
    ])
}

fn merge_pod(deployment: &Deployment) -> Node {
    let mut arguments = vec![
        MERGE.to_owned(),
        "--stripes=$(LOADGEN_STRIPES)".to_owned(),
        format!("--wait={}s", deployment.merge_wait.as_secs()),
    ];
    let files = deployment.merge_files.iter();
    arguments.extend(files.map(|MergeFile { option, name }| {
        let name = literal(name);
        format!("--{option}={RESULTS}/{name}")
    }));
    arguments.push(STRIPES.to_owned());
    let mounts = vec![
        results_mount(deployment, RESULTS, ""),
        results_mount(deployment, STRIPES, "/stripes").with("readOnly", true),
    ];
    let container = container(deployment, MERGE, arguments)
        .with(
            "env",
            vec![
                plan_variable(deployment, "LOADGEN_STRIPES"),
                plan_variable(deployment, "LOADGEN_START_AT"),
            ],
        )
        .with("resources", resources("100m", MEMORY))
        .with("securityContext", container_security())
        .with("volumeMounts", mounts);
    map([
        (
            "metadata",
            map([
                ("labels", deployment.labels(Some(MERGE))),
                ("annotations", deployment.annotations()),
            ]),
        ),
        ("spec", pod(container, vec![results_volume(deployment)])),
    ])
}

fn pod(container: Node, volumes: Vec<Node>) -> Node {
    map([
        ("restartPolicy", "Never".into()),
        ("automountServiceAccountToken", false.into()),
        // Otherwise a Service named `loadgen` would bring variables that begin like those of loadgen.
        ("enableServiceLinks", false.into()),
        (
            "securityContext",
            map([
                ("runAsNonRoot", true.into()),
                ("runAsUser", USER.into()),
                ("runAsGroup", USER.into()),
                ("fsGroup", USER.into()),
                ("fsGroupChangePolicy", "OnRootMismatch".into()),
                ("seccompProfile", map([("type", "RuntimeDefault".into())])),
            ]),
        ),
        ("containers", vec![container].into()),
        ("volumes", volumes.into()),
    ])
}

fn container(deployment: &Deployment, name: &str, arguments: Vec<String>) -> Node {
    map([
        ("name", name.into()),
        ("image", (&deployment.image).into()),
        ("args", texts(arguments)),
    ])
}

fn container_security() -> Node {
    map([
        ("allowPrivilegeEscalation", false.into()),
        ("readOnlyRootFilesystem", true.into()),
        ("capabilities", map([("drop", texts(["ALL"]))])),
    ])
}

/// There is no limit of processor time: the kernel would stop a pod that reaches it in the middle of its schedule.
fn resources(processor: &str, memory: u64) -> Node {
    let memory = format!("{memory}Mi");
    map([
        (
            "requests",
            map([("cpu", processor.into()), ("memory", (&memory).into())]),
        ),
        ("limits", map([("memory", memory.into())])),
    ])
}

fn plan_variables(deployment: &Deployment) -> Node {
    let name = deployment.name_of("plan").into();
    map([("configMapRef", map([("name", name)]))])
}

fn plan_variable(deployment: &Deployment, name: &str) -> Node {
    let reference = map([
        ("name", deployment.name_of("plan").into()),
        ("key", name.into()),
    ]);
    map([
        ("name", name.into()),
        ("valueFrom", map([("configMapKeyRef", reference)])),
    ])
}

fn mount(volume: &str, folder: &str) -> Node {
    map([("name", volume.into()), ("mountPath", folder.into())])
}

/// The folder of this run on the volume, or a folder in it. Each start of each Job has its own one, so that the files of
/// another run are not taken for those of this one.
fn results_mount(deployment: &Deployment, folder: &str, part: &str) -> Node {
    let own = format!("{}/$(LOADGEN_START_AT){part}", deployment.name);
    mount("results", folder).with("subPathExpr", own)
}

fn results_volume(deployment: &Deployment) -> Node {
    let claim = map([("claimName", deployment.volume.claim().into())]);
    volume_of("results", "persistentVolumeClaim", claim)
}

fn volume_of(name: &str, kind: &str, source: Node) -> Node {
    map([("name", name.into()), (kind, source)])
}

/// The arguments of a stripe.
fn arguments(deployment: &Deployment) -> Vec<String> {
    let files = deployment.stripe_files.iter().map(|file| {
        let StripeFile {
            option,
            stem,
            extension,
        } = file;
        let [stem, extension] = [stem, extension].map(|part| literal(part));
        format!("--{option}={STRIPES}/{stem}-$(JOB_COMPLETION_INDEX){extension}")
    });
    let own = deployment.arguments.iter();
    let own = own.map(|argument| literal(argument));
    files.chain(own).collect()
}

/// A part of an argument in which no variable is meant: Kubernetes fills in `$(NAME)`, and reads `$$` as `$`.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}
