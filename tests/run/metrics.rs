//! The generator's own `/metrics`, during a run and after it.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use socket2::SockRef;

use crate::support::metrics::{Metrics, address, ask, ask_for, await_mode, scrape};
use crate::support::report::Report;
use crate::support::run::{Launch, Run, loadgen};
use crate::support::server::{Refusing, Reply, Server};
use crate::support::{SIGNALS_APART, at_once, eventually, seconds};

/// Allows and blocks in turn.
fn limiting() -> Server {
    let number = AtomicUsize::new(0);
    Server::start(move |_| match number.fetch_add(1, Relaxed) % 2 {
        0 => Reply::allowed(),
        _ => Reply::blocked(),
    })
}

/// A run that serves its metrics at the address.
#[track_caller]
fn watched(launch: Launch) -> (Run, SocketAddr) {
    let run = launch.args(["--metrics-addr", "127.0.0.1:0"]).start();
    let address = address(&run);
    (run, address)
}

/// The last scrape of a run, and its summary.
#[track_caller]
fn at_the_end(launch: Launch) -> (Metrics, Report) {
    let (run, address) = watched(launch.args(["--metrics-linger", "25"]));
    run.await_line("metrics stay available at");
    let metrics = scrape(address);
    run.terminate();
    (metrics, run.finish().report())
}

/// Asserts that the scrape has everything that the summary counts, and nothing else.
#[track_caller]
fn assert_agrees(metrics: &Metrics, report: &Report) {
    for (name, said) in [
        ("scheduled", report.scheduled),
        ("sent", report.sent),
        ("dropped", report.dropped),
        ("unsent", report.unsent),
    ] {
        let sum = metrics.sum(&format!("loadgen_requests_{name}_total"));
        assert_eq!(sum, said as f64, "{name}:\n{report}");
    }
    // A target given twice has two rows in the summary.
    let mut rows: BTreeMap<&str, [u64; 5]> = BTreeMap::new();
    for row in &report.targets {
        let counts = [
            row.sent,
            row.allowed,
            row.blocked,
            row.failed,
            row.abandoned,
        ];
        let sum = rows.entry(&row.url).or_default();
        *sum = std::array::from_fn(|place| sum[place] + counts[place]);
    }
    let mut failures: BTreeMap<String, u64> = BTreeMap::new();
    for (url, [sent, allowed, blocked, failed, abandoned]) in rows {
        let count = |name: &str| metrics.count(&format!("loadgen_{name}"), &[("target", url)]);
        let ended = |outcome| {
            let labels = [("target", url), ("outcome", outcome)];
            metrics.count("loadgen_requests_total", &labels)
        };
        let outcomes = ["allowed", "blocked", "failed", "abandoned"].map(ended);
        let said = [allowed, blocked, failed, abandoned];
        assert_eq!(outcomes, said, "{url}:\n{report}");
        assert_eq!(count("requests_sent_total"), sent, "{url}:\n{report}");
        let accounted =
            ["sent", "dropped", "unsent"].map(|n| count(&format!("requests_{n}_total")));
        let scheduled = count("requests_scheduled_total");
        let accounted = accounted.iter().sum::<u64>();
        assert_eq!(scheduled, accounted, "the ledger of {url}:\n{report}");
        assert_eq!(count("requests_queued") + count("requests_in_flight"), 0);

        let answered = allowed + blocked;
        for kind in metrics.values_of("loadgen_request_failures_total", "kind") {
            let labels = [("target", url), ("kind", kind.as_str())];
            let count = metrics.count("loadgen_request_failures_total", &labels);
            *failures.entry(kind).or_default() += count;
        }
        for times in ["latency", "service_time"] {
            let counted = count(&format!("{times}_seconds_count"));
            assert_eq!(counted, answered, "{times} of {url}:\n{report}");
        }
        let counted = count("failed_after_seconds_count");
        assert_eq!(counted, failed, "{url}:\n{report}");
    }
    failures.retain(|_, count| *count > 0);
    assert_eq!(failures, report.failures, "{report}");
    let lags = metrics.count("loadgen_send_lag_seconds_count", &[]);
    assert_eq!(lags, report.sent, "{report}");
    assert_eq!(metrics.mode(), "ended");
    assert_eq!(metrics.rate(), 0.0);
}

