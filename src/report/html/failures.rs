use super::document::Section;
use super::untrusted::{Untrusted, sentence};
use crate::base::Nanos;
use crate::base::text::{share, span};
use crate::core::summary::{FailedRequest, FailureSummary, Summary};
use crate::report::failure_causes::{advice, received};
use crate::report::judgement::failing_open;
use maud::{Markup, html};

/// The most causes that are listed.
const ROWS: usize = 100;

pub fn section(summary: &Summary) -> Section {
    let causes = summary.failure_causes();
    let body = html! {
        @if let Some(open) = failing_open(summary) {
            p { (sentence(&open.text)) "." }
        }
        @if causes.is_empty() {
            p class="empty" { "No request failed." }
        } @else {
            (table(&causes, summary.requests.failed))
            @for advice in advice(&summary.failures) {
                p { (advice) }
            }
            @for cause in causes.iter().take(ROWS) {
                @if !cause.examples.is_empty() {
                    (examples(cause))
                }
            }
        }
    };
    Section {
        id: "failures",
        heading: "Failures",
        body,
    }
}

fn table(causes: &[FailureSummary], failed: u64) -> Markup {
    let most = causes.first().map_or(1, |cause| cause.count.max(1));
    let width = |count: u64| format!("width:{:.1}%", count as f64 / most as f64 * 100.0);
    let has_reasons = causes.iter().any(|cause| cause.reason.is_some());
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="Failed requests by cause" {
            table class="numbers bars" {
                caption { "Failed requests by cause" }
                thead {
                    tr {
                        th scope="col" { "cause" }
                        th scope="col" { "failed" }
                        th scope="col" { "of all failed" }
                        td {}
                        @if has_reasons {
                            th scope="col" { span class="words" { "reason" } }
                        }
                    }
                }
                tbody {
                    @for cause in causes.iter().take(ROWS) {
                        tr {
                            th scope="row" { (Untrusted::name(&cause.name())) }
                            td { (cause.count) }
                            td { (share(cause.count, failed)) }
                            td class="bar" { span style=(width(cause.count)) {} }
                            @if has_reasons {
                                td {
                                    @if let Some(reason) = &cause.reason {
                                        span class="words" { (Untrusted::name(reason)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What the first failed requests of a cause received.
fn examples(cause: &FailureSummary) -> Markup {
    let title = match cause.examples.len() {
        1 => format!("{}: what the first request received", cause.name()),
        some => format!("{}: what the first {some} requests received", cause.name()),
    };
    html! {
        details {
            summary { (Untrusted::name(&title)) }
            @for request in &cause.examples {
                (example(request))
            }
        }
    }
}

fn example(request: &FailedRequest) -> Markup {
    let lines = received(request);
    html! {
        p {
            "Request " (request.sequence) " to " (Untrusted::name(&request.target)) ", sent "
            (span(Nanos(request.sent_ns))) " after the start"
        }
        @if lines.is_empty() {
            p class="empty" { "Nothing was received." }
        } @else {
            div class="scroll" tabindex="0" role="group" aria-label="What was received" {
                pre { (Untrusted::received(&lines.join("\n"))) }
            }
        }
    }
}
