use super::document::Section;
use super::untrusted::Untrusted;
use crate::base::text::share;
use crate::core::summary::Summary;
use crate::report::failure_kinds::{advice, sorted};
use maud::html;

/// The most kinds that are listed.
const ROWS: usize = 100;

pub fn section(summary: &Summary) -> Section {
    let kinds = sorted(&summary.failures);
    let most = kinds.first().map_or(1, |(_, count)| (*count).max(1));
    let width = |count: u64| format!("width:{:.1}%", count as f64 / most as f64 * 100.0);
    let failed = summary.requests.failed;
    let body = html! {
        @if kinds.is_empty() {
            p class="empty" { "No request failed." }
        } @else {
            div class="scroll" tabindex="0" role="group" aria-label="Failed requests by kind" {
                table class="numbers bars" {
                    caption { "Failed requests by kind" }
                    thead { tr { th scope="col" { "kind" } th scope="col" { "failed" } th scope="col" { "of all failed" } td {} } }
                    tbody {
                        @for (kind, count) in kinds.iter().take(ROWS) {
                            tr {
                                th scope="row" { (Untrusted::name(kind)) }
                                td { (count) }
                                td { (share(*count, failed)) }
                                td class="bar" { span style=(width(*count)) {} }
                            }
                        }
                    }
                }
            }
            @for advice in advice(&summary.failures) {
                p { (advice) }
            }
        }
    };
    Section {
        id: "failures",
        heading: "Failures",
        body,
    }
}
