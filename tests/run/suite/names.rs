//! A target by its name: the servers are at an address that `localhost` stands for on every machine.

use super::OVER;

#[test]
fn a_target_by_name_keeps_its_name_in_the_host_header_and_in_the_handshake() {
    let server = OVER.allowing();
    // The name may stand for ::1 too, where nobody listens.
    let url = server.url_by("localhost");
    let report = OVER
        .against(&url, "--rps 20 --duration 0.5 --workers 1")
        .report();
    assert_eq!(report.allowed, 10, "{report}");
    let authority = url.split("//").nth(1);
    for request in server.requests() {
        assert_eq!(Some(request.header("Host")), authority);
        let name = OVER.is_tls().then_some("localhost");
        assert_eq!(request.server_name.as_deref(), name);
    }
}
