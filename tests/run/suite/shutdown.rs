//! The end of a run: by itself, by a signal at any moment, by two signals, or with nobody left to read its output.
#![cfg(unix)]

use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use super::OVER;
use crate::support::metrics::{address, await_mode, await_sum};
use crate::support::run::{Finished, Run};
use crate::support::server::{Reply, Server, Unreachable};
use crate::support::{SIGNALS_APART, at_once, eventually, seconds};

const METRICS: &str = "--metrics-addr 127.0.0.1:0";

fn await_queued(metrics: SocketAddr, tokens: f64) {
    await_sum(metrics, "loadgen_requests_queued", tokens);
}

/// A run of four workers, each of which waits for an answer that never comes, with tokens queued behind them; and the
/// address of its metrics.
fn stuck(server: &Server, more: &str) -> (Run, SocketAddr) {
    let options = "--rps 100 --duration 60 --workers 4 --timeout 60";
    let run = server.launch(format!("{options} {METRICS} {more}")).start();
    let metrics = address(&run);
    await_queued(metrics, 20.0);
    // A handshake may take a while.
    eventually("a request of each worker", || server.request_count() == 4);
    (run, metrics)
}

#[track_caller]
fn assert_no_panic(finished: &Finished) {
    assert!(!finished.stderr.contains("panicked"), "{finished}");
    assert_ne!(finished.code(), Some(101), "{finished}");
}

// A hangup.

#[test]
fn a_hangup_ends_a_run_as_a_termination_does() {
    let server = OVER.allowing();
    let run = server.launch("--duration 60").start();
    eventually("a request", || server.request_count() > 0);
    run.hang_up();
    let finished = run.finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    assert!(finished.took() < seconds(20.0), "{finished}");
    finished.report();
}

#[test]
fn a_hangup_that_was_ignored_from_the_start_stays_ignored() {
    let server = OVER.allowing();
    let run = server.launch("--duration 2").after("trap '' HUP").start();
    eventually("a request", || server.request_count() > 0);
    run.hang_up();
    let report = run.finish().report();
    assert_eq!(report.scheduled, 20, "{report}");
}

#[test]
fn an_interrupt_that_was_ignored_from_the_start_stays_ignored() {
    let server = OVER.allowing();
    let run = server.launch("--duration 2").after("trap '' INT").start();
    eventually("a request", || server.request_count() > 0);
    run.interrupt();
    let report = run.finish().report();
    assert_eq!(report.scheduled, 20, "{report}");
}

// A normal end.

#[test]
fn a_run_ends_by_itself_after_its_duration() {
    let server = OVER.allowing();
    let finished = server.launch("--rps 20 --duration 1 --workers 4").finish();
    let report = finished.report();
    assert_eq!((report.scheduled, report.allowed), (20, 20), "{report}");
    assert_eq!(server.request_count(), 20);
    assert!(finished.took() >= seconds(0.9), "{finished}");
    assert!(finished.took() < seconds(8.0), "{finished}");
}

#[test]
fn a_normal_end_waits_for_what_is_in_flight() {
    let server = OVER.server(|_| Reply::allowed().after(seconds(0.6)));
    let report = server.run("--rps 20 --duration 0.5 --workers 16");
    assert_eq!((report.allowed, report.abandoned), (10, 0), "{report}");
}

#[test]
fn at_a_normal_end_each_request_gets_its_own_timeout_and_the_rest_of_the_queue_is_unsent() {
    let server = OVER.silent();
    let options = "--rps 20 --duration 0.5 --workers 4 --timeout 1";
    let report = server.launch(options).finish().report();
    // Four requests take until 1.2 s. The next four are sent in the drain, and end after its second.
    assert_eq!(
        (report.failed, report.abandoned, report.unsent),
        (8, 0, 2),
        "{report}"
    );
}

#[test]
fn a_signal_during_the_drain_shortens_it() {
    let server = OVER.silent();
    let options = "--rps 20 --duration 0.5 --workers 4 --timeout 60";
    let run = server.launch(format!("{options} {METRICS}")).start();
    await_mode(address(&run), "draining");
    assert_eq!(server.request_count(), 4);
    let finished = run.ended_by(Run::terminate, 20.0);
    let report = finished.report();
    assert_eq!((report.abandoned, report.unsent), (4, 6), "{report}");
}

