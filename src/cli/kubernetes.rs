//! The options of `loadgen kubernetes`, and the run that its pods share.

use super::arguments::PREFIX;
use super::setup::without_effect;
use super::stripes::{INDEX, stripes};
use super::values::{duration, read_file};
use super::{Arguments, Cli, Nodes, Options, Refusal, Setup};
use crate::base::text::{bytes, shortened, some_time, span};
use crate::core::audit::Quota;
use crate::core::plan::Plan;
use crate::core::request::Variables;
use crate::core::summary::Setting;
use crate::report::kubernetes::{Deployment, MergeFile, PlanFile, StripeFile, Volume};
use crate::report::{FORMATS, Output};
use clap::{Arg, Args};
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Kubernetes {
    /// How many pods share the load, each with one stripe of its schedule: 2 to 10000
    #[arg(long, value_name = "N", value_parser = several)]
    stripes: u64,

    /// The name of the Job, and the beginning of the names of the other objects: at most 40 lower-case letters, digits and
    /// hyphens. By default, `loadgen-`, the start, and 6 digits that stand for the options and the seed
    #[arg(long, value_name = "NAME", value_parser = job_name)]
    name: Option<String>,

    /// The namespace of the objects. By default, the one that kubectl uses
    #[arg(long, value_name = "NAME", value_parser = namespace)]
    namespace: Option<String>,

    /// The image of loadgen, under the name by which the nodes pull it. The default must be present on every node
    #[arg(long, value_name = "IMAGE", value_parser = image, default_value = concat!("loadgen:", env!("CARGO_PKG_VERSION")))]
    image: String,

    /// The run starts at the first full minute that is at least this far away, unless the options have --start-at. All pods must
    /// be running by then: a later one refuses to start
    #[arg(long, value_name = "TIME", value_parser = some_time, default_value = "2m")]
    start_in: Duration,

    /// An existing Secret with a key for each variable {env:NAME} in the options. The manifests never contain the values
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    secret: Option<String>,

    /// An existing PersistentVolumeClaim for the results, instead of a new one. All nodes must be able to mount it at once
    /// (ReadWriteMany)
    #[arg(long, value_name = "NAME", value_parser = object_name, conflicts_with_all = ["storage_class", "storage"])]
    claim: Option<String>,

    /// The storage class of the new claim, one with ReadWriteMany. By default, the cluster's default class
    #[arg(long, value_name = "NAME", value_parser = class_name)]
    storage_class: Option<String>,

    /// The size of the new claim, such as 500Mi or 10Gi
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = DEFAULT_STORAGE)]
    storage: String,

    /// How long the merge waits for the results of all stripes. By default, until 5 minutes after the longest time that the run
    /// may take, or for 24 hours if the run has no end
    #[arg(long, value_name = "TIME", value_parser = duration)]
    merge_wait: Option<Duration>,

    /// The options of the run, and perhaps URLs, as loadgen itself takes them
    #[arg(last = true, value_name = "OPTIONS")]
    options: Vec<OsString>,
}

/// The beginning of the name of the new claim. All runs of a namespace with the same class and size share it.
const CLAIM: &str = "loadgen-results";
const DEFAULT_STORAGE: &str = "1Gi";

/// The bytes of a request in a file of --requests with a short URL.
const BYTES_A_REQUEST: u64 = 156;

/// The most bytes of a ConfigMap or a Secret: the limit of Kubernetes.
const MAX_OBJECT: u64 = 1024 * 1024;

/// The most bytes of a variable. Linux takes no longer ones than 128 KiB, with the name.
const MAX_VARIABLE: usize = 120 * 1024;

/// Where the pods serve metrics, unless an option says otherwise.
const METRICS: (&str, u16) = (":9100", 9100);

/// A pod writes its results within this time after its last answer.
const WRITING: Duration = Duration::from_secs(30);

/// In less than this, most clusters have no pod ready.
const SOON: Duration = Duration::from_secs(15);

/// The longest name of a file, in bytes: that of most file systems.
const LONGEST_FILE_NAME: usize = 255;

/// How much longer than the run the merge waits: pods may start late, and write large files.
const MERGE_SLACK: Duration = Duration::from_secs(300);

