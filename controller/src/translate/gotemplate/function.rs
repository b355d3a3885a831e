//! The functions that templates may call.

use serde_json::{Map, Value};

use super::error::TemplateError;

const NAMES: [&str; 13] = [
    "and", "default", "dict", "eq", "len", "lower", "ne", "not", "or", "printf", "quote", "toJson",
    "upper",
];

pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

pub(super) fn call(name: &str, arguments: &[Value]) -> Result<Value, TemplateError> {
    let wrong =
        || TemplateError::new(format!("{name} is called with {} arguments", arguments.len()));
    match (name, arguments) {
        ("eq", [first, others @ ..]) if !others.is_empty() => Ok(others.contains(first).into()),
        ("ne", [first, second]) => Ok((first != second).into()),
        ("not", [value]) => Ok((!truth(value)).into()),
        ("and", [.., last]) => Ok(arguments.iter().find(|v| !truth(v)).unwrap_or(last).clone()),
        ("or", [.., last]) => Ok(arguments.iter().find(|v| truth(v)).unwrap_or(last).clone()),
        ("default", [fallback, value]) => Ok(if truth(value) { value } else { fallback }.clone()),
        ("toJson", [value]) => Ok(Value::from(value.to_string())),
        ("quote", [value]) => Ok(Value::from(Value::from(show(value)).to_string())),
        ("upper", [value]) => Ok(Value::from(show(value).to_uppercase())),
        ("lower", [value]) => Ok(Value::from(show(value).to_lowercase())),
        ("len", [value]) => length(value).map(Value::from).ok_or_else(wrong),
        ("dict", pairs) if pairs.len().is_multiple_of(2) => dict(pairs),
        ("printf", [Value::String(format), values @ ..]) => printf(format, values).map(Value::from),
        _ => Err(wrong()),
    }
}

/// What `if` makes of a value: empty ones are false.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// How a value is written into the text.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.len()),
        Value::Array(items) => Some(items.len()),
        Value::Object(members) => Some(members.len()),
        _ => None,
    }
}

fn dict(pairs: &[Value]) -> Result<Value, TemplateError> {
    let mut members = Map::new();
    for pair in pairs.chunks_exact(2) {
        let Some(key) = pair[0].as_str() else {
            return Err(TemplateError::new("the keys of dict are texts"));
        };
        members.insert(key.to_owned(), pair[1].clone());
    }
    Ok(Value::Object(members))
}

fn printf(format: &str, values: &[Value]) -> Result<String, TemplateError> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let verb = letters.next();
        if verb == Some('%') {
            out.push('%');
            continue;
        }
        let value = values
            .next()
            .ok_or_else(|| TemplateError::new("printf has fewer values than verbs"))?;
        match verb {
            Some('s' | 'v' | 'd' | 't') => out.push_str(&show(value)),
            Some('q') => out.push_str(&Value::from(show(value)).to_string()),
            other => {
                return Err(TemplateError::new(format!(
                    "printf does not know %{}",
                    other.unwrap_or(' ')
                )));
            }
        }
    }
    Ok(out)
}
