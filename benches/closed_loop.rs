//! Measures a closed loop: each thread sends its next check as soon as the last one is answered.
//!
//! `cargo run --release --example closed_loop -- --client stock http://127.0.0.1:PORT/check`,
//! where the client is `stock`, one ureq agent shared by all threads, or `bare`, a blocking socket
//! for each. It prints one line: requests, requests per second, processor time per request.

mod baselines;

use baselines::{BareSocket, check_by_stock, stock_agent};
use clap::{Parser, ValueEnum};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use url::Url;

/// Sends checks in a closed loop
#[derive(Parser)]
struct Arguments {
    /// Where to: http only
    url: Url,
    #[arg(long, value_enum)]
    client: Client,
    #[arg(long, default_value_t = 100)]
    threads: usize,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Client {
    /// One stock ureq agent, shared by all threads
    Stock,
    /// A blocking socket for each thread
    Bare,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let Arguments { url, threads, .. } = &arguments;
    let agent = stock_agent();
    let over = AtomicBool::new(false);
    let processor_before = processor_time();
    let began = Instant::now();
    let requests = thread::scope(|scope| {
        let threads: Vec<_> = (0..*threads)
            .map(|_| {
                scope.spawn(|| match arguments.client {
                    Client::Stock => {
                        let url = url.as_str();
                        until(&over, || check_by_stock(&agent, url))
                    }
                    Client::Bare => {
                        let mut socket = BareSocket::connect(url)?;
                        until(&over, || socket.check())
                    }
                })
            })
            .collect();
        thread::sleep(Duration::from_secs_f64(arguments.seconds));
        over.store(true, Relaxed);
        let requests = threads.into_iter().map(|thread| match thread.join() {
            Ok(requests) => requests,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        requests.sum::<io::Result<u64>>()
    })?;
    let rate = requests as f64 / began.elapsed().as_secs_f64();
    print!("{requests} requests, {rate:.0}/s");
    if let (Some(before), Some(after)) = (processor_before, processor_time()) {
        let each = (after - before).as_secs_f64() * 1e6 / requests as f64;
        print!(", {each:.2} µs of processor time each");
    }
    println!();
    Ok(())
}

/// Counts until it is over, or until the first failure: a loop that goes on over failures would
/// measure those.
fn until(over: &AtomicBool, mut check: impl FnMut() -> io::Result<()>) -> io::Result<u64> {
    let mut requests = 0;
    while !over.load(Relaxed) {
        check()?;
        requests += 1;
    }
    Ok(requests)
}

/// What this process used so far, all threads, in user and in system mode.
#[cfg(unix)]
fn processor_time() -> Option<Duration> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(used.tv_sec as u64, used.tv_nsec as u32))
}

#[cfg(not(unix))]
fn processor_time() -> Option<Duration> {
    None
}