// The last scrape.

#[test]
fn the_last_scrape_is_the_summary_whatever_the_targets_do() {
    let (limiting, silent) = (limiting(), Server::silent());
    let (refusing, failing) = (Refusing::new(), Server::start(|_| Reply::status(503, "No")));
    let targets = [limiting.url(), silent.url(), refusing.url(), failing.url()].join(",");
    let line = "--rps 200 --duration 1 --timeout 0.3 --workers 8 --queue 5";
    let (metrics, report) = at_the_end(loadgen(format!("--targets {targets} {line}")));
    assert_agrees(&metrics, &report);
    assert_eq!(report.scheduled, 200, "{report}");
    for kind in ["timeout", "refused", "status_5xx"] {
        assert!(report.failed_by(kind) > 0, "{kind}:\n{report}");
    }
    assert!(report.dropped > 0, "{report}");
    let silent = silent.url();
    let labels = [("target", silent.trim_end_matches('/'))];
    let waited = metrics.value("loadgen_failed_after_seconds_sum", &labels);
    let asked = metrics.value("loadgen_failed_after_seconds_count", &labels);
    let mean = waited / asked;
    assert!(
        (0.25..5.0).contains(&mean),
        "a mean of {mean} s for a timeout of 0.3 s"
    );
}

#[test]
fn the_last_scrape_has_what_the_drain_timeout_cut_off() {
    let silent = Server::silent();
    let (metrics, report) = at_the_end(
        silent.launch("--rps 20 --duration 0.5 --workers 4 --timeout 60 --drain-timeout 0.5"),
    );
    assert_agrees(&metrics, &report);
    assert_eq!((report.abandoned, report.unsent), (4, 6), "{report}");
}

#[test]
fn a_target_given_twice_is_one_series() {
    let server = limiting();
    let line = "--rps 20 --duration 0.5 --workers 4";
    let targets = format!("{0},{0}", server.url());
    let (metrics, report) = at_the_end(loadgen(format!("--targets {targets} {line}")));
    assert_eq!(report.targets.len(), 2, "{report}");
    assert_agrees(&metrics, &report);
}

#[test]
fn latencies_are_in_the_buckets_that_the_percentiles_are_in() {
    let server = Server::start(|_| Reply::allowed().after(seconds(0.3)));
    let (metrics, report) = at_the_end(server.launch("--rps 20 --duration 0.5 --workers 10"));
    let url = server.url();
    let within = |name: &str, le: &str| {
        let labels = [("target", url.trim_end_matches('/')), ("le", le)];
        metrics.count(&format!("loadgen_{name}_seconds_bucket"), &labels)
    };
    for name in ["latency", "service_time"] {
        assert_eq!(within(name, "0.25"), 0, "{name}:\n{report}");
        assert_eq!(within(name, "30.0"), 10, "{name}:\n{report}");
        let sum = metrics.sum(&format!("loadgen_{name}_seconds_sum"));
        assert!(sum >= 3.0, "{name}: {sum}\n{report}");
    }
}

// During a run.

