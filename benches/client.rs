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
    use loadgen::client::{CheckBody, Client, Outcome, Resolver, Scratch, Target, Trust};
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

        let client = client(&base);
        let mut scratch = Scratch::default();
        let ours = bench(&mut group, "loadgen", || {
            let answer = client.check(0, KeyId(0), &mut scratch);
            assert_eq!(answer.outcome, Outcome::Allowed);
        });

        let agent = stock_agent();
        let stock = bench(&mut group, "stock ureq", || {
            check_by_stock(&agent, &url).expect("an answer");
        });
        group.finish();
        // Where only some were asked for, there is nothing to compare.
        if let (Some(bare), Some(ours), Some(stock)) = (bare, ours, stock) {
            println!(
                "of a bare socket's time: loadgen {:.2}, stock ureq {:.2}",
                ours / bare,
                stock / bare
            );
        }
    }

    fn client(base: &str) -> Client {
        let targets = [Target::new(base, "/check").expect("a URL")];
        let resolver = Arc::new(Resolver::start(&targets).expect("a thread"));
        assert!(resolver.any_resolved(TIMEOUT, &Stop::default()));
        let body = CheckBody::new(100, 60_000);
        Client::new(
            &targets,
            resolver,
            Keys::new(7, 1),
            body,
            TIMEOUT,
            &Trust::PublicAuthorities,
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
