//! Hides parts of payloads and results.

use libswarm::Payload;
use serde_json::{Value, json};
use serde_json_path::JsonPath;

/// Stands for a value that is hidden.
const HIDDEN: &str = "[hidden]";

/// JSON paths (RFC 9535) of what no viewer sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redaction(Vec<JsonPath>);

impl Redaction {
    pub(crate) fn new(paths: &[String]) -> Result<Redaction, String> {
        let read = |path: &String| {
            JsonPath::parse(path).map_err(|error| format!("`{path}` is no JSON path such as $.user.email or $..token: {error}"))
        };
        paths.iter().map(read).collect::<Result<_, _>>().map(Redaction)
    }

    /// A value without what is hidden.
    pub(super) fn of(&self, mut value: Value) -> Value {
        for path in &self.0 {
            let found: Vec<String> = path.query_located(&value).locations().map(|location| location.to_json_pointer()).collect();
            for pointer in found {
                if let Some(hidden) = value.pointer_mut(&pointer) {
                    *hidden = Value::String(HIDDEN.to_owned());
                }
            }
        }
        value
    }

    /// A payload or a result as it is shown. Bytes cannot be searched: they are hidden if anything is.
    pub(super) fn of_payload(&self, payload: &Payload) -> Value {
        match payload.to::<Value>() {
            Ok(value) => json!({ "json": self.of(value) }),
            Err(_) if self.0.is_empty() => {
                json!({ "text": String::from_utf8_lossy(&payload.bytes), "bytes": payload.bytes.len() })
            }
            Err(_) => json!({ "text": HIDDEN, "bytes": payload.bytes.len() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_what_the_paths_name() {
        let redaction =
            Redaction::new(&["$.user.email".to_owned(), "$..token".to_owned(), "$.cards[*].number".to_owned()]).unwrap();
        let payload = json!({
            "user": { "name": "Ada", "email": "ada@example.org" }, "token": 1, "in": [{ "token": {"a": 1} }], "cards": [{ "number": 1 }, { "number": 2 }]
        });
        let hidden = json!({
            "user": { "name": "Ada", "email": HIDDEN }, "token": HIDDEN, "in": [{ "token": HIDDEN }], "cards": [{ "number": HIDDEN }, { "number": HIDDEN }]
        });
        assert_eq!(redaction.of(payload), hidden);
        assert_eq!(redaction.of_payload(&Payload::bytes([1, 2, 3])), json!({ "text": HIDDEN, "bytes": 3 }));
        assert!(Redaction::new(&["user.email".to_owned()]).unwrap_err().contains("`user.email` is no JSON path"));
    }
}