#[test]
fn a_run_can_be_watched() {
    let server = Server::start(|_| Reply::allowed().after(seconds(0.05)));
    let (run, address) = watched(server.launch(
        "--rps 40 --duration 7 --workers 32 --metrics-linger 25 \
         --burst-multiplier 5 --burst-duration 1.5 --burst-interval 3",
    ));
    let mut last = scrape(address);
    let (mut modes, mut seen_in_flight) = (vec![last.mode()], 0);
    while last.mode() != "ended" {
        thread::sleep(seconds(0.02));
        let next = scrape(address);
        next.assert_not_less_than(&last);
        last = next;
        if modes.last() != Some(&last.mode()) {
            modes.push(last.mode());
        }
        let rate = last.rate();
        let rates = BTreeMap::from([("steady", 40.0), ("burst", 200.0)]);
        let expected = rates.get(last.mode().as_str());
        assert_eq!(rate, expected.copied().unwrap_or(0.0), "{}", last.mode());
        let in_flight = last.sum("loadgen_requests_in_flight");
        assert!((0.0..=32.0).contains(&in_flight), "{in_flight} in flight");
        seen_in_flight = seen_in_flight.max(in_flight as u64);
        let of = |name: &str| last.sum(&format!("loadgen_requests{name}_total"));
        assert!(of("_scheduled") >= of("_sent") + of("_dropped") + of("_unsent"));
        assert!(of("_sent") >= of(""));
        assert!(of("") >= last.sum("loadgen_latency_seconds_count"));
    }
    assert!(seen_in_flight > 0);
    let paced = ["steady", "burst", "steady", "burst"];
    assert_eq!(modes[..4], paced, "{modes:?}");
    assert_eq!(modes.last().map(String::as_str), Some("ended"));
    run.terminate();
    assert_agrees(&last, &run.finish().report());
}

#[test]
fn a_request_counts_as_scheduled_only_once_it_is_due() {
    let server = Server::allowing();
    let (_run, address) =
        watched(server.launch("--rps 100 --duration 25 --burst-enabled false --workers 8"));
    for _ in 0..100 {
        let metrics = scrape(address);
        let scheduled = metrics.sum("loadgen_requests_scheduled_total");
        let start = metrics.value("loadgen_run_start_time_seconds", &[]);
        let now = std::time::SystemTime::now();
        let now = now.duration_since(std::time::UNIX_EPOCH).expect("a time");
        // The pacer is at least 10 ms ahead; the two clocks differ by less than this.
        let elapsed = now.as_secs_f64() - start + 0.005;
        let due = (100.0 * elapsed).floor() + 1.0;
        assert!(scheduled <= due, "{scheduled} scheduled, {due} due");
        thread::sleep(seconds(0.01));
    }
}

#[test]
fn metrics_are_there_while_the_run_drains() {
    let silent = Server::silent();
    let (_run, address) = watched(
        silent.launch("--rps 20 --duration 0.4 --workers 4 --timeout 60 --drain-timeout 25"),
    );
    let mut metrics = scrape(address);
    eventually("four in flight and four queued, in the drain", || {
        metrics = scrape(address);
        let four = |what: &str| metrics.sum(&format!("loadgen_requests_{what}")) == 4.0;
        metrics.mode() == "draining" && four("in_flight") && four("queued")
    });
    assert_eq!(metrics.rate(), 0.0);
}

#[test]
fn after_a_signal_nothing_more_is_scheduled() {
    let silent = Server::silent();
    let (run, address) = watched(
        silent.launch("--rps 500 --duration 60 --workers 4 --timeout 60 --drain-timeout 5"),
    );
    eventually("tokens in the queue", || {
        scrape(address).sum("loadgen_requests_queued") > 20.0
    });
    let mut last = scrape(address);
    run.terminate();
    eventually("the drain", || {
        let next = scrape(address);
        next.assert_not_less_than(&last);
        last = next;
        last.mode() == "draining"
    });
    // The drain takes 5 s, in which 2,500 more were due.
    let report = run.finish().report();
    let scheduled = last.sum("loadgen_requests_scheduled_total");
    assert_eq!(scheduled, report.scheduled as f64, "{report}");
}

// Readers.

#[test]
fn readers_that_never_read_hold_up_nobody() {
    let server = Server::allowing();
    // With this many targets, a few dozen answers exceed the buffers of any system.
    let targets: Vec<_> = (0..50)
        .map(|node| format!("{}/{node}", server.url()))
        .collect();
    let (run, address) = watched(loadgen(format!(
        "--targets {} --rps 100 --duration 5 --burst-enabled false --workers 8",
        targets.join(",")
    )));
    let stuck: Vec<_> = (0..5)
        .map(|_| {
            let connection = TcpStream::connect(address).expect("a connection");
            connection.set_nonblocking(true).expect("a socket");
            let shrunk = SockRef::from(&connection).set_recv_buffer_size(4096);
            shrunk.expect("a small buffer");
            connection
        })
        .collect();
    while server.request_count() < 300 {
        for mut connection in &stuck {
            // Once the answers fill their buffers, the requests soon fill theirs.
            let _ = connection.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        }
        thread::sleep(seconds(0.04));
    }
    scrape(address);
    let finished = run.finish();
    let report = finished.report();
    assert_eq!((report.sent, report.allowed), (500, 500), "{report}");
    assert!(finished.took() < seconds(15.0), "{finished}");
}