/// How long the merge waits for the end of a run that has none.
const MERGE_PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// The options of the files that every stripe writes, and of those that an audit of all stripes reads.
const SUMMARY: &str = "summary-json";
const REQUESTS: &str = "requests";
const REQUESTS_FILE: &str = "requests.csv";

/// The option of `loadgen merge` for the merged summary.
const MERGED: &str = "output";

/// The options whose several values a variable has in lines.
const IN_LINES: [&str; 4] = ["header", "threshold", "at", "undo"];

/// The files that have no secrets, unless a private key stands in them, too. A key or a body may be a secret.
const HARMLESS_FILES: [&str; 3] = ["ca-cert", "cert", "events"];
const PRIVATE_KEY: &str = "PRIVATE KEY";

/// The folder of the stripes' files, which stands beside the files of the merge.
const STRIPES_FOLDER: &str = "stripes";

impl Kubernetes {
    /// The run on a cluster. Its options are checked as those of its pods, by the rules for stripes.
    ///
    /// # Errors
    /// An option is wrong, or means nothing in a pod.
    pub(super) fn deployment(&self, now: Timestamp) -> Result<Deployment, Refusal> {
        let mut typed = vec!["loadgen".into()];
        typed.extend_from_slice(&self.options);
        let arguments = run_options(&typed)?;
        refuse_what_pods_lack(&arguments)?;
        if arguments.options.stripes.start_at.is_none() {
            let start = self.start(now)?;
            typed.insert(1, format!("--start-at={start}").into());
        }
        let mut arguments = run_options(&typed)?;
        self.take_first_stripe(&mut arguments)?;
        let setup = Setup::new(&arguments)?;
        refuse_addresses(&arguments, &setup)?;
        refuse_commands(&arguments, &setup.plan)?;
        self.of_run(&arguments, &setup, now)
    }

    /// Makes the options those of the first pod.
    fn take_first_stripe(&self, arguments: &mut Arguments<Options>) -> Result<(), Refusal> {
        let start = arguments.options.stripes.start(arguments)?;
        let start = start.and_then(|start| Timestamp::try_from(start.at).ok());
        let options = &mut arguments.options;
        options.generator.choose_seed();
        if let Some(start) = start {
            options.stripes.take_first_of(self.stripes, start);
        }
        let files = &mut options.results.files.0;
        let has_requests = files.iter().any(|(format, _)| format.option == REQUESTS);
        if options.audit.promise(false).is_some() && !has_requests {
            let requests = FORMATS.iter().filter(|format| format.option == REQUESTS);
            // First, so that a file with the same name is refused by its own option.
            files.splice(0..0, requests.map(|format| (*format, REQUESTS_FILE.into())));
        }
        Ok(())
    }

    /// The first full minute that is far enough away.
    fn start(&self, now: Timestamp) -> Result<Timestamp, Refusal> {
        let minute = TimestampRound::new()
            .smallest(Unit::Minute)
            .mode(RoundMode::Ceil);
        let start = now.checked_add(self.start_in);
        let start = start.and_then(|start| start.round(minute));
        start.map_err(|_| {
            let given = format!("{:?}", self.start_in);
            Refusal::wrong("--start-in", &given, "must end before the year 10000")
        })
    }

