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
    use loadgen::base::{KeyId, Outcome, Target};
    use loadgen::client::{Client, Resolver, Scratch, Trust};
    use loadgen::core::answers::Answers;
    use loadgen::core::keys::Keys;
    use loadgen::core::presets;
    use loadgen::core::request::{Constants, RequestTemplate};
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
        let mut socket = BareSocket::connect(&Url::parse(&url).expect("a URL")).expect("a socket");
        let bare = bench(&mut group, "bare socket", || {
            socket.check().expect("an answer");
        });

        let mut scratch = Scratch::default();
        let mut ours = |group: &mut _, name, request: RequestTemplate, allowed| {
            let client = client(&base, &request, allowed);
            let mut sequence = 0;
            bench(group, name, || {
                sequence += 1;
                let (answer, _) = client.ask(0, sequence, KeyId(0), &mut scratch);
                assert_eq!(answer.outcome, Outcome::Allowed);
            })
        };
        let plain = ours(&mut group, "loadgen", check(), "200");
        let by_body = ours(
            &mut group,
            "loadgen, by the body",
            check(),
            "json /allowed = true",
        );
        let differing = ours(
            &mut group,
            "loadgen, all parts differing",
            all_differing(),
            "200",
        );

        let agent = stock_agent();
        let stock = bench(&mut group, "stock ureq", || {
            check_by_stock(&agent, &url).expect("an answer");
        });
        group.finish();
        // Where only some were asked for, there is nothing to compare.
        if let (Some(bare), Some(plain), Some(by_body), Some(differing), Some(stock)) =
            (bare, plain, by_body, differing, stock)
        {
            println!(
                "of a bare socket's time: loadgen {:.2}, by the body {:.2}, all parts differing {:.2}, \
                 stock ureq {:.2}",
                plain / bare,
                by_body / bare,
                differing / bare,
                stock / bare
            );
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

    /// The same, with something that differs from request to request in every part.
    fn all_differing() -> RequestTemplate {
        let header = |name| {
            (
                HeaderName::from_static(name),
                "{uuid}".parse().expect("a template"),
            )
        };
        let mut request = check();
        request.path = "/check?n={seq}".parse().expect("a template");
        request.headers.push(header("x-request-id"));
        request.body = Some(
            r#"{"key":"{key}","limit":{limit},"window_ms":{window_ms},"seq":{seq}}"#
                .parse()
                .expect("a template"),
        );
        request
    }

    /// One that takes answers for allowed by these rules.
    fn client(base: &str, request: &RequestTemplate, allowed: &str) -> Client {
        let targets = [Target::new(base).expect("a URL")];
        let resolver = Arc::new(Resolver::start(&targets).expect("a thread"));
        assert!(resolver.any_resolved(TIMEOUT, &Stop::default()));
        let keys = Keys::generated(7, 1, "loadgen-");
        let constants = Constants {
            keys: &keys,
            limit: 100,
            window_ms: 60_000,
        };
        let requests = request.compile(&targets, &constants, 1);
        let rules = |rules: &str| rules.parse().expect("rules");
        let answers = Answers::new(&rules(allowed), &rules("429"));
        Client::new(
            &targets,
            resolver,
            requests,
            TIMEOUT,
            &Trust::PublicAuthorities,
            answers,
        )
    }

    /// The median of its samples, in seconds, if it ran.
    fn bench(
        group: &mut BenchmarkGroup<'_, WallTime>,
        name: &str,
        mut check: impl FnMut(),
    ) -> Option<f64> {
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
        samples.get(samples.len() / 2).copied()
    }

    criterion_group!(benches, one_check);
}
