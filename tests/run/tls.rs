//! The parts of a run that only TLS has: certificates, handshakes, and its own way to end a connection.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, TcpStream};

use crate::support::carrier::{self, Carrier};
use crate::support::report::Report;
use crate::support::run::{Launch, Run, loadgen};
use crate::support::server::{Reply, Server, reset};
use crate::support::tls::{Identity, Stream, params, usual_file};
use crate::support::{at_once, eventually, seconds};
use rcgen::date_time_ymd;

const OVER: Carrier = Carrier::HttpsTrusted;

const REQUESTS: u64 = 5;

/// A short run that trusts public authorities, and nobody else.
fn short_run(url: &str) -> Launch {
    loadgen(format!(
        "--targets {url} --rps 20 --duration 0.25 --workers 4 --timeout 5"
    ))
}

/// The same, which trusts these certificates instead.
fn trusting(pem: &str, name: &str, url: &str) -> Launch {
    short_run(url).trusting(&carrier::file(name, pem))
}

/// A short run that trusts the usual certificate of the servers.
fn trusted_run(url: &str) -> Report {
    short_run(url).trusting(&usual_file()).report()
}

const HERE: &[&str] = &["127.0.0.1", "localhost"];

fn expired() -> Identity {
    let mut params = params(HERE);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
    Identity::made(params)
}

fn not_yet_valid() -> Identity {
    let mut params = params(HERE);
    params.not_before = date_time_ymd(4000, 1, 1);
    Identity::made(params)
}

// Certificates.

#[test]
fn a_certificate_that_nobody_trusted_issued_fails_as_tls() {
    let shown = Identity::self_signed(HERE);
    let server = Server::showing(OVER, Some(&shown));
    short_run(&server.url())
        .report()
        .assert_all_failed_by(REQUESTS, &["tls"]);

    let another = Identity::self_signed(HERE);
    let report = trusting(&another.pem, "another.pem", &server.url()).report();
    report.assert_all_failed_by(REQUESTS, &["tls"]);
    assert_eq!(server.request_count(), 0, "sent to a server not trusted");
}

#[test]
fn a_certificate_with_something_wrong_fails_as_tls_though_it_is_trusted() {
    let cases = [
        ("expired", expired()),
        ("not yet valid", not_yet_valid()),
        ("of another host", Identity::self_signed(&["node.example"])),
        ("of another address", Identity::self_signed(&["127.0.0.2"])),
        ("of nobody", Identity::self_signed(&[])),
    ];
    at_once(cases, |(wrong, shown)| {
        let server = Server::showing(OVER, Some(&shown));
        let report = trusting(&shown.pem, &format!("{wrong}.pem"), &server.url()).report();
        report.assert_all_failed_by(REQUESTS, &["tls"]);
        assert_eq!(server.request_count(), 0, "{wrong}");
    });
}

#[test]
fn an_insecure_run_accepts_any_certificate() {
    let cases = [
        expired(),
        not_yet_valid(),
        Identity::self_signed(&["node.example"]),
        Identity::self_signed(&[]),
        Identity::issued(&["node.example"]).0,
    ];
    at_once(cases, |shown| {
        let server = Server::showing(OVER, Some(&shown));
        short_run(&server.url())
            .arg("--insecure")
            .report()
            .assert_all_allowed(REQUESTS);
    });
}

#[test]
fn a_certificate_of_a_trusted_authority_is_accepted() {
    let (shown, authority) = Identity::issued(HERE);
    let server = Server::showing(OVER, Some(&shown));
    trusting(&authority, "authority.pem", &server.url())
        .report()
        .assert_all_allowed(REQUESTS);
    short_run(&server.url())
        .report()
        .assert_all_failed_by(REQUESTS, &["tls"]);
}

#[test]
fn every_certificate_of_a_file_is_trusted() {
    let (first, second) = (Identity::self_signed(HERE), Identity::self_signed(HERE));
    let (third, authority) = Identity::issued(HERE);
    let file = format!("{}{}{authority}", first.pem, second.pem);
    let servers = [first, second, third].map(|shown| Server::showing(OVER, Some(&shown)));
    let urls = servers.each_ref().map(Server::url).join(",");
    trusting(&file, "three.pem", &urls)
        .report()
        .assert_all_allowed(REQUESTS);
}

