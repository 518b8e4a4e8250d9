//! The server that every load generator is measured against: it answers each request as a rate
//! limiter would, at the least cost it can, and records when each one arrived.
//!
//! `cargo run --release --example recording_server -- --port 0` prints `listening on
//! 127.0.0.1:PORT`. Any GET, and any POST with a Content-Length, is answered with a 200 and a
//! small JSON body, and recorded, but for these:
//!
//! - `POST /reset` forgets what was recorded.
//! - `GET /count` tells it as JSON: `requests` answered; `stamped`, fewer than that once the
//!   capacity is used up or with `--stamps none`; `without_kernel_stamp`, those of the stamped
//!   that were stamped by this process for want of the kernel's stamp.
//! - `GET /stamps` gives the arrivals in the order in which they were read, which is not quite
//!   that in which they arrived: 8 bytes each, little-endian, nanoseconds since 1970
//!   (CLOCK_REALTIME).
//!
//! A kernel stamp is taken when the packet with a request's last byte reaches the server's
//! socket. So it does not charge the load generator with the time that this process, on the same
//! machine, took to be scheduled. Requests that were read together share a stamp.

#[cfg(target_os = "linux")]
#[path = "recording_server/server.rs"]
mod server;
#[cfg(all(test, target_os = "linux"))]
#[path = "recording_server/tests.rs"]
mod tests;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use clap::Parser;

    /// Answers every request and records when it arrived
    #[derive(Parser)]
    struct Arguments {
        /// On 127.0.0.1; 0 takes a free one
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Whose clock readings to record
        #[arg(long, value_enum, default_value = "kernel")]
        stamps: server::Stamps,
        /// Arrivals that can be recorded until the next reset
        #[arg(long, default_value_t = 4_000_000)]
        capacity: usize,
    }

    let arguments = Arguments::parse();
    let mut server = server::Server::bind(arguments.port, arguments.stamps, arguments.capacity)?;
    println!("listening on {}", server.address()?);
    server.run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the recording server needs Linux: epoll and receive timestamps");
    std::process::exit(2);
}