    fn of_run(
        &self,
        arguments: &Arguments<Options>,
        setup: &Setup,
        now: Timestamp,
    ) -> Result<Deployment, Refusal> {
        let plan = &setup.plan;
        let start = plan.start.as_ref().map(|start| start.at);
        let start = start.and_then(|start| Timestamp::try_from(start).ok());
        let start = start.unwrap_or(now);
        refuse_end_in_the_past(plan, start, now)?;
        let mut shared = Shared::default();
        let quota = Quota::new(plan.limit, plan.window);
        let without_effect = without_effect(arguments, false, quota, plan);
        let mut secrets = Variables::default();
        for (option, setting) in arguments.effective_settings(&without_effect, &mut secrets) {
            shared.add(arguments, option, &setting)?;
        }
        if let Some(body) = &plan.request.body {
            secrets.need_those_of(body, "--body-file");
        }
        shared.seed(plan.seed);
        if setup.metrics.is_none() {
            shared.set("metrics-addr", METRICS.0);
        }
        let own: Vec<_> = secrets.secrets();
        let needed: Vec<_> = secrets
            .all()
            .filter(|(name, _)| !own.iter().any(|(other, _)| other == name))
            .collect();
        self.check_needed(&needed)?;
        let (stripe_files, merge_files) = result_files(&setup.outputs, self.stripes)?;
        let owned = |(name, secret): &(&str, &str)| ((*name).to_owned(), (*secret).to_owned());
        let deployment = Deployment {
            name: match &self.name {
                Some(name) => name.clone(),
                None => default_name(start, &setup.fingerprint),
            },
            namespace: self.namespace.clone(),
            image: self.image.clone(),
            stripes: self.stripes,
            start: start.to_string(),
            command: setup.repeating_command.text.clone(),
            variables: shared.variables,
            arguments: shared.arguments,
            stripe_files,
            merge_files,
            secrets: own.iter().map(owned).collect(),
            needed_variables: needed.iter().map(|(name, _)| (*name).to_owned()).collect(),
            secret: self.secret.clone(),
            files: shared.files,
            is_replay: plan.schedule.recording().is_some(),
            volume: match &self.claim {
                Some(claim) => Volume::Existing(claim.clone()),
                None => Volume::New {
                    claim: self.new_claim(),
                    class: self.storage_class.clone(),
                    size: self.storage.clone(),
                },
            },
            metrics_port: match &setup.metrics {
                None => Some(METRICS.1),
                Some(metrics) => Some(metrics.addr)
                    .filter(|address| !address.ip().is_loopback())
                    .map(|address| address.port()),
            },
            grace: whole_seconds(plan.drain.after_stop) + WRITING,
            merge_wait: self
                .merge_wait
                .unwrap_or_else(|| longest_wait(plan, start, now)),
            remarks: self.remarks(setup, now),
        };
        check_sizes(&deployment)?;
        Ok(deployment)
    }

    /// The name of the new claim. The class of a claim can't be changed, and its size can't shrink, so those stand in its name.
    fn new_claim(&self) -> String {
        let class = self.storage_class.as_deref();
        let size = Some(self.storage.to_ascii_lowercase());
        let size = size.filter(|_| self.storage != DEFAULT_STORAGE);
        let parts = [Some(CLAIM), class, size.as_deref()];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        parts.join("-")
    }

    fn remarks(&self, setup: &Setup, now: Timestamp) -> Vec<String> {
        let mut remarks = loopback_remarks(&setup.nodes);
        remarks.extend(remark_on_start(&setup.plan, now));
        let writes_requests = |output: &Output| output.format.option == REQUESTS;
        if self.claim.is_none()
            && setup.outputs.iter().any(writes_requests)
            && let Some(requests) = setup.plan.schedule.total_of_all()
        {
            let needed = requests.saturating_mul(BYTES_A_REQUEST);
            if needed > size_in_bytes(&self.storage) {
                remarks.push(format!(
                    "The stripes' files of requests will have about {} together, and the claim asks for {}. --storage sets its size.",
                    bytes(needed),
                    self.storage
                ));
            }
        }
        remarks
    }

    /// Checks that the cluster has the variables that the requests refer to, each with what it stands for.
    fn check_needed(&self, needed: &[(&str, &str)]) -> Result<(), Refusal> {
        for (name, stands_for) in needed {
            let refuse =
                |why: &str| Err(Refusal::wrong(stands_for, &format!("{{env:{name}}}"), why));
            if name.starts_with(PREFIX) || *name == INDEX {
                return refuse("must have another name: each pod sets this variable itself");
            }
            if self.secret.is_none() {
                return refuse(&format!(
                    "needs --secret before the --, with the name of a Secret of the cluster that has the key {name}"
                ));
            }
        }
        match &self.secret {
            Some(secret) if needed.is_empty() => Err(Refusal::wrong(
                "--secret",
                secret,
                "needs a variable in the options, such as --header 'Authorization: Bearer {env:TOKEN}'",
            )),
            _ => Ok(()),
        }
    }
}