#[test]
fn a_normal_end_waits_no_longer_than_a_given_drain_timeout() {
    let server = OVER.silent();
    let finished = server
        .launch("--rps 20 --duration 0.5 --workers 4 --timeout 60 --drain-timeout 0.5")
        .finish();
    let report = finished.report();
    assert_eq!(
        (report.scheduled, report.sent, report.abandoned),
        (10, 4, 4),
        "{report}"
    );
    assert_eq!(report.unsent, 6, "{report}");
    assert!(finished.took() >= seconds(0.9), "{finished}");
    assert!(finished.took() < seconds(8.0), "{finished}");
}

// One signal.

#[test]
fn one_signal_ends_a_run_in_good_order() {
    at_once([Run::terminate, Run::interrupt], |signal| {
        let server = OVER.allowing();
        let run = server.launch("--rps 100 --duration 60 --workers 4").start();
        eventually("twenty requests", || server.request_count() >= 20);
        let report = run.ended_by(signal, 5.0).report();
        assert!(report.scheduled >= 20, "{report}");
        assert!(report.scheduled < 6000, "{report}");
        assert_eq!((report.failed, report.abandoned), (0, 0), "{report}");
        assert_eq!(report.sent, server.request_count(), "{report}");
    });
}

#[test]
fn at_a_signal_what_is_in_flight_is_awaited_and_what_is_queued_is_not_sent() {
    let server = OVER.server(|_| Reply::allowed().after(seconds(0.6)));
    let launch = server.launch(format!("--rps 50 --duration 60 --workers 4 {METRICS}"));
    let run = launch.start();
    await_queued(address(&run), 10.0);
    let before = server.request_count();
    run.terminate();
    let report = run.finish().report();
    assert_eq!((report.failed, report.abandoned), (0, 0), "{report}");
    assert_eq!(report.sent, server.request_count(), "{report}");
    // Each worker may have begun one more just then.
    assert!(report.sent <= before + 4, "{report}");
    assert!(report.unsent > 4, "{report}");
}

#[test]
fn tokens_queued_at_a_signal_are_unsent() {
    let server = OVER.silent();
    let (run, _) = stuck(&server, "--drain-timeout 0.5");
    let signalled = run.terminate();
    let finished = run.finish();
    let report = finished.report();
    assert_eq!((report.sent, report.abandoned), (4, 4), "{report}");
    assert!(report.unsent > 0, "{report}");
    assert_eq!(server.request_count(), 4);
    let drained = finished.ended - signalled;
    assert!(drained >= seconds(0.4), "{drained:?}:\n{finished}");
    assert!(drained < seconds(6.0), "{drained:?}:\n{finished}");
}

#[test]
fn a_drain_timeout_of_zero_waits_for_nothing() {
    let server = OVER.silent();
    let (run, _) = stuck(&server, "--drain-timeout 0");
    let report = run.ended_by(Run::interrupt, 3.0).report();
    assert_eq!((report.sent, report.abandoned), (4, 4), "{report}");
}

#[test]
fn workers_that_wait_to_be_connected_do_not_hold_up_the_end() {
    let unreachable = Unreachable::over(OVER);
    let options = "--rps 100 --duration 60 --workers 8 --timeout 60 --drain-timeout 0.3";
    let launch = OVER.against(unreachable.url(), format!("{options} {METRICS}"));
    let run = launch.start();
    await_queued(address(&run), 20.0);
    let report = run.ended_by(Run::terminate, 6.0).report();
    assert_eq!((report.sent, report.abandoned), (8, 8), "{report}");
}

#[test]
fn a_pacer_asleep_for_minutes_stops_at_once() {
    at_once([Run::terminate, Run::interrupt], |signal| {
        let server = OVER.allowing();
        let run = server.launch("--rps 0.001 --duration 3600").start();
        eventually("the first request", || server.request_count() == 1);
        let report = run.ended_by(signal, 3.0).report();
        assert_eq!(report.scheduled, 1, "{report}");
    });
}