#[test]
fn an_authority_s_certificate_is_not_accepted_as_a_server_s_own() {
    let mut both = params(HERE);
    both.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let shown = Identity::made(both);
    let server = Server::showing(OVER, Some(&shown));
    let report = trusting(&shown.pem, "own-authority.pem", &server.url()).report();
    report.assert_all_failed_by(REQUESTS, &["tls"]);
    short_run(&server.url())
        .arg("--insecure")
        .report()
        .assert_all_allowed(REQUESTS);
}

#[test]
fn a_certificate_may_be_of_an_ipv6_address() {
    let address = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let server = Server::at(OVER, &[address], |_| Reply::allowed());
    let url = server.url_by("[::1]");
    trusted_run(&url).assert_all_allowed(REQUESTS);
}

#[test]
fn tls_1_2_is_spoken_too() {
    let shown = Identity::up_to_tls_1_2(HERE);
    let server = Server::showing(OVER, Some(&shown));
    trusting(&shown.pem, "tls-1-2.pem", &server.url())
        .report()
        .assert_all_allowed(REQUESTS);
}

// Handshakes.

/// Reads until the client closes, and answers nothing.
fn hold(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    let waits = |error: &Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
    while match stream.read(&mut buffer) {
        Ok(length) => length > 0,
        Err(error) => waits(&error),
    } {}
}

/// The header and the beginning of a handshake record that is never completed.
const BEGUN_RECORD: &[u8] = &[22, 3, 3, 0x20, 0];

#[track_caller]
fn assert_in_time(report: &Report) {
    report.assert_all_failed_by(REQUESTS, &["timeout"]);
    let longest = report.failed_after.as_ref().and_then(|after| after.max);
    let longest = longest.expect("failed requests");
    assert!(
        longest >= seconds(0.3) && longest < seconds(3.0),
        "{report}"
    );
}

#[test]
fn the_timeout_holds_for_a_handshake_that_never_ends() {
    let servers = [
        Server::on_tcp(OVER, hold),
        Server::on_tcp(OVER, |mut stream| {
            let _ = stream.write_all(BEGUN_RECORD);
            hold(stream);
        }),
        Server::on_tcp(OVER, |mut stream| {
            let _ = stream.write_all(BEGUN_RECORD);
            while stream.write_all(&[0]).is_ok() {
                std::thread::sleep(seconds(0.05));
            }
        }),
    ];
    at_once(servers, |server| {
        let run = server.launch("--rps 20 --duration 0.25 --workers 8 --timeout 0.4");
        assert_in_time(&run.report());
    });
}

#[test]
fn the_timeout_holds_for_an_answer_of_which_half_a_record_came() {
    let server = OVER
        .server(|_| Reply::half("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").then_silence());
    let run = server.launch("--rps 20 --duration 0.25 --workers 8 --timeout 0.4");
    assert_in_time(&run.report());
    assert_eq!(server.request_count(), REQUESTS);
}

#[test]
fn a_handshake_that_the_server_breaks_off_fails_as_tls_or_reset() {
    let closed_at_once = Server::on_tcp(OVER, drop);
    trusted_run(&closed_at_once.url()).assert_all_failed_by(REQUESTS, &["tls", "reset"]);

    // After the hello: nothing, or a fatal alert of a failed handshake.
    for alert in [&[][..], &[21, 3, 3, 0, 2, 2, 40]] {
        let server = Server::on_tcp(OVER, move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(alert);
        });
        trusted_run(&server.url()).assert_all_failed_by(REQUESTS, &["tls"]);
    }
}

#[test]
fn a_connection_reset_after_its_handshake_fails_as_reset() {
    let server = Server::on_connect(OVER, |stream| reset(stream.tcp()));
    trusted_run(&server.url()).assert_all_failed_by(REQUESTS, &["reset"]);
}

