//! Objects as documents: YAML for people, JSON for programs.

use serde_json::Value;

/// The document, its last line ended.
///
/// # Errors
/// When it cannot be written as YAML.
pub fn render(object: &Value, json: bool) -> anyhow::Result<String> {
    let text =
        if json { serde_json::to_string_pretty(object)? } else { serde_saphyr::to_string(object)? };
    Ok(format!("{}\n", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_read_back_as_the_same_object() {
        let object = json!({"status": {"phase": "Running", "text": "a: b #c\n- d", "on": "off"}});
        let yaml = render(&object, false).unwrap();
        assert!(yaml.contains("\n  phase: Running\n") && yaml.ends_with('\n'));
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), object);
        let json = render(&object, true).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), object);
    }
}
