//! What a tool says of itself: `annotations` of its definition (2025-03-26 and later, `ToolAnnotations`).

use serde::Deserialize;

/// Whether a tool declares that calling it again with the same arguments changes nothing more (`idempotentHint`). What
/// is not said, or not said with a boolean, is no.
pub fn is_idempotent(definition: &str) -> bool {
    #[derive(Deserialize)]
    struct Tool {
        annotations: Annotations,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Annotations {
        idempotent_hint: bool,
    }
    // Most tools need not be read for it.
    definition.contains("idempotentHint")
        && serde_json::from_str::<Tool>(definition).is_ok_and(|tool| tool.annotations.idempotent_hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    #[test]
    fn a_tool_is_idempotent_when_it_says_so_and_in_no_other_case() {
        let tool = |rest: &str| format!(r#"{{"name":"t","inputSchema":{{"type":"object"}}{rest}}}"#);
        let says: [(&str, bool); 6] = [
            (r#","annotations":{"idempotentHint":true,"title":"T"}"#, true),
            (r#","annotations":{"idempotentHint":false}"#, false),
            (r#","annotations":{"idempotentHint":"true"}"#, false),
            (r#","annotations":{"readOnlyHint":true}"#, false),
            (r#","_meta":{"idempotentHint":true}"#, false),
            (r#","description":"idempotentHint"#, false),
        ];
        for (rest, idempotent) in says {
            let definition: String = tool(rest);
            assert_eq!(is_idempotent(&definition), idempotent, "{definition}");
        }
    }
}
