//! Prometheus's own text format, version 0.0.4, which prometheus-client does not write.

/// The same metrics in the classic format. They must be in OpenMetrics text, as prometheus-client writes it: `HELP`, `TYPE`
/// and perhaps `UNIT` before the samples of a family, without exemplars or timestamps.
///
/// The classic format has no units and no end mark. A counter has its suffix in `HELP` and `TYPE` too, and an info is a
/// gauge. Samples are the same in both.
pub(super) fn classic_text(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = None;
    for line in openmetrics.lines() {
        let Some(metadata) = line.strip_prefix("# ") else {
            text.extend([line, "\n"]);
            continue;
        };
        let mut words = metadata.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("HELP"), Some(_), about) => help = about,
            (Some("TYPE"), Some(family), Some(openmetrics_type)) => {
                let (suffix, classic_type) = match openmetrics_type {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    same => ("", same),
                };
                if let Some(help) = help.take() {
                    text.extend(["# HELP ", family, suffix, " ", help, "\n"]);
                }
                text.extend(["# TYPE ", family, suffix, " ", classic_type, "\n"]);
            }
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_types_and_units_are_those_of_the_classic_format() {
        let openmetrics = "\
# HELP a_requests Requests, all of them.
# TYPE a_requests counter
a_requests_total{x=\"# TYPE y\"} 1
# HELP a_time_seconds Time.
# TYPE a_time_seconds histogram
# UNIT a_time_seconds seconds
a_time_seconds_sum 0.5
a_time_seconds_count 1
a_time_seconds_bucket{le=\"+Inf\"} 1
# HELP a_level Level.
# TYPE a_level gauge
a_level 2.0
# HELP a_build Build.
# TYPE a_build info
a_build_info{version=\"1\"} 1
# HELP a_other Other.
# TYPE a_other unknown
a_other 1
# EOF
";
        let classic = "\
# HELP a_requests_total Requests, all of them.
# TYPE a_requests_total counter
a_requests_total{x=\"# TYPE y\"} 1
# HELP a_time_seconds Time.
# TYPE a_time_seconds histogram
a_time_seconds_sum 0.5
a_time_seconds_count 1
a_time_seconds_bucket{le=\"+Inf\"} 1
# HELP a_level Level.
# TYPE a_level gauge
a_level 2.0
# HELP a_build_info Build.
# TYPE a_build_info gauge
a_build_info{version=\"1\"} 1
# HELP a_other Other.
# TYPE a_other untyped
a_other 1
";
        assert_eq!(classic_text(openmetrics), classic);
    }
}