#[test]
fn http_to_a_server_of_tls_fails_as_protocol_or_reset() {
    let server = OVER.allowing();
    let url = server.url().replace("https://", "http://");
    trusted_run(&url).assert_all_failed_by(REQUESTS, &["protocol", "reset"]);
    assert_eq!(server.request_count(), 0);
}

#[test]
fn targets_of_http_and_of_https_share_a_run() {
    let (plain, tls) = (Server::showing(OVER, None), OVER.allowing());
    let targets = format!("{},{}", plain.url(), tls.url());
    let report = OVER
        .against(targets, "--rps 20 --duration 1 --workers 4")
        .report();
    assert_eq!(report.target(&plain.url()).allowed, 10, "{report}");
    assert_eq!(report.target(&tls.url()).allowed, 10, "{report}");
}

#[cfg(unix)]
#[test]
fn the_end_of_a_run_does_not_wait_for_handshakes() {
    let server = Server::on_tcp(OVER, hold);
    let run = server
        .launch("--rps 100 --duration 60 --workers 8 --timeout 60 --drain-timeout 0.3")
        .start();
    eventually("eight handshakes", || server.accepted() == 8);
    let report = run.ended_by(Run::terminate, 6.0).report();
    assert_eq!((report.sent, report.abandoned), (8, 8), "{report}");
}

// Connections.

#[test]
fn one_handshake_serves_all_requests_of_a_worker() {
    let server = OVER.allowing();
    let report = server.run("--rps 200 --duration 1 --workers 1");
    assert_eq!(report.allowed, 200, "{report}");
    assert_eq!((server.accepted(), server.handshakes()), (1, 1));
}

#[test]
fn an_idle_connection_cut_without_a_word_in_tls_costs_no_failed_request() {
    let server = Server::ending_idle(OVER, "", Stream::cut);
    let report = server.run("--rps 3 --duration 2 --workers 2");
    assert_eq!(report.allowed, 6, "{report}");
    assert_eq!(server.request_count(), 6);
    assert!(server.handshakes() > 1, "the server never closed one");
}

#[test]
fn a_server_that_cuts_after_every_answer_fails_nothing() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let server = OVER.server(move |_| Reply::raw(answer).then_cut());
    let report = server.run("--rps 8 --duration 1 --workers 2");
    assert_eq!(report.allowed, 8, "{report}");
    assert_eq!(server.handshakes(), 8);
}

#[test]
fn a_connection_whose_end_only_tls_tells_is_not_used_again() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    at_once(
        [
            Reply::raw(answer).then_goodbye(),
            // One read takes both, so that nothing in the socket shows the close.
            Reply::with_goodbye(answer),
        ],
        |reply| {
            let server = OVER.server(move |_| reply.clone());
            let report = server.run("--rps 8 --duration 1 --workers 1");
            assert_eq!(report.allowed, 8, "{report}");
            assert_eq!(server.handshakes(), 8);
        },
    );
}

#[test]
fn a_message_of_tls_itself_does_not_end_an_idle_connection() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let server = OVER.server(move |_| Reply::raw(answer).then_new_keys());
    let report = server.run("--rps 8 --duration 1 --workers 1");
    assert_eq!(report.allowed, 8, "{report}");
    assert_eq!((server.accepted(), server.handshakes()), (1, 1));
}

#[test]
fn a_message_of_tls_itself_before_an_answer_is_not_a_part_of_it() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let server = OVER.server(move |_| {
        Reply::raw("HTTP/1.1 100 Continue\r\n\r\n")
            .then_new_keys()
            .then_pause(seconds(0.05))
            .then_send(answer)
    });
    let report = server.run("--rps 8 --duration 1 --workers 1");
    assert_eq!(report.allowed, 8, "{report}");
    assert_eq!((server.accepted(), server.handshakes()), (1, 1));
}

#[test]
fn a_body_without_a_length_ends_with_the_connection_whether_tls_says_so_or_not() {
    let answer = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
    let said = OVER.server(move |_| Reply::raw(answer).then_close());
    trusted_run(&said.url()).assert_all_allowed(REQUESTS);
    let cut = OVER.server(move |_| Reply::raw(answer).then_cut());
    trusted_run(&cut.url()).assert_all_allowed(REQUESTS);
}
