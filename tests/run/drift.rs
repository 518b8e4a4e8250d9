//! The schedule's main promise: the due time of a request does not depend on the requests before it, so that no error adds up.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::median;
use crate::support::server::Server;

const REQUESTS: u32 = 4_000;
const PERIOD: Duration = Duration::from_millis(1);

/// How much later than the first tenth the last tenth is, in seconds, against one request per period.
fn drift(sent: &[Duration]) -> f64 {
    let late = |(at, k): (&Duration, u32)| at.as_secs_f64() - (PERIOD * k).as_secs_f64();
    let late: Vec<f64> = sent.iter().zip(0..).map(late).collect();
    let tenth = late.len() / 10;
    median(&late[9 * tenth..]) - median(&late[..tenth])
}

/// Both run at the same time, so that a busy machine disturbs both.
#[test]
fn a_run_stays_on_schedule_while_a_loop_of_sleeps_falls_behind() {
    let server = Server::allowing();
    let run = server
        .launch("--rps 1000 --duration 4 --burst-enabled false --workers 16")
        .start();
    let start = Instant::now();
    let loop_of_sleeps = (0..REQUESTS).map(|_| {
        thread::sleep(PERIOD);
        start.elapsed()
    });
    let naive = drift(&loop_of_sleeps.collect::<Vec<_>>());
    let report = run.finish().report();
    assert_eq!(report.allowed, u64::from(REQUESTS), "{report}");
    let drift = drift(&server.arrivals());
    println!("drift: {drift:.4} s, and of a loop of sleeps: {naive:.4} s");
    assert!(
        drift.abs() < naive / 10.0,
        "a drift of {drift} s, and a loop of sleeps: {naive} s\n{report}"
    );
}
