//! The manifests of a run whose stripes are the pods of an Indexed Job.
//!
//! | object | holds |
//! | --- | --- |
//! | ConfigMap NAME-plan | the options of the run, as variables |
//! | ConfigMap NAME-files | the files that these options name |
//! | Secret NAME-secrets | the values of requests that may be secret, as variables |
//! | Secret NAME-secret-files | the files that may have secrets |
//! | PersistentVolumeClaim | the volume of the results, with a folder for each run |
//! | Job NAME | a pod for each stripe |
//! | Job NAME-merge | waits for the stripes' summaries and makes one of them |
//!
//! Another run of the same name is refused by the API: neither a ConfigMap, a Secret nor the pods of a Job can be changed.

mod pods;
mod yaml;

use crate::base::text::printable;
use pods::{merge_job, stripes_job};
use std::time::Duration;
use uuid::Uuid;
use yaml::{Node, document, map, texts};

/// The namespace of the fingerprints.
const NAMESPACE: Uuid = Uuid::from_u128(0x8d3f_5a10_6c2e_4b7b_9f61_0e54_c7a8_2d93);

/// A run on a cluster.
#[derive(Debug)]
pub struct Deployment {
    /// The name of the Job, and the beginning of the other objects' names.
    pub name: String,
    /// `None` stands for the namespace that kubectl uses by default.
    pub namespace: Option<String>,
    pub image: String,
    /// The number of pods, from 2.
    pub stripes: u64,
    /// The start that all pods have in common, in RFC 3339.
    pub start: String,
    /// The command that repeats the run on one machine, for people. It has no secrets.
    pub command: String,
    /// The options as variables, in order, without the start and the number of stripes.
    pub variables: Vec<(String, String)>,
    /// The options that no variable can give, and the URLs.
    pub arguments: Vec<String>,
    pub stripe_files: Vec<StripeFile>,
    pub merge_files: Vec<MergeFile>,
    /// The secrets that the options refer to as variables.
    pub secrets: Vec<(String, String)>,
    /// The variables of [`Deployment::secret`] that the options refer to.
    pub needed_variables: Vec<String>,
    /// A Secret that the cluster has.
    pub secret: Option<String>,
    pub files: Vec<PlanFile>,
    /// Whether the pods send recorded requests, for whose copy each needs a temporary folder.
    pub is_replay: bool,
    pub volume: Volume,
    /// The port at which each pod serves metrics.
    pub metrics_port: Option<u16>,
    /// The time that a pod has to end after a signal.
    pub grace: Duration,
    /// How long the merge waits for the summaries of all stripes.
    pub merge_wait: Duration,
    /// Remarks about the options, for people.
    pub remarks: Vec<String>,
}

/// A file that each stripe writes. Its name has the stripe's index between these parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripeFile {
    /// The option, without dashes.
    pub option: &'static str,
    pub stem: String,
    /// With its point, or empty.
    pub extension: String,
}

/// A file that the merge writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeFile {
    /// The option of `loadgen merge`, without dashes.
    pub option: &'static str,
    /// Without folders.
    pub name: String,
}

/// A file that the run reads.
#[derive(Debug)]
pub struct PlanFile {
    pub name: String,
    pub text: String,
    pub may_have_secrets: bool,
}

/// The volume of the results.
#[derive(Debug)]
pub enum Volume {
    /// A claim that the cluster has.
    Existing(String),
    New {
        claim: String,
        /// `None` stands for the cluster's default.
        class: Option<String>,
        /// As Kubernetes writes it, such as `1Gi`.
        size: String,
    },
}

impl Volume {
    fn claim(&self) -> &str {
        match self {
            Volume::Existing(claim) | Volume::New { claim, .. } => claim,
        }
    }
}

impl PlanFile {
    /// Where the pods have a file of this name.
    pub fn path(name: &str, may_have_secrets: bool) -> String {
        let folder = if may_have_secrets {
            pods::SECRET_FILES
        } else {
            pods::PLAN_FILES
        };
        format!("{folder}/{name}")
    }
}

/// The manifests in YAML.
pub fn manifests(deployment: &Deployment) -> String {
    let Deployment { stripes, start, .. } = deployment;
    let mut text = format!(
        "# {stripes} pods send one load, a stripe each. It starts at {start}: create these objects before.\n# On one machine it \
         is: {}\n",
        printable(&deployment.command)
    );
    for remark in &deployment.remarks {
        text += &format!("# {}\n", printable(remark));
    }
    let documents: Vec<_> = deployment.objects().iter().map(document).collect();
    text + &documents.join("---\n")
}