/// The options of the run.
fn run_options(typed: &[OsString]) -> Result<Arguments<Options>, Refusal> {
    let (cli, arguments) = Arguments::<Cli>::parse(typed.iter().cloned())?.split();
    if let Some(command) = arguments.matches.subcommand_name() {
        let allowed = "must be the options of a run, without another command";
        return Err(Refusal::wrong("OPTIONS", command, allowed));
    }
    Ok(arguments.with_options(cli.options))
}

/// Refuses the options that a pod can't carry out, before any file is read.
fn refuse_what_pods_lack(arguments: &Arguments<Options>) -> Result<(), Refusal> {
    let Options {
        cluster,
        connections,
        stripes,
        events,
        replay,
        ..
    } = &arguments.options;
    if cluster.is_demo(arguments)? {
        let why = "must be false: each pod would start nodes of its own. Give --targets";
        return Err(arguments.refuse(&cluster.demo, why));
    }
    const ITS_STRIPE: &str =
        "must not be given: --stripes of loadgen kubernetes gives each pod its stripe";
    if let Some(stripe) = &stripes.stripe {
        return Err(arguments.refuse(stripe, ITS_STRIPE));
    }
    if let Some(stripes) = &stripes.stripes {
        return Err(arguments.refuse(stripes, ITS_STRIPE));
    }
    if let Some(sources) = &connections.source_address {
        let why = "must not be given: each pod has an address of its own";
        return Err(arguments.refuse(sources, why));
    }
    if let Some(events) = events.events.iter().find(|file| ***file == Path::new("-")) {
        return Err(arguments.refuse(events, "must be a file, which the pods get a copy of"));
    }
    if let Some(recording) = &replay.replay
        && **recording == Path::new("-")
    {
        return Err(arguments.refuse(recording, "must be a file, which the pods get a copy of"));
    }
    Ok(())
}

/// Refuses the addresses that no pod can use.
fn refuse_addresses(arguments: &Arguments<Options>, setup: &Setup) -> Result<(), Refusal> {
    if setup.has_default_targets {
        let line = "--targets: must be given: URLs as the pods of the cluster reach them";
        return Err(Refusal::Wrong(line.to_owned()));
    }
    if let Nodes::Targets(targets) = &setup.nodes
        && targets.iter().any(|target| target.unix_socket.is_some())
    {
        let cluster = &arguments.options.cluster;
        let why = "must be http or https URLs: a pod has no Unix socket of a limiter".to_owned();
        return Err(cluster.refuse(arguments, why));
    }
    if let Some(address) = &arguments.options.generator.metrics_addr
        && address.port() == 0
    {
        let why = "must have a port other than 0, so that Prometheus finds the pods";
        return Err(arguments.refuse(address, why));
    }
    Ok(())
}

/// Refuses events with commands, because the image has no programs that they could run.
fn refuse_commands(arguments: &Arguments<Options>, plan: &Plan) -> Result<(), Refusal> {
    let Some(event) = plan.events.iter().find(|event| event.command.is_some()) else {
        return Ok(());
    };
    let events = &arguments.options.events;
    let option = match (events.at.first(), events.events.first()) {
        (Some(at), None) => arguments.name(at),
        (None, Some(file)) => arguments.name(file),
        _ => "--at or --events".to_owned(),
    };
    Err(Refusal::wrong(
        &option,
        &event.name,
        "must be a mark, without a command: the image of the pods has no other programs",
    ))
}

/// What all pods of the run get.
#[derive(Debug, Default)]
struct Shared {
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    files: Vec<PlanFile>,
}

