//! The response that Prometheus reads, in the format that the request prefers.

use super::Response;
use super::accept::preferred;
use super::classic_text::classic_text;
use http::header::{ACCEPT, CONTENT_TYPE, VARY};
use http::{HeaderValue, Request};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// The path of the metrics, by Prometheus's convention.
pub const METRICS_PATH: &str = "/metrics";

/// OpenMetrics 1.0 text, which Prometheus reads since its version 2.5.
const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The text format of Prometheus, which older scrapers and `promtool check metrics` read.
const CLASSIC: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The response to a `GET` of [`METRICS_PATH`]: the registry in OpenMetrics text, or in Prometheus's classic text if the
/// request's `Accept` prefers that. An `Accept` that allows neither is disregarded.
pub fn metrics_response<T>(request: &Request<T>, registry: &Registry) -> Response {
    let mut exposition = String::new();
    text::encode(&mut exposition, registry).expect("a String takes everything");
    let accept = request.headers().get_all(ACCEPT);
    let format = preferred(accept, &[OPENMETRICS, CLASSIC]);
    if format == CLASSIC {
        exposition = classic_text(&exposition);
    }
    let mut response = Response::new(exposition.into_bytes());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, format);
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    fn response(accept: Option<&str>) -> (String, String) {
        let mut registry = Registry::default();
        registry.register("checks", "Checks", Counter::<u64>::default());
        let mut request = Request::builder().uri(METRICS_PATH);
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        let response = metrics_response(&request.body(()).unwrap(), &registry);
        assert_eq!(response.headers()[VARY], "accept");
        let format = response.headers()[CONTENT_TYPE].to_str().unwrap();
        let text = String::from_utf8(response.body().clone()).unwrap();
        (format.to_owned(), text)
    }

    #[test]
    fn without_accept_the_response_is_openmetrics() {
        let (format, text) = response(None);
        assert_eq!(format, OPENMETRICS);
        assert!(text.starts_with("# HELP checks Checks.\n# TYPE checks counter\n"));
        assert!(text.ends_with("checks_total 0\n# EOF\n"), "{text}");
    }

    #[test]
    fn classic_text_is_given_to_those_who_accept_it() {
        let (format, text) = response(Some("text/plain"));
        assert_eq!(format, CLASSIC);
        let expected = "# HELP checks_total Checks.\n# TYPE checks_total counter\nchecks_total 0\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn prometheus_2_and_3_get_openmetrics() {
        for accept in [
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        ] {
            let (format, text) = response(Some(accept));
            assert_eq!(format, OPENMETRICS, "{accept}");
            assert!(text.ends_with("# EOF\n"), "{accept}");
        }
    }

    #[test]
    fn a_scraper_that_knows_only_a_draft_of_openmetrics_gets_classic_text() {
        let accept =
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(response(Some(accept)).0, CLASSIC);
    }
}
