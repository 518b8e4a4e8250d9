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
    use loadgen::client::{Answers, CheckBody, Client, Outcome, Resolver, Scratch, Target, Trust};
    use loadgen::keys::{KeyId, Keys};
    use loadgen::stop::Stop;
    use std::sync::Arc;
    use std::thread;
    use std::time::{Duration, Instant};
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
        let mut by_rules = |group: &mut _, name, allowed| {
            let client = client(&base, allowed);
            bench(group, name, || {
                let answer = client.check(0, KeyId(0), &mut scratch);
                assert_eq!(answer.outcome, Outcome::Allowed);
            })
        };
        let ours = by_rules(&mut group, "loadgen", "200");
        let by_body = by_rules(&mut group, "loadgen, by the body", "json /allowed = true");

        let agent = stock_agent();
        let stock = bench(&mut group, "stock ureq", || {
            check_by_stock(&agent, &url).expect("an answer");
        });
        group.finish();
        // Where only some were asked for, there is nothing to compare.
        if let (Some(bare), Some(ours), Some(by_body), Some(stock)) = (bare, ours, by_body, stock) {
            println!(
                "of a bare socket's time: loadgen {:.2}, by the body {:.2}, stock ureq {:.2}",
                ours / bare,
                by_body / bare,
                stock / bare
            );
        }
    }

    /// One that takes answers for allowed by these rules.
    fn client(base: &str, allowed: &str) -> Client {
        let targets = [Target::new(base, "/check").expect("a URL")];
        let resolver = Arc::new(Resolver::start(&targets).expect("a thread"));
        assert!(resolver.any_resolved(TIMEOUT, &Stop::default()));
        let body = CheckBody::new(100, 60_000);
        let rules = |rules: &str| rules.parse().expect("rules");
        let answers = Answers::new(&rules(allowed), &rules("429"));
        Client::new(
            &targets,
            resolver,
            Keys::new(7, 1),
            body,
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
