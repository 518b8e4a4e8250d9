//! A target whose name stands for several addresses, of which not all are well.

use super::OVER;
use crate::support::at_once;
use crate::support::carrier::SEVERAL;
use crate::support::server::{Refusing, Reply, Unreachable};

/// Needs a connection of its own for every request.
fn allowed_once() -> Reply {
    Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
}

#[test]
fn addresses_that_refuse_cost_no_request_while_another_answers() {
    at_once(SEVERAL, |address| {
        let (server, _refusing) = Refusing::over(OVER).open_at(address, |_| allowed_once());
        let report = server.run("--rps 20 --duration 1 --workers 4");
        assert_eq!(report.allowed, 20, "only {address} answers\n{report}");
        assert_eq!(server.accepted(), 20, "only {address} answers");
    });
}

#[test]
fn addresses_that_do_not_answer_leave_time_for_another() {
    at_once(SEVERAL, |address| {
        let (server, others) = Refusing::over(OVER).open_at(address, |_| allowed_once());
        let _silent = Unreachable::at(others);
        let report = server.run("--rps 2 --duration 1 --workers 1 --timeout 6");
        assert_eq!(report.allowed, 2, "only {address} answers\n{report}");
    });
}

#[test]
fn connections_go_to_the_addresses_in_turn() {
    let server = OVER.server(|_| allowed_once());
    let report = server.run("--rps 60 --duration 1 --workers 4");
    assert_eq!(report.allowed, 60, "{report}");
    let accepted = server.accepted_at();
    for address in SEVERAL {
        let share = accepted.get(&address).copied().unwrap_or(0);
        assert!(share.abs_diff(20) <= 2, "{accepted:?}");
    }
}
