//! When requests arrive at a server, against when they should: loadgen by a rate, loadgen by a
//! recording of the same instants, and of as many requests at irregular ones, and a loop that sleeps for the period after each
//! request, as a first attempt at a load generator does.
//!
//! The server on a thread of this process takes the kernel's stamp of each arrival. Arrival i is
//! compared with the instant a + due(i), which is a + i/rate without a recording; a is the median of all
//! arrivals' own, so a delay that is the same for all, as the way to the server is, does not count. The
//! first second is left out.

use crate::baselines::BareSocket;
use crate::server::{Server, Stamps};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use url::Url;

const RATES: [u32; 3] = [100, 1_000, 10_000];
const WARM_UP: Duration = Duration::from_secs(1);
const MEASURED: Duration = Duration::from_secs(5);

/// Unless `cargo bench` was given a filter for something else, or only asked what there is.
pub fn print_if_asked_for() {
    let mut arguments = std::env::args().skip(1);
    if arguments.all(|argument| argument == "--bench" || "schedule error".contains(&argument)) {
        print();
    }
}

fn print() {
    let mut server = Server::bind(0, Stamps::Kernel, 200_000).expect("a free port");
    let address = server.address().expect("a bound listener");
    let url = Url::parse(&format!("http://{address}")).expect("a URL");
    thread::spawn(move || server.run());

    println!("schedule error: |arrival - due| at the server, and |gap - period|, in µs");
    println!(
        "{:>8} {:12} {:>8} {:>37}   {:>37}",
        "rate/s", "", "arrived", "error p50 / p90 / p99 / p99.9 / max", "gap, likewise"
    );
    for rate in RATES {
        let even: Vec<_> = (0..count(rate))
            .map(|i| i as f64 * 1e6 / f64::from(rate))
            .collect();
        let recorded = recorded(rate);
        for (name, run, due) in [
            ("loadgen", run_loadgen as fn(&Url, u32, &[f64]), &even),
            ("replay", run_replay, &even),
            ("irregular", run_replay, &recorded),
            ("sleep loop", run_sleep_loop, &even),
        ] {
            reset(&url);
            run(&url, rate, due);
            let mut arrivals = arrivals(&stamps(&url));
            let share = arrivals.len() as f64 * 100.0 / due.len() as f64;
            let due = if arrivals.len() == due.len() {
                let first = due.partition_point(|due| *due < WARM_UP.as_micros() as f64);
                arrivals.drain(..first);
                &due[first..]
            } else {
                // Nobody knows which requests are missing, so those that came are compared with their own rate.
                let from = arrivals[0] + WARM_UP.as_nanos() as u64;
                arrivals.retain(|arrival| *arrival >= from);
                &even[..arrivals.len()]
            };
            let (errors, gaps) = deviations(&arrivals, due);
            let (errors, gaps) = (percentiles(errors), percentiles(gaps));
            println!("{rate:>8} {name:12} {share:>7.1}% {errors:>37}   {gaps:>37}");
        }
    }
}

/// The number of requests of a run.
fn count(rate: u32) -> u64 {
    u64::from(rate) * (WARM_UP + MEASURED).as_secs()
}

/// The instants of a recording, in µs: gaps from a tenth to nineteen tenths of the period, from a generator with a fixed
/// seed.
fn recorded(rate: u32) -> Vec<f64> {
    let (mut state, mut at) = (1u64, 0.0);
    let instants = (0..count(rate)).map(|_| {
        // Knuth's MMIX.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let share = (state >> 40) as f64 / (1 << 24) as f64;
        let this = at;
        at += (0.1 + 1.8 * share) * 1e6 / f64::from(rate);
        // Whole nanoseconds, as the file has them.
        f64::floor(this * 1e3) / 1e3
    });
    instants.collect()
}

fn run_loadgen(url: &Url, rate: u32, _: &[f64]) {
    let seconds = (WARM_UP + MEASURED).as_secs().to_string();
    let rate = rate.to_string();
    loadgen(
        url,
        &[
            "--rps",
            &rate,
            "--burst-enabled",
            "false",
            "--duration",
            &seconds,
        ],
    );
}

/// Each request has a path, headers and a body of its own, of which no two are the same.
fn run_replay(url: &Url, _: u32, due: &[f64]) {
    let line = |(number, due): (usize, &f64)| {
        format!(
            "{{\"time_us\":{due:.3},\"method\":\"POST\",\"path\":\"/check?n={number}\",\"headers\":{{\"Content-Type\":\
             \"application/json\",\"X-Key\":\"user-{number}\"}},\"body\":{{\"key\":\"{}\",\"limit\":100}},\"key\":\"{}\"}}\n",
            number % 1_000,
            number % 1_000
        )
    };
    let lines: String = due.iter().enumerate().map(line).collect();
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), lines).expect("room for a recording");
    loadgen(
        url,
        &["--replay", file.path().to_str().expect("a path in UTF-8")],
    );
}

fn loadgen(url: &Url, options: &[&str]) {
    let status = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["--targets", url.as_str()])
        .args(options)
        .stdout(Stdio::null())
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "loadgen failed"
    );
}

fn run_sleep_loop(url: &Url, rate: u32, _: &[f64]) {
    let mut socket = BareSocket::connect(url).expect("a socket");
    let start = Instant::now();
    while start.elapsed() < WARM_UP + MEASURED {
        socket.check().expect("an answer");
        thread::sleep(Duration::from_secs(1) / rate);
    }
}

fn reset(url: &Url) {
    let path = url.join("/reset").expect("a path");
    ureq::post(path.as_str()).send_empty().expect("an answer");
}

fn stamps(url: &Url) -> Vec<u8> {
    let path = url.join("/stamps").expect("a path");
    let answer = ureq::get(path.as_str()).call().expect("an answer");
    answer.into_body().read_to_vec().expect("its whole body")
}

/// In nanoseconds, in order.
fn arrivals(stamps: &[u8]) -> Vec<u64> {
    let (stamps, _) = stamps.as_chunks();
    let mut arrivals: Vec<_> = stamps
        .iter()
        .map(|&stamp| u64::from_le_bytes(stamp))
        .collect();
    arrivals.sort_unstable();
    arrivals
}

/// In µs: of each arrival from the instant at which it is due, and of each gap from the one that is due.
fn deviations(arrivals: &[u64], due: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let Some(&first) = arrivals.first() else {
        return (Vec::new(), Vec::new());
    };
    let micros = |nanos: u64| nanos as f64 / 1e3;
    let offsets = arrivals.iter().zip(due);
    let offsets = offsets.map(|(&arrival, due)| micros(arrival - first) - due);
    let mut errors: Vec<_> = offsets.collect();
    errors.sort_unstable_by(f64::total_cmp);
    let median = errors[errors.len() / 2];
    errors
        .iter_mut()
        .for_each(|error| *error = (*error - median).abs());
    let gaps = arrivals.windows(2).zip(due.windows(2));
    let gaps = gaps.map(|(pair, due)| (micros(pair[1] - pair[0]) - (due[1] - due[0])).abs());
    (errors, gaps.collect())
}

fn percentiles(mut values: Vec<f64>) -> String {
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| match values.len() {
        0 => f64::NAN,
        n => values[((n as f64 * share) as usize).min(n - 1)],
    };
    let shares = [0.5, 0.9, 0.99, 0.999, 1.0];
    shares.map(|share| format!("{:.0}", at(share))).join(" / ")
}
