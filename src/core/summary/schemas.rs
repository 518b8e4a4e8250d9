//! The JSON schemas of what `--summary-json` writes. They are files beside this one, made from the types.

/// A schema, and what it describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// The word for it on the command line.
    pub name: &'static str,
    /// What it describes.
    pub about: &'static str,
    /// The schema, as JSON.
    pub text: &'static str,
}

/// Every schema. The first is the one of a run.
pub const SCHEMAS: [Schema; 4] = [
    Schema {
        name: "summary",
        about: "the summary of a run, by loadgen --summary-json",
        text: include_str!("summary.schema.json"),
    },
    Schema {
        name: "audit",
        about: "the audit of recorded requests, by loadgen audit --summary-json",
        text: include_str!("audit.schema.json"),
    },
    Schema {
        name: "capacity",
        about: "the search for the capacity, by loadgen capacity --summary-json",
        text: include_str!("capacity.schema.json"),
    },
    Schema {
        name: "discovery",
        about: "what a limiter enforces, by loadgen discover --summary-json",
        text: include_str!("discovery.schema.json"),
    },
];

impl Schema {
    /// The schema of this name.
    pub fn find(name: &str) -> Option<Schema> {
        SCHEMAS.into_iter().find(|schema| schema.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CapacitySummary, Discovery, RecordedAudit, Summary};
    use super::*;
    use schemars::transform::{RecursiveTransform, Transform};
    use serde_json::Value;
    use std::path::{Path, PathBuf};

    /// The file of each schema, and the schema of the types.
    fn of_the_types() -> [(PathBuf, String); 4] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core/summary");
        let schemas = [
            ("summary", schemars::schema_for!(Summary)),
            ("audit", schemars::schema_for!(RecordedAudit)),
            ("capacity", schemars::schema_for!(CapacitySummary)),
            ("discovery", schemars::schema_for!(Discovery)),
        ];
        schemas.map(|(name, mut schema)| {
            RecursiveTransform(join_lines).transform(&mut schema);
            let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
            (folder.join(format!("{name}.schema.json")), text)
        })
    }

    /// Makes a line of each paragraph of a description.
    fn join_lines(schema: &mut schemars::Schema) {
        if let Some(text) = schema.get("description").and_then(Value::as_str) {
            let paragraphs = text.split("\n\n").map(|part| part.replace('\n', " "));
            let joined = paragraphs.collect::<Vec<_>>().join("\n\n");
            schema.insert("description".to_owned(), joined.into());
        }
    }

    #[test]
    fn the_schemas_are_those_of_what_is_written() {
        for ((path, text), schema) in of_the_types().into_iter().zip(SCHEMAS) {
            assert!(
                schema.text == text,
                "{path:?} is not of these types: `cargo test --lib -- write_the_schemas --ignored` writes it anew"
            );
        }
    }

    #[test]
    #[ignore = "writes the schemas, after a change of the types"]
    fn write_the_schemas() {
        for (path, text) in of_the_types() {
            std::fs::write(path, text).unwrap();
        }
    }

    /// The properties of all objects in a schema, each with its path.
    fn properties<'a>(schema: &'a Value, path: &str, all: &mut Vec<(String, &'a Value)>) {
        match schema {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let here = format!("{path}/{name}");
                    if name == "properties" {
                        let named = value.as_object().expect("properties by name");
                        all.extend(
                            named
                                .iter()
                                .map(|(name, of)| (format!("{here}/{name}"), of)),
                        );
                    }
                    properties(value, &here, all);
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    properties(item, &format!("{path}/{place}"), all);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn every_field_is_described() {
        for schema in SCHEMAS {
            let json: Value = serde_json::from_str(schema.text).unwrap();
            let mut all = Vec::new();
            properties(&json, schema.name, &mut all);
            assert!(all.len() > 40, "{} has {} fields", schema.name, all.len());
            let bare = all.iter().filter(|(_, of)| {
                let text = of["description"].as_str().unwrap_or_default();
                text.len() < 5 || !text.ends_with('.')
            });
            let bare: Vec<_> = bare.map(|(path, _)| path).collect();
            assert!(bare.is_empty(), "no description: {bare:#?}");
        }
    }

    #[test]
    fn no_field_needs_quotes_in_sql_or_jq() {
        for schema in SCHEMAS {
            let json: Value = serde_json::from_str(schema.text).unwrap();
            let mut all = Vec::new();
            properties(&json, schema.name, &mut all);
            for (path, _) in all {
                let name = path.rsplit('/').next().unwrap_or_default();
                let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                assert!(
                    name.starts_with(|c: char| c.is_ascii_lowercase())
                        && name.chars().all(is_plain),
                    "{path}"
                );
            }
        }
    }
}
