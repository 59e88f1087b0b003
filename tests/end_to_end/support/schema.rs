//! A small part of JSON Schema, enough to check `--json` against its documentation.

use serde_json::Value;

/// Checks `value` against `schema`.
///
/// # Panics
/// If `value` does not match, with the place; or if the schema uses an unsupported keyword.
pub fn assert_matches(schema: &Value, value: &Value) {
    if let Err(why) = check(schema, schema, value, "$") {
        panic!("{why}");
    }
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    for (key, rule) in schema.as_object().unwrap() {
        match key.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                check(root, root["$defs"].get(name).ok_or(format!("no $defs/{name}"))?, value, at)?;
            }
            "type" => {
                let names = rule.as_array().cloned().unwrap_or(vec![rule.clone()]);
                if !names.iter().any(|name| is_a(value, name.as_str().unwrap())) {
                    return Err(format!("{at} is {value}, not {rule}"));
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => {
                return Err(format!("{at} is {value}, not one of {rule}"));
            }
            "anyOf" => {
                let tried: Vec<_> =
                    rule.as_array().unwrap().iter().map(|s| check(root, s, value, at)).collect();
                if tried.iter().all(Result::is_err) {
                    return Err(format!("{tried:?}"));
                }
            }
            "required" => {
                for name in rule.as_array().unwrap().iter().map(|n| n.as_str().unwrap()) {
                    value.get(name).ok_or(format!("{at} has no {name}"))?;
                }
            }
            "properties" => {
                for (name, schema) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        check(root, schema, value, &format!("{at}.{name}"))?;
                    }
                }
            }
            "additionalProperties" => {
                for name in value.as_object().into_iter().flat_map(|o| o.keys()) {
                    schema["properties"].get(name).ok_or(format!("{at}.{name} is not documented"))?;
                }
            }
            "items" => {
                for (i, value) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, value, &format!("{at}[{i}]"))?;
                }
            }
            "minItems" | "maxItems" => {
                let (n, bound) = (value.as_array().map_or(0, Vec::len), rule.as_u64().unwrap() as usize);
                if (key == "minItems" && n < bound) || (key == "maxItems" && n > bound) {
                    return Err(format!("{at} has {n} items, {key} is {bound}"));
                }
            }
            "enum" => {}
            other => return Err(format!("{other} is not supported")),
        }
    }
    Ok(())
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