impl Deployment {
    fn objects(&self) -> Vec<Node> {
        let mut objects = vec![self.config_map("plan", &self.plan())];
        let (plain, secret) = (self.files(false), self.files(true));
        if !plain.is_empty() {
            objects.push(self.config_map("files", &plain));
        }
        if !self.secrets.is_empty() {
            objects.push(self.new_secret("secrets", &self.secrets));
        }
        if !secret.is_empty() {
            objects.push(self.new_secret("secret-files", &secret));
        }
        if let Volume::New { claim, class, size } = &self.volume {
            objects.push(self.volume_claim(claim, class.as_deref(), size));
        }
        objects.push(stripes_job(self));
        objects.push(merge_job(self));
        objects
    }

    /// The options as variables.
    fn plan(&self) -> Vec<(String, String)> {
        let mut plan = vec![
            ("LOADGEN_STRIPES".to_owned(), self.stripes.to_string()),
            ("LOADGEN_START_AT".to_owned(), self.start.clone()),
        ];
        plan.extend_from_slice(&self.variables);
        plan
    }

    /// The names and texts of the files of one kind.
    fn files(&self, secret: bool) -> Vec<(String, String)> {
        let files = self.files.iter();
        let files = files.filter(|file| file.may_have_secrets == secret);
        files
            .map(|file| (file.name.clone(), file.text.clone()))
            .collect()
    }

    /// An identifier of the ConfigMaps' texts: a UUID of version 5. The Secrets are left out, so that nobody finds a secret by
    /// trying.
    fn fingerprint(&self) -> Uuid {
        // The debug format quotes, so that no two lists look like one.
        let text = format!("{:?}{:?}", self.plan(), self.files(false));
        Uuid::new_v5(&NAMESPACE, text.as_bytes())
    }

    /// Annotations of the pods that tell the run from others, whose Jobs would otherwise be the same.
    fn annotations(&self) -> Node {
        map([
            ("loadgen/start-at", (&self.start).into()),
            ("loadgen/plan", self.fingerprint().to_string().into()),
        ])
    }

    /// The name of one of the run's own objects.
    fn name_of(&self, object: &str) -> String {
        format!("{}-{object}", self.name)
    }

    fn config_map(&self, name: &str, data: &[(String, String)]) -> Node {
        map([
            ("apiVersion", "v1".into()),
            ("kind", "ConfigMap".into()),
            ("metadata", self.metadata(&self.name_of(name), None)),
            ("immutable", true.into()),
            ("data", text_map(data)),
        ])
    }

    fn new_secret(&self, name: &str, data: &[(String, String)]) -> Node {
        map([
            ("apiVersion", "v1".into()),
            ("kind", "Secret".into()),
            ("metadata", self.metadata(&self.name_of(name), None)),
            ("type", "Opaque".into()),
            ("immutable", true.into()),
            ("stringData", text_map(data)),
        ])
    }

    /// The claim belongs to no single run, so that it is not deleted together with one.
    fn volume_claim(&self, name: &str, class: Option<&str>, size: &str) -> Node {
        let metadata = map([("name", name.into())]);
        let metadata = metadata.with_any("namespace", self.namespace.as_ref());
        let spec = map([("accessModes", texts(["ReadWriteMany"]))])
            .with_any("storageClassName", class)
            .with(
                "resources",
                map([("requests", map([("storage", size.into())]))]),
            );
        map([
            ("apiVersion", "v1".into()),
            ("kind", "PersistentVolumeClaim".into()),
            (
                "metadata",
                metadata.with(
                    "labels",
                    map([("app.kubernetes.io/name", "loadgen".into())]),
                ),
            ),
            ("spec", spec),
        ])
    }

    fn metadata(&self, name: &str, component: Option<&str>) -> Node {
        let metadata = map([("name", name.into())]);
        let metadata = metadata.with_any("namespace", self.namespace.as_ref());
        metadata.with("labels", self.labels(component))
    }

    /// The labels of the run's objects, and of the pods of one kind.
    fn labels(&self, component: Option<&str>) -> Node {
        let labels = map([
            ("app.kubernetes.io/name", "loadgen".into()),
            ("app.kubernetes.io/instance", (&self.name).into()),
        ]);
        labels.with_any("app.kubernetes.io/component", component)
    }
}

fn text_map(entries: &[(String, String)]) -> Node {
    let entries = entries.iter();
    Node::Map(
        entries
            .map(|(key, value)| (key.clone(), value.into()))
            .collect(),
    )
}