impl Shared {
    /// Adds an option that was given. Most are variables, which a reader of the ConfigMap sees, and which an overlay can change.
    fn add(
        &mut self,
        arguments: &Arguments<Options>,
        option: &Arg,
        setting: &Setting,
    ) -> Result<(), Refusal> {
        let name = &*setting.option;
        let is_result = FORMATS.iter().any(|format| format.option == name);
        if is_result || ["demo", "seed", "start-at"].contains(&name) {
            return Ok(());
        }
        if option.is_positional() {
            self.arguments.extend_from_slice(&setting.values);
            return Ok(());
        }
        let value_names = option.get_value_names().unwrap_or_default();
        let values = match value_names.iter().any(|value| value == "FILE") {
            true => self.read_files(arguments, option, setting)?,
            false => setting.values.clone(),
        };
        let joined = match &values[..] {
            [only] => Some(only.clone()),
            several if IN_LINES.contains(&name) => Some(several.join("\n")),
            several => option
                .get_value_delimiter()
                .map(|delimiter| several.join(&delimiter.to_string())),
        };
        match joined {
            // loadgen ignores an empty variable.
            Some(value) if !value.is_empty() => {
                if value.len() > MAX_VARIABLE {
                    let most = bytes(MAX_VARIABLE as u64);
                    let why = format!("must have at most {most} in all, as a variable of a pod");
                    let shown = shortened(&value, 100);
                    let name = arguments.name_of(option.get_id().as_str());
                    return Err(Refusal::wrong(&name, &shown, &why));
                }
                self.set(name, &value);
            }
            _ => {
                let flags = values.iter();
                self.arguments
                    .extend(flags.map(|value| format!("--{name}={value}")));
            }
        }
        Ok(())
    }

    fn set(&mut self, option: &str, value: &str) {
        let variable = format!("{PREFIX}{}", option.to_uppercase().replace('-', "_"));
        self.variables.push((variable, value.to_owned()));
    }

    /// All stripes have one seed. It stands first, because it is the run's and not the user's.
    fn seed(&mut self, seed: u64) {
        let variable = format!("{PREFIX}SEED");
        self.variables.insert(0, (variable, seed.to_string()));
    }

    /// Reads the files of an option. Returns where the pods have them.
    fn read_files(
        &mut self,
        arguments: &Arguments<Options>,
        option: &Arg,
        setting: &Setting,
    ) -> Result<Vec<String>, Refusal> {
        let asked_by = arguments.name_of(option.get_id().as_str());
        let mut paths = Vec::new();
        for (place, file) in setting.values.iter().enumerate() {
            let refuse = |why: String| {
                let allowed = format!(
                    "must be a file with text of at most {}, the limit of a ConfigMap or a Secret; {why}",
                    bytes(MAX_OBJECT)
                );
                Refusal::wrong(&asked_by, file, &allowed)
            };
            let text = read_file(Path::new(file), MAX_OBJECT);
            let text = text.map_err(|error| refuse(error.to_string()))?;
            let text = String::from_utf8(text);
            let text = text.map_err(|_| refuse("it is not UTF-8".to_owned()))?;
            let name = match place {
                0 => setting.option.clone(),
                _ => format!("{}-{}", setting.option, place + 1),
            };
            let is_harmless =
                HARMLESS_FILES.contains(&&*setting.option) && !text.contains(PRIVATE_KEY);
            paths.push(PlanFile::path(&name, !is_harmless));
            self.files.push(PlanFile {
                name,
                text,
                may_have_secrets: !is_harmless,
            });
        }
        Ok(paths)
    }
}