#[test]
fn only_metrics_are_served() {
    let server = Server::allowing();
    let (_run, address) = watched(server.launch("--duration 25"));
    for (method, path, status) in [
        ("GET", "/metrics", 200),
        ("HEAD", "/metrics", 200),
        ("GET", "/", 404),
        ("GET", "/metrics/x", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/metrics", 405),
    ] {
        let answer = ask(address, method, path).expect("an answer");
        assert_eq!(answer.status, status, "{method} {path}");
        let allow = answer.head.contains("\r\nallow: get, head");
        assert_eq!(allow, status == 405, "{method} {path}: {}", answer.head);
        assert_eq!(answer.body.is_empty(), method == "HEAD", "{method} {path}");
    }
}

// The address, and how long it is served.

#[test]
fn an_address_without_a_host_is_every_address() {
    let server = Server::allowing();
    let run = server.launch("--duration 25 --metrics-addr :0").start();
    let address = address(&run);
    assert!(address.ip().is_unspecified(), "{address}");
    scrape(SocketAddr::from(([127, 0, 0, 1], address.port())));
}

#[test]
fn without_lingering_metrics_end_with_the_run() {
    let server = Server::allowing();
    at_once(["", "--metrics-linger 0"], |linger| {
        let (run, address) =
            watched(server.launch(format!("--rps 20 --duration 1 --workers 4 {linger}")));
        scrape(address);
        let finished = run.finish();
        assert_eq!(finished.report().scheduled, 20, "{finished}");
        assert!(finished.took() < seconds(10.0), "{finished}");
        assert!(TcpStream::connect(address).is_err(), "still there");
    });
}

#[test]
fn lingering_lasts_as_long_as_requested() {
    let server = Server::allowing();
    let run = server.launch("--rps 20 --duration 0.5 --workers 4 --metrics-linger 2");
    let run = run.env("LOADGEN_METRICS_ADDR", "127.0.0.1:0").start();
    let announced = run.await_line("metrics stay available at").at;
    let finished = run.finish();
    finished.report();
    let lingered = finished.ended - announced;
    assert!(lingered >= seconds(1.8), "{lingered:?}\n{finished}");
    assert!(lingered < seconds(8.0), "{lingered:?}\n{finished}");
}

#[test]
fn a_signal_ends_lingering_at_once() {
    at_once([Run::terminate, Run::interrupt], |signal| {
        let server = Server::allowing();
        let (mut run, address) =
            watched(server.launch("--rps 20 --duration 0.5 --workers 4  --metrics-linger 60"));
        run.await_line("metrics stay available at");
        await_mode(address, "ended");
        assert!(run.is_running());
        let finished = run.ended_by(signal, 3.0);
        finished.report();
    });
}

/// `# TYPE loadgen_requests_total counter` and every sample, which both formats write alike.
#[test]
fn classic_text_has_every_sample_of_openmetrics() {
    let server = Server::allowing();
    let (run, address) =
        watched(server.launch("--rps 20 --duration 0.5 --workers 4 --metrics-linger 60"));
    run.await_line("metrics stay available at");
    let in_format = |accept| {
        let answer = ask_for(address, "GET", "/metrics", accept).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer
    };
    let classic = in_format("Accept: text/plain;version=0.0.4\r\n");
    let form = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(classic.head.contains(form), "{}", classic.head);
    let open = in_format("Accept: text/plain;q=0.3, application/openmetrics-text\r\n");
    Metrics::parse(&open.body).expect("OpenMetrics");
    let samples = |text: &str| -> Vec<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(str::to_owned).collect()
    };
    assert_eq!(samples(&classic.body), samples(&open.body));
    for line in classic
        .body
        .lines()
        .filter(|line| !line.starts_with("# HELP"))
    {
        let Some(metadata) = line.strip_prefix("# ") else {
            continue;
        };
        let (word, family) = metadata.split_once(' ').expect("two words");
        let (name, kind) = family.split_once(' ').expect("a name and a type");
        assert_eq!(word, "TYPE", "{line}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
    }
    run.terminate();
    run.finish();
}

#[test]
fn a_run_ended_by_a_signal_keeps_its_last_metrics_until_a_second_signal() {
    at_once([Run::terminate, Run::interrupt], |signal| {
        let server = Server::allowing();
        let (mut run, address) =
            watched(server.launch("--duration 60 --drain-timeout 40 --metrics-linger 60"));
        eventually("a request", || server.request_count() > 0);
        signal(&run);
        let line = run.await_line("metrics stay available at").text;
        assert!(line.ends_with("s; a second signal ends that"), "{line}");
        let metrics = scrape(address);
        assert_eq!(metrics.mode(), "ended");
        thread::sleep(SIGNALS_APART);
        assert!(run.is_running());
        let finished = run.ended_by(signal, 3.0);
        assert_agrees(&metrics, &finished.report());
    });
}

#[test]
fn a_run_ended_by_a_signal_lingers_for_what_the_drain_timeout_leaves() {
    let server = Server::allowing();
    let (run, _) = watched(server.launch("--duration 60 --drain-timeout 6 --metrics-linger 60"));
    eventually("a request", || server.request_count() > 0);
    let stopped = Instant::now();
    run.terminate();
    let finished = run.finish();
    finished.report();
    let lines = finished.lines_with("metrics stay available at");
    assert_eq!(lines.len(), 1, "{finished}");
    let took = finished.ended - stopped;
    assert!(
        took >= seconds(5.9) && took < seconds(30.0),
        "{took:?}\n{finished}"
    );
}

#[test]
fn a_run_whose_drain_took_all_of_its_time_does_not_linger() {
    let server = Server::start(|_| Reply::allowed().after(seconds(20.0)));
    let (run, _) = watched(server.launch("--duration 60 --drain-timeout 1 --metrics-linger 60"));
    eventually("a request", || server.request_count() > 0);
    let finished = run.ended_by(Run::terminate, 8.0);
    assert!(finished.report().abandoned > 0, "{finished}");
    let lines = finished.lines_with("metrics stay available at");
    assert!(lines.is_empty(), "{finished}");
}

/// A threshold is not a signal: nobody waits for this run with a limited patience.
#[test]
fn a_run_aborted_by_a_threshold_lingers_until_the_first_signal() {
    let server = limiting();
    let options = "--rps 50 --duration 60 --threshold blocked.count=0 --abort-on-fail --drain-timeout 1 --metrics-linger 50";
    let (mut run, _) = watched(server.launch(options));
    let line = run.await_line("metrics stay available at").text;
    assert!(line.ends_with("for 50s; a signal ends that"), "{line}");
    assert!(run.is_running());
    run.terminate();
    let finished = run.finish();
    assert_eq!(finished.code(), Some(4), "{finished}");
}

#[test]
fn lingering_without_an_address_means_nothing() {
    let server = Server::allowing();
    let finished = server
        .launch("--rps 20 --duration 0.5 --workers 4 --metrics-linger 60")
        .finish();
    finished.report();
    assert!(finished.took() < seconds(10.0), "{finished}");
}

#[test]
fn an_address_that_is_taken_is_refused_before_anything_is_sent() {
    let server = Server::allowing();
    let busy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = busy.local_addr().expect("an address").to_string();
    let launch = server
        .launch("--duration 1")
        .args(["--metrics-addr", &taken]);
    launch.assert_refused(&["--metrics-addr", &taken, "in use"]);
    let launch = server
        .launch("--duration 1")
        .env("LOADGEN_METRICS_ADDR", &taken);
    launch.assert_refused(&["LOADGEN_METRICS_ADDR", &taken, "in use"]);
    assert_eq!(server.request_count(), 0);
}

/// The number of a process's listening sockets, by the kernel's tables.
#[cfg(target_os = "linux")]
fn listening(run: &Run) -> usize {
    use std::collections::BTreeSet;
    use std::fs::{read_dir, read_link, read_to_string};
    let process = format!("/proc/{}", run.id());
    let files = read_dir(format!("{process}/fd")).expect("its descriptors");
    let inodes: BTreeSet<String> = files
        .filter_map(|file| {
            let link = read_link(file.ok()?.path()).ok()?;
            let inode = link.to_str()?.strip_prefix("socket:[")?;
            Some(inode.strip_suffix(']')?.to_owned())
        })
        .collect();
    let tables = ["tcp", "tcp6"].map(|name| read_to_string(format!("{process}/net/{name}")));
    let tables: Vec<String> = tables.into_iter().flatten().collect();
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    rows.map(|row| row.split_whitespace().collect::<Vec<_>>())
        .filter(|row| row[3] == "0A" && inodes.contains(row[9]))
        .count()
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_listens_unless_it_is_asked_to() {
    let server = Server::allowing();
    for (option, sockets) in [("", 0), ("--metrics-addr 127.0.0.1:0", 1)] {
        let before = server.request_count();
        let run = server.launch(format!("--duration 25 {option}")).start();
        eventually("a request", || server.request_count() > before);
        assert_eq!(listening(&run), sockets, "{option}");
    }
}

// The parser that these tests rely on.

const GOOD: &str = "\
# HELP loadgen_a Help.
# TYPE loadgen_a counter
loadgen_a_total{x=\"1\"} 5
loadgen_a_total{x=\"a\\\"\\\\\\n\"} 6
# HELP loadgen_b_seconds Help.
# TYPE loadgen_b_seconds histogram
# UNIT loadgen_b_seconds seconds
loadgen_b_seconds_sum 1.5
loadgen_b_seconds_count 3
loadgen_b_seconds_bucket{le=\"1.0\"} 2
loadgen_b_seconds_bucket{le=\"+Inf\"} 3
# HELP loadgen_c Help.
# TYPE loadgen_c gauge
loadgen_c -1
# EOF
";

#[test]
fn the_strict_parser_accepts_valid_text_and_nothing_else() {
    let good = Metrics::parse(GOOD).unwrap();
    assert_eq!(good.value("loadgen_a_total", &[("x", "a\"\\\n")]), 6.0);
    assert_eq!(good.sum("loadgen_a_total"), 11.0);
    for (right, wrong) in [
        ("# EOF\n", ""),
        ("loadgen_a_total{x=\"1\"}", "loadgen_a{x=\"1\"}"),
        ("loadgen_a_total{x=\"1\"} 5", "loadgen_a_total{x=\"1\"} -5"),
        ("x=\"1\"", "x=1"),
        ("x=\"1\"", "x=\"1\",x=\"2\""),
        ("x=\"1\"", "x=\"a\\\"\\\\\\n\""),
        ("\\\\", "\\x"),
        ("# TYPE loadgen_c gauge\n", ""),
        ("# HELP loadgen_c Help.\n", ""),
        ("# HELP loadgen_c", "# HELP loadgen_a"),
        ("# UNIT loadgen_b_seconds seconds\n", ""),
        ("le=\"1.0\"} 2", "le=\"1.0\"} 4"),
        ("seconds_count 3", "seconds_count 4"),
        ("loadgen_b_seconds_sum 1.5\n", ""),
        ("loadgen_b_seconds_bucket{le=\"+Inf\"} 3\n", ""),
        ("loadgen_c -1", "loadgen_d -1"),
        ("loadgen_c -1", "loadgen_c -1\nloadgen_c 1"),
        ("loadgen_c -1", "loadgen_c NaN"),
        ("loadgen_c -1", "\nloadgen_c -1"),
    ] {
        let text = GOOD.replacen(right, wrong, 1);
        assert!(Metrics::parse(&text).is_err(), "{right:?} → {wrong:?}");
    }
}