#[test]
fn a_signal_may_come_before_the_first_request() {
    at_once(0..12, |step: u32| {
        let server = OVER.allowing();
        let run = server.launch("--rps 10 --duration 60 --workers 50").start();
        thread::sleep(seconds(0.004) * step);
        let finished = run.ended_by(Run::terminate, 5.0);
        assert_no_panic(&finished);
        // Until the command has begun to listen for signals, they end it as they end any process.
        if finished.code().is_some() {
            let report = finished.report();
            assert_eq!(report.sent, server.request_count(), "{report}");
        }
    });
}

#[test]
fn a_signal_may_come_during_a_burst() {
    let server = OVER.allowing();
    let bursts = "--burst-multiplier 4 --burst-duration 0.99 --burst-interval 1";
    let launch = server.launch(format!("--rps 50 --duration 60 --workers 4 {bursts}"));
    let run = launch.start();
    run.await_line("BURST MODE");
    let before = server.request_count();
    eventually("ten more", || server.request_count() >= before + 10);
    let report = run.ended_by(Run::terminate, 5.0).report();
    assert_eq!((report.failed, report.abandoned), (0, 0), "{report}");
    assert!(report.scheduled >= 60, "{report}");
}

#[test]
fn a_duration_of_zero_runs_until_it_is_stopped() {
    let server = OVER.allowing();
    let mut run = server.launch("--rps 50 --duration 0 --workers 4").start();
    eventually("fifty requests", || server.request_count() >= 50);
    assert!(run.is_running());
    run.interrupt();
    let report = run.finish().report();
    assert!(report.scheduled >= 50, "{report}");
    assert_eq!(report.sent, server.request_count(), "{report}");
}

// Two signals.

#[test]
fn a_second_signal_ends_a_run_at_once() {
    type Signal = fn(&Run) -> Instant;
    let cases: [(Signal, Signal, i32); 4] = [
        (Run::interrupt, Run::interrupt, 130),
        (Run::terminate, Run::terminate, 143),
        (Run::interrupt, Run::terminate, 143),
        (Run::terminate, Run::interrupt, 130),
    ];
    at_once(cases, |(first, second, code)| {
        let server = OVER.silent();
        let (mut run, metrics) = stuck(&server, "--drain-timeout 60");
        first(&run);
        await_mode(metrics, "draining");
        thread::sleep(SIGNALS_APART);
        assert!(run.is_running(), "the first signal drains");
        let finished = run.ended_by(second, 3.0);
        assert_eq!(finished.code(), Some(code), "{finished}");
        assert_no_panic(&finished);
    });
}

// Nobody reads.

#[test]
fn a_closed_standard_output_neither_hangs_nor_panics() {
    at_once(["0.2", "10"], |interval| {
        let server = OVER.allowing();
        let options = format!("--rps 50 --duration 1.5 --workers 4 --stats-interval {interval}");
        let run = server.launch(options).start();
        // The reader leaves after the next line, as `head` does.
        run.close_stdout();
        let finished = run.finish();
        assert_no_panic(&finished);
        assert!(finished.took() < seconds(15.0), "{finished}");
    });
}

#[test]
fn a_stuck_run_stops_when_nobody_reads_its_output_any_more() {
    let server = OVER.silent();
    let (run, _) = stuck(&server, "--drain-timeout 0.3 --stats-interval 0.2");
    run.close_stdout();
    let closed = Instant::now();
    let finished = run.finish();
    assert_no_panic(&finished);
    assert_eq!(finished.code(), Some(1), "{finished}");
    assert!(finished.ended - closed < seconds(6.0), "{finished}");
}

#[test]
fn two_signals_end_a_run_whose_output_nobody_reads() {
    let server = OVER.allowing();
    let mut run = server
        .launch("--rps 100 --duration 60 --workers 4 --stats-interval 0.01")
        .start_unread();
    eventually("many stats lines", || server.request_count() >= 200);
    run.terminate();
    eventually("a run without requests", || {
        let last = server.requests().last().map(|request| request.arrived);
        last.is_some_and(|arrived| arrived.elapsed() > seconds(0.2))
    });
    assert!(run.is_running(), "there was room for its summary");
    let finished = run.ended_by(Run::terminate, 3.0);
    assert_eq!(finished.code(), Some(143), "{finished}");
}