/// The files that each stripe writes, and those of the merge. A stripe writes its summary. The merge writes what can be made of
/// merged summaries, and each stripe the rest.
fn result_files(
    outputs: &[Output],
    stripes: u64,
) -> Result<(Vec<StripeFile>, Vec<MergeFile>), Refusal> {
    let stripe_file = |option, stem: &str, extension: &str| StripeFile {
        option,
        stem: stem.to_owned(),
        extension: extension.to_owned(),
    };
    let is_given = |option: &str| outputs.iter().any(|output| output.format.option == option);
    let mut of_stripes = vec![stripe_file(SUMMARY, "summary", ".json")];
    let mut of_merge = Vec::new();
    if !is_given(SUMMARY) {
        of_merge.push(MergeFile {
            option: MERGED,
            name: "summary.json".to_owned(),
        });
    }
    for output in outputs {
        let refuse = |allowed: &str| {
            Refusal::wrong(&output.asked_by, &output.path.to_string_lossy(), allowed)
        };
        let name = name_of_result(output)?;
        (output.format.check_name)(&output.path).map_err(refuse)?;
        // Each stripe adds a hyphen and its index.
        let added = match output.format.is_for_recorded() {
            true => 0,
            false => format!("-{}", stripes - 1).len(),
        };
        let longest = LONGEST_FILE_NAME - added;
        if name.len() > longest {
            return Err(refuse(&format!(
                "must have a name of at most {longest} bytes"
            )));
        }
        let is_taken = if output.format.is_for_recorded() {
            if name == STRIPES_FOLDER {
                return Err(refuse(
                    "must have another name: the folder of the stripes' files is beside it and has this one",
                ));
            }
            let is_taken = of_merge.iter().any(|other: &MergeFile| other.name == name);
            let option = match output.format.option {
                SUMMARY => MERGED,
                option => option,
            };
            let name = name.to_owned();
            of_merge.push(MergeFile { option, name });
            is_taken
        } else {
            let (stem, extension) = match name.rsplit_once('.') {
                Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
                _ => (name, String::new()),
            };
            let is_same = |other: &StripeFile| other.stem == stem && other.extension == extension;
            let is_taken = of_stripes.iter().any(is_same);
            of_stripes.push(stripe_file(output.format.option, stem, &extension));
            is_taken
        };
        if is_taken {
            return Err(refuse(
                "must have a name that no other file has, since all files are in one folder",
            ));
        }
    }
    Ok((of_stripes, of_merge))
}

/// The name of a file without its folders, which are those of this machine.
fn name_of_result(output: &Output) -> Result<&str, Refusal> {
    let name = output.path.file_name().and_then(|name| name.to_str());
    name.filter(|name| *name != "-").ok_or_else(|| {
        Refusal::wrong(
            &output.asked_by,
            &output.path.to_string_lossy(),
            "must be the name of a file, which is written to the volume of the results",
        )
    })
}

/// Refuses a start so long ago that the whole schedule is in the past, even for pods that join late.
fn refuse_end_in_the_past(plan: &Plan, start: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    let (Some(end), Some(planned)) = (plan.schedule.end(), &plan.start) else {
        return Ok(());
    };
    match start.checked_add(Duration::from_nanos(end.0)) {
        Ok(end) if end <= now => Err(Refusal::Wrong(format!(
            "{} '{start}': must be later: the schedule ended at {end}, so that nothing is left to send",
            planned.asked_by
        ))),
        _ => Ok(()),
    }
}

/// Says that no pod may be ready at a start that is soon.
fn remark_on_start(plan: &Plan, now: Timestamp) -> Option<String> {
    let planned = plan.start.as_ref().filter(|start| !start.joins_late)?;
    let left = planned.at.duration_since(now.into()).unwrap_or_default();
    (left < SOON).then(|| {
        format!(
            "The start is in {}, and a pod that is not ready by then refuses to run. Choose a later start, or give --join-late.",
            span(left.into())
        )
    })
}

/// A name that another run has only if its start, its options and its seed are the same.
fn default_name(start: Timestamp, fingerprint: &str) -> String {
    let digits = &fingerprint[..6];
    format!("loadgen-{}-{digits}", start.strftime("%Y%m%d-%H%M%S"))
}

/// The time until the merge can be sure that a stripe without a result has none.
fn longest_wait(plan: &Plan, start: Timestamp, now: Timestamp) -> Duration {
    let Some(end) = plan.schedule.end() else {
        return MERGE_PATIENCE;
    };
    let until_start = Duration::try_from(start.duration_since(now)).unwrap_or_default();
    let answers = 2 * plan.timeout.max(plan.drain.after_stop);
    let end = Duration::from_nanos(end.0);
    whole_seconds(until_start + end + answers + WRITING + MERGE_SLACK)
}

/// The time, rounded up to whole seconds.
fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

fn loopback_remarks(nodes: &Nodes) -> Vec<String> {
    let Nodes::Targets(targets) = nodes else {
        return Vec::new();
    };
    let is_loopback = |address: IpAddr| address.is_loopback() || address.is_unspecified();
    let own = targets.iter().filter(|target| {
        target.address().is_some_and(is_loopback) || target.host.eq_ignore_ascii_case("localhost")
    });
    let remark = |target| {
        format!(
            "In a pod, {target} is the pod itself, not this machine. It works only with a sidecar."
        )
    };
    own.map(remark).collect()
}

