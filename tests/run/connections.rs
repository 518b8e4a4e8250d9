//! How connections are made: client certificates, other addresses, other names, and chosen source addresses.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::{Arc, Mutex};

use crate::support::carrier::{self, Carrier};
use crate::support::run::{Launch, loadgen};
use crate::support::seconds;
use crate::support::server::Server;
use crate::support::tls::{Identity, usual};

const REQUESTS: u64 = 5;

fn short_run(targets: &str) -> Launch {
    loadgen(format!(
        "--targets {targets} --rps 20 --duration 0.25 --workers 4 --timeout 5"
    ))
}

fn path(name: &str, content: &str) -> String {
    let path = carrier::file(name, content);
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// The port of a server's URL.
fn port(server: &Server) -> String {
    let url = server.url();
    url.rsplit_once(':').expect("a port").1.to_owned()
}

// Client certificates.

#[test]
fn a_client_certificate_is_shown_to_a_server_that_asks_for_one() {
    let [certificate, key, authority] = Identity::of_a_client();
    let identity = Identity::for_clients_of(&authority, &["127.0.0.1"]);
    let server = Server::showing(Carrier::HttpsTrusted, Some(&identity));
    let trusted = carrier::file("asks-clients.pem", &identity.pem);
    let run = || short_run(&server.url()).trusting(&trusted);

    let report = run().report();
    report.assert_all_failed_by(REQUESTS, &["tls"]);
    assert_eq!(server.request_count(), 0);

    let cert = path("client.pem", &certificate);
    let key_file = path("client.key", &key);
    run()
        .args(["--cert", &cert, "--key", &key_file])
        .report()
        .assert_all_allowed(REQUESTS);

    let both = path("client-both.pem", &format!("{key}{certificate}"));
    run()
        .env("LOADGEN_CERT", &both)
        .report()
        .assert_all_allowed(REQUESTS);

    let [certificate, key, _] = Identity::of_a_client();
    let stranger = path("stranger.pem", &format!("{certificate}{key}"));
    let report = run().args(["--cert", &stranger]).report();
    report.assert_all_failed_by(REQUESTS, &["tls"]);
}

#[test]
fn a_certificate_and_a_key_that_do_not_belong_together_are_refused() {
    let [certificate, key, _] = Identity::of_a_client();
    let [_, other, _] = Identity::of_a_client();
    let cert = path("refused.pem", &certificate);
    let key = path("refused.key", &key);
    let other = path("refused-other.key", &other);
    let run = || short_run("https://127.0.0.1:9");
    let refused = |args: &[&str], words: &[&str]| run().args(args).assert_refused(words);
    refused(&["--key", &key], &["--key", &key, "needs --cert"]);
    refused(
        &["--cert", &cert, "--key", &other],
        &["--key", &other, "not that of the certificate"],
    );
    refused(&["--cert", &cert], &["--cert", &cert, "no private key"]);
    refused(
        &["--cert", &key, "--key", &key],
        &["--cert", &key, "certificates"],
    );
    refused(
        &["--cert", &cert, "--key", "no/such"],
        &["--key", "no/such"],
    );
}

// Other addresses and other names.

#[test]
fn a_target_can_be_reached_at_another_address() {
    let server = Server::allowing();
    let port = port(&server);
    let targets = "http://node.example:8000/base,http://other.example";
    let report = short_run(targets)
        .args([
            "--connect-to",
            &format!("node.example:8000=127.0.0.1:{port}"),
        ])
        .args([
            "--connect-to",
            &format!("Other.example:80=localhost:{port}"),
        ])
        .report();
    assert_eq!(report.allowed, REQUESTS, "{report}");
    let mut hosts = BTreeMap::<String, usize>::new();
    for request in server.requests() {
        *hosts.entry(request.header("host").to_owned()).or_default() += 1;
    }
    let expected = [("node.example:8000", 3), ("other.example", 2)];
    assert_eq!(
        hosts,
        expected
            .map(|(host, count)| (host.to_owned(), count))
            .into()
    );
    assert_eq!(report.target("http://node.example:8000/base").allowed, 3);
}

#[test]
fn a_target_that_is_reached_elsewhere_keeps_its_name_in_tls() {
    let identity = Identity::self_signed(&["node.example"]);
    let server = Server::showing(Carrier::HttpsTrusted, Some(&identity));
    let trusted = carrier::file("elsewhere.pem", &identity.pem);
    let redirection = format!("node.example:443=127.0.0.1:{}", port(&server));
    short_run("https://node.example")
        .trusting(&trusted)
        .env("LOADGEN_CONNECT_TO", &redirection)
        .report()
        .assert_all_allowed(REQUESTS);
    for request in server.requests() {
        assert_eq!(request.server_name.as_deref(), Some("node.example"));
        assert_eq!(request.header("host"), "node.example");
    }
}

#[test]
fn a_redirection_of_no_target_is_refused() {
    for redirection in ["node:8000=127.0.0.1:1", "127.0.0.1:80=127.0.0.1:1"] {
        let run = short_run("http://node:8001,http://127.0.0.1:8000");
        let run = run.args(["--connect-to", redirection]);
        run.assert_refused(&[
            "--connect-to",
            redirection,
            "the host and the port of a target",
        ]);
    }
    let run = loadgen("--demo --connect-to node:1=node:2");
    run.assert_refused(&["--connect-to", "node:1=node:2"]);
}

#[test]
fn tls_can_have_a_name_of_its_own() {
    let identity = Identity::self_signed(&["tenant.example"]);
    let server = Server::showing(Carrier::HttpsTrusted, Some(&identity));
    let trusted = carrier::file("sni.pem", &identity.pem);
    let run = || short_run(&server.url()).trusting(&trusted);
    run().report().assert_all_failed_by(REQUESTS, &["tls"]);
    let report = run().args(["--sni", "tenant.example"]).report();
    report.assert_all_allowed(REQUESTS);
    for request in server.requests() {
        assert_eq!(request.server_name.as_deref(), Some("tenant.example"));
        assert_eq!(request.header("host"), server.authority());
    }
    // The certificate must be for that name.
    let report = short_run(&server.url())
        .trusting(&carrier::file("sni-usual.pem", &usual().pem))
        .args(["--sni", "other.example"])
        .report();
    report.assert_all_failed_by(REQUESTS, &["tls"]);
}

// Source addresses.

#[cfg(target_os = "linux")]
#[test]
fn requests_come_from_the_source_addresses_in_turn() {
    let peers = Arc::new(Mutex::new(BTreeMap::<IpAddr, usize>::new()));
    let counted = Arc::clone(&peers);
    let server = Server::on_tcp(Carrier::Http, move |mut stream: TcpStream| {
        let _ = stream.set_read_timeout(Some(seconds(20.0)));
        let peer = stream.peer_addr().expect("a peer").ip();
        let mut buffer = [0; 4096];
        // A check is short enough to arrive in one piece.
        while stream.read(&mut buffer).is_ok_and(|length| length > 0) {
            *counted.lock().expect("no panic").entry(peer).or_default() += 1;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let report = loadgen(format!(
        "--targets {} --rps 30 --duration 1 --workers 4",
        server.url()
    ))
    .args(["--source-address", "127.0.0.2, 127.0.0.3,127.0.0.4"])
    .report();
    assert_eq!(report.allowed, 30, "{report}");
    let expected = [2, 3, 4].map(|last| (IpAddr::from([127, 0, 0, last]), 10));
    assert_eq!(*peers.lock().expect("no panic"), expected.into());
}

#[test]
fn a_source_that_is_not_this_machines_or_of_another_family_is_refused() {
    let run = |sources: &str| {
        let run = short_run("http://127.0.0.1:9");
        run.args(["--source-address", sources])
    };
    // The second address is from a network for documentation (RFC 5737).
    for wrong in ["node", "192.0.2.1", "127.0.0.1,", "0.0.0.0", "::1"] {
        run(wrong).assert_refused(&["--source-address", wrong]);
    }
}

// Unix sockets.

#[cfg(unix)]
#[test]
fn a_unix_socket_can_be_a_target() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a short path");
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let serving = std::thread::spawn(move || {
        // One connection is enough for one worker.
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
            seen.lock().expect("no panic").push(request);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let socket = path.to_str().expect("a path in UTF-8");
    let target = format!("unix:{socket}:/base");
    let report = loadgen(format!(
        "--targets {target} --rps 20 --duration 0.5 --workers 1"
    ))
    .report();
    assert_eq!(report.allowed, 10, "{report}");
    assert_eq!(report.target(&target).allowed, 10, "{report}");
    serving.join().expect("no panic");
    let heads = heads.lock().expect("no panic");
    assert_eq!(heads.len(), 10);
    for head in &*heads {
        assert!(
            head.starts_with("POST /base HTTP/1.1\r\nhost: localhost\r\n"),
            "{head}"
        );
    }
    // Nobody listens any more.
    short_run(&target)
        .report()
        .assert_all_failed_by(REQUESTS, &["refused"]);
    std::fs::remove_file(&path).expect("the socket");
    short_run(&target)
        .report()
        .assert_all_failed_by(REQUESTS, &["connect"]);
}

#[cfg(unix)]
#[test]
fn a_unix_socket_without_an_absolute_path_is_refused() {
    short_run("unix:app.sock").assert_refused(&["--targets", "unix:app.sock", "absolute path"]);
}

// Addresses that can't be reached.

/// In a network of its own, this machine has no address but an unused loopback interface.
#[cfg(target_os = "linux")]
#[test]
fn an_ipv6_address_without_a_route_is_not_a_lack_of_ports() {
    let report = short_run("http://[::1]:9")
        .within("unshare", &["--map-root-user", "--net"])
        .report();
    report.assert_all_failed_by(REQUESTS, &["connect"]);
    let reason = "(no route from this machine to the target's IPv6 address)";
    assert!(report.to_string().contains(reason), "{report}");
}
