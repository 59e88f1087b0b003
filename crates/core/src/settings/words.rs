//! Values of settings as people read them.

use serde_json::Value;

/// A value in a sentence: a text without quotes, and `cosine (warmup 0.02)` for a kind with its settings.
pub fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(parts) if parts.get("kind").is_some_and(Value::is_string) => {
            let settings = parts.iter().filter(|(name, _)| *name != "kind");
            let settings: Vec<String> =
                settings.map(|(name, value)| format!("{name} {}", in_words(value))).collect();
            let kind = in_words(&parts["kind"]);
            if settings.is_empty() { kind } else { format!("{kind} ({})", settings.join(", ")) }
        }
        value => without_rounding(value).to_string(),
    }
}

/// Numbers as they were before they were stored as f32: 0.15 instead of 0.15000000596046448.
fn without_rounding(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            let single = number.as_f64().filter(|x| number.is_f64() && f64::from(*x as f32) == *x);
            let decimal = single.and_then(|x| (x as f32).to_string().parse::<f64>().ok());
            decimal.map_or_else(|| value.clone(), Value::from)
        }
        Value::Array(values) => values.iter().map(without_rounding).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), without_rounding(value))).collect()
        }
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_is_said_with_its_settings() {
        let cosine = json!({"kind": "cosine", "warmup": 0.02, "floor": 0.1_f32});
        assert_eq!(in_words(&cosine), "cosine (floor 0.1, warmup 0.02)");
        assert_eq!(in_words(&json!({"kind": "constant"})), "constant");
        assert_eq!([in_words(&json!("adamw")), in_words(&json!([30, 10]))], ["adamw", "[30,10]"]);
    }
}
