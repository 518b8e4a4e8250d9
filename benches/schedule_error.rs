//! When requests arrive at a server, against when they should: loadgen beside a loop that sleeps for
//! the period after each request, as a first attempt at a load generator does.
//!
//! The server on a thread of this process takes the kernel's stamp of each arrival. Arrival i is
//! compared with the instant a + i/rate; a is the median of all arrivals' own, so a delay that is
//! the same for all, as the way to the server is, does not count. The first second is left out.

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
        for (name, run) in [
            ("loadgen", run_loadgen as fn(&Url, u32)),
            ("sleep loop", run_sleep_loop),
        ] {
            reset(&url);
            run(&url, rate);
            let arrivals = arrivals(&stamps(&url));
            let planned = f64::from(rate) * MEASURED.as_secs_f64();
            let share = arrivals.len() as f64 * 100.0 / planned;
            let (errors, gaps) = deviations(&arrivals, f64::from(rate));
            let (errors, gaps) = (percentiles(errors), percentiles(gaps));
            println!("{rate:>8} {name:12} {share:>7.1}% {errors:>37}   {gaps:>37}");
        }
    }
}

fn run_loadgen(url: &Url, rate: u32) {
    let status = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["--targets", url.as_str(), "--rps", &rate.to_string()])
        .args(["--burst-enabled", "false", "--duration"])
        .arg((WARM_UP + MEASURED).as_secs().to_string())
        .stdout(Stdio::null())
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "loadgen failed"
    );
}

fn run_sleep_loop(url: &Url, rate: u32) {
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

/// In nanoseconds, in order, without the first second.
fn arrivals(stamps: &[u8]) -> Vec<u64> {
    let (stamps, _) = stamps.as_chunks();
    let mut arrivals: Vec<_> = stamps
        .iter()
        .map(|&stamp| u64::from_le_bytes(stamp))
        .collect();
    arrivals.sort_unstable();
    let from = arrivals.first().copied().unwrap_or(0) + WARM_UP.as_nanos() as u64;
    arrivals.retain(|&arrival| arrival >= from);
    arrivals
}

/// In µs: of each arrival from its instant on the grid, and of each gap from the period.
fn deviations(arrivals: &[u64], rate: f64) -> (Vec<f64>, Vec<f64>) {
    let Some(&first) = arrivals.first() else {
        return (Vec::new(), Vec::new());
    };
    let period = 1e6 / rate;
    let micros = |nanos: u64| nanos as f64 / 1e3;
    let offsets = arrivals.iter().enumerate();
    let offsets = offsets.map(|(i, &arrival)| micros(arrival - first) - i as f64 * period);
    let mut errors: Vec<_> = offsets.collect();
    errors.sort_unstable_by(f64::total_cmp);
    let median = errors[errors.len() / 2];
    errors
        .iter_mut()
        .for_each(|error| *error = (*error - median).abs());
    let gaps = arrivals.windows(2);
    let gaps = gaps.map(|pair| (micros(pair[1] - pair[0]) - period).abs());
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