/// Checks the limits of ConfigMaps and Secrets.
fn check_sizes(deployment: &Deployment) -> Result<(), Refusal> {
    let too_large = |what: &str, size: usize| {
        let allowed = format!(
            "must have at most {} in all, the limit of a ConfigMap or a Secret",
            bytes(MAX_OBJECT)
        );
        (size as u64 > MAX_OBJECT).then(|| Refusal::wrong(what, &bytes(size as u64), &allowed))
    };
    let plan: usize = deployment
        .variables
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let secrets: usize = deployment
        .secrets
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let files = |secret: bool| -> usize {
        let files = deployment
            .files
            .iter()
            .filter(|file| file.may_have_secrets == secret);
        files.map(|file| file.name.len() + file.text.len()).sum()
    };
    let all = [
        ("the values of the options", plan),
        ("the secrets of the options", secrets),
        ("the files without secrets", files(false)),
        ("the files that may have secrets", files(true)),
    ];
    match all
        .into_iter()
        .find_map(|(what, size)| too_large(what, size))
    {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }
}

fn several(text: &str) -> Result<u64, String> {
    stripes(text)
        .ok()
        .filter(|stripes| *stripes > 1)
        .ok_or_else(|| "must be a whole number from 2 to 10000".to_owned())
}

/// The longest name of a Job whose pods and objects have longer ones, of at most 63 characters.
const LONGEST_NAME: usize = 40;

fn job_name(text: &str) -> Result<String, String> {
    label(text, LONGEST_NAME)
}

fn namespace(text: &str) -> Result<String, String> {
    label(text, 63)
}

/// A name of Kubernetes (RFC 1123, a label), which begins with a letter.
fn label(text: &str, longest: usize) -> Result<String, String> {
    let is_in_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_name = text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.chars().all(is_in_a_name)
        && text.len() <= longest;
    match is_name {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "must be a name of at most {longest} lower-case letters, digits and hyphens, which begins with a letter and does \
             not end with a hyphen"
        )),
    }
}

/// A name of an object that the cluster has (RFC 1123, a subdomain).
fn object_name(text: &str) -> Result<String, String> {
    let is_in_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(is_in_a_name)
    };
    match text.len() <= 253 && text.split('.').all(is_part) {
        true => Ok(text.to_owned()),
        false => Err("must be the name of an object of the cluster: lower-case letters, digits, hyphens and points".to_owned()),
    }
}

fn image(text: &str) -> Result<String, String> {
    let is_in_a_name = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let is_image = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(is_in_a_name)
        && text.len() <= 500;
    match is_image {
        true => Ok(text.to_owned()),
        false => Err(
            "must be the name of an image, such as registry.example.com/loadgen:0.1.0".to_owned(),
        ),
    }
}

/// The name of a storage class, so short that a claim may be named after it.
fn class_name(text: &str) -> Result<String, String> {
    const LONGEST: usize = 200;
    let name = object_name(text)?;
    match name.len() <= LONGEST {
        true => Ok(name),
        false => Err(format!("must have at most {LONGEST} characters")),
    }
}

/// The units of sizes, in bytes.
const UNITS: [(&str, u64); 6] = [
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

fn size(text: &str) -> Result<String, String> {
    let text = text.trim();
    match size_in_bytes(text) {
        0 => Err(
            "must be a whole number with a unit, such as 500Mi or 10Gi: Mi, Gi, Ti, M, G or T"
                .to_owned(),
        ),
        _ => Ok(text.to_owned()),
    }
}

/// 0 for a text that is not a size.
fn size_in_bytes(text: &str) -> u64 {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = UNITS
        .iter()
        .find(|(unit, _)| *unit == &text[digits.len()..]);
    let number = digits.parse::<u32>().ok();
    let number = number.filter(|_| !digits.starts_with('+'));
    match (number, unit) {
        (Some(number), Some((_, unit))) => u64::from(number).saturating_mul(*unit),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
