use crate::core::summary::Summary;

/// The whole summary as JSON, by the schema in `docs/summary.schema.json`.
pub fn json(summary: &Summary) -> String {
    // Cannot fail: its maps have keys that are text, and there is no number that JSON lacks.
    let mut text = serde_json::to_string_pretty(summary).expect("a summary is JSON");
    text.push('\n');
    text
}
