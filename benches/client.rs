//! One check at a time through stock ureq, through loadgen's client, and over a bare blocking
//! socket, against the recording server on a thread of this process: `cargo bench --bench client`.

#[cfg(target_os = "linux")]
mod baselines;
#[cfg(target_os = "linux")]
#[path = "recording_server/server.rs"]
mod server;

#[cfg(target_os = "linux")]
fn main() {
    linux::benches();
    criterion::Criterion::default()
        .configure_from_args()
        .final_summary();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the recording server needs Linux: epoll");
}

#[cfg(target_os = "linux")]
mod linux {
    use crate::baselines::{BareSocket, check_by_stock, stock_agent};
    use crate::server::{Server, Stamps};
    use criterion::{BenchmarkGroup, Criterion, criterion_group, measurement::WallTime};
    use loadgen::base::{KeyId, Nanos, Outcome, Target};
    use loadgen::client::{Client, Connecting, Resolver, Scratch, Trust};
    use loadgen::core::answers::{Answers, FAILING_OPEN};
    use loadgen::core::keys::Keys;
    use loadgen::core::presets;
    use loadgen::core::request::{Constants, RequestTemplate, Template};
    use loadgen::engine::Caller;
    use loadgen::system::Stop;
    use std::sync::Arc;
    use std::thread;
    use std::time::{Duration, Instant};
    use ureq::http::HeaderName;
    use url::Url;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn one_check(criterion: &mut Criterion) {
        let mut server = Server::bind(0, Stamps::None, 0).expect("a free port");
        let base = format!("http://{}", server.address().expect("a bound listener"));
        thread::spawn(move || server.run());
        let url = format!("{base}/check");

        let mut group = criterion.benchmark_group("one check");
        let mut medians = Vec::new();
        let mut socket = BareSocket::connect(&Url::parse(&url).expect("a URL")).expect("a socket");
        medians.extend(bench(&mut group, "bare socket", || {
            socket.check().expect("an answer");
        }));

        let by_body = "json /allowed = true";
        let mut scratch = Scratch::default();
        // Without a header of this name, the answer does not say that the limiter fails open.
        let marks = Some(FAILING_OPEN);
        for (name, request, allowed, marks) in [
            ("loadgen", check(), "200", marks),
            ("loadgen, without --failing-open", check(), "200", None),
            ("loadgen, by the body", check(), by_body, marks),
            (
                "loadgen, all parts differing",
                all_differing(),
                "200",
                marks,
            ),
        ] {
            let client = client(&base, &request, allowed, marks);
            let mut sequence = 0;
            medians.extend(bench(&mut group, name, || {
                sequence += 1;
                let (answer, _) = client.call(0, sequence, KeyId(0), &mut scratch);
                assert_eq!(answer.outcome, Outcome::Allowed);
            }));
        }

        let agent = stock_agent();
        medians.extend(bench(&mut group, "stock ureq", || {
            check_by_stock(&agent, &url).expect("an answer");
        }));
        group.finish();
        // A filter on the command line may have left out some, or all.
        if let [(base, least), others @ ..] = &medians[..] {
            for (name, median) in others {
                println!("{name}: {:.2} times a {base}", median / least);
            }
        }
    }

    /// The request of the default preset, as a run sends it.
    fn check() -> RequestTemplate {
        let mut request = presets::ALL[0].request();
        let agent = "loadgen/bench".parse().expect("a template");
        request
            .headers
            .insert(0, (HeaderName::from_static("user-agent"), agent));
        request
    }

    /// The same request, with a value in every part that differs from request to request.
    fn all_differing() -> RequestTemplate {
        let template = |text: &str| -> Template { text.parse().expect("a template") };
        let mut request = check();
        request.paths = template("/check?n={seq}").into();
        let id = HeaderName::from_static("x-request-id");
        request.headers.push((id, template("{uuid}")));
        let body = r#"{"key":"{key}","limit":{limit},"window_ms":{window_ms},"seq":{seq}}"#;
        request.body = Some(template(body));
        request
    }

    /// A client that takes answers for allowed by these rules, and for those of a limiter that fails open by others.
    fn client(base: &str, request: &RequestTemplate, allowed: &str, marks: Option<&str>) -> Client {
        let targets = [Target::new(base).expect("a URL")];
        let resolver = Arc::new(Resolver::start(&targets).expect("a thread"));
        assert!(resolver.any_resolved(TIMEOUT, &Stop::default()));
        let constants = Constants {
            keys: &Keys::generated(7, 1, "loadgen-"),
            limit: 100,
            window: Nanos(60_000_000_000),
        };
        let requests = request.compile(&targets, &constants, 1);
        let rules = |rules: &str| rules.parse().expect("rules");
        let answers = Answers::new(&rules(allowed), &rules("429"));
        let answers = match marks {
            Some(marks) => answers.with_failing_open(&rules(marks)),
            None => answers,
        };
        let connecting = &Connecting::trusting(Trust::PublicAuthorities);
        Client::new(&targets, resolver, requests, TIMEOUT, connecting, answers)
    }

    /// Runs one benchmark, unless it is filtered out, and returns its name and the median of its samples in seconds.
    fn bench<'a>(
        group: &mut BenchmarkGroup<'_, WallTime>,
        name: &'a str,
        mut check: impl FnMut(),
    ) -> Option<(&'a str, f64)> {
        let mut samples = Vec::new();
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|checks| {
                let began = Instant::now();
                for _ in 0..checks {
                    check();
                }
                let took = began.elapsed();
                samples.push(took.as_secs_f64() / checks as f64);
                took
            });
        });
        samples.sort_by(f64::total_cmp);
        Some((name, *samples.get(samples.len() / 2)?))
    }

    criterion_group!(benches, one_check);
}
