//! The part of Go's text templates that hook bodies and commands use.
//!
//! Actions: a value, `if`, `else if`, `else`, `end`, comments, and `-` for trimming. Values: fields from the
//! dot, texts, whole numbers, `true`, `false`, `nil`, calls, parentheses and pipes. Functions: `eq`, `ne`,
//! `not`, `and`, `or`, `printf`, `toJson`, `dict`, `default`, `quote`, `upper`, `lower`, `len`. Anything else
//! is an error that names it: a body that is half rendered would be worse than a hook that fails.

mod error;
mod expression;
mod function;
mod parse;

use serde_json::Value;

pub use error::TemplateError;
use expression::Expression;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Text(String),
    Value(Expression),
    If { branches: Vec<(Expression, Vec<Node>)>, otherwise: Vec<Node> },
}

/// Renders a template with `data` as the dot; `outside` makes what it likes of the text between actions.
///
/// # Errors
/// [`TemplateError`] when the template is not well formed or asks for what does not exist.
pub fn render_with(
    template: &str,
    data: &Value,
    outside: Outside<'_>,
) -> Result<String, TemplateError> {
    let nodes = parse::parse(template)?;
    let mut out = String::with_capacity(template.len());
    write(&nodes, data, outside, &mut out)?;
    Ok(out)
}

/// What is made of the text outside of actions, or why nothing can be made of it.
pub type Outside<'a> = &'a dyn Fn(&str) -> Result<String, String>;

fn write(
    nodes: &[Node],
    data: &Value,
    outside: Outside<'_>,
    out: &mut String,
) -> Result<(), TemplateError> {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(&outside(text).map_err(TemplateError::new)?),
            Node::Value(expression) => out.push_str(&function::show(&expression.evaluate(data)?)),
            Node::If { branches, otherwise } => {
                let mut chosen = otherwise;
                for (condition, body) in branches {
                    if function::truth(&condition.evaluate(data)?) {
                        chosen = body;
                        break;
                    }
                }
                write(chosen, data, outside, out)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(template: &str, data: &Value) -> Result<String, TemplateError> {
        render_with(template, data, &|text| Ok(text.to_owned()))
    }

    fn summary() -> Value {
        json!({
            "name": "sample-1700000000", "namespace": "demo",
            "invoker": {"apiGroup": "core.kubestash.com", "kind": "BackupConfiguration", "name": "sample"},
            "target": {"apiGroup": "apps", "kind": "StatefulSet", "name": "sts", "namespace": "demo"},
            "status": {"phase": "Failed", "duration": "1m5s", "error": "disk \"a\" is full"}
        })
    }

    #[test]
    fn what_the_documents_use_is_rendered() {
        for (template, expected) in [
            ("plain { text }", "plain { text }"),
            ("{{ .Name }} in {{.Namespace}}", "sample-1700000000 in demo"),
            ("{{ .Invoker.APIGroup }}", "core.kubestash.com"),
            ("{{ if eq .Status.Phase \"Succeeded\" }}fine{{ else }}bad{{ end }}", "bad"),
            ("{{if eq .Status.Phase `Failed`}}bad{{end}}!", "bad!"),
            ("{{ if eq .Status.Phase \"A\" \"Failed\" }}one of{{ end }}", "one of"),
            ("{{ if .Status.Error }}x{{ else if .Name }}y{{ end }}", "x"),
            ("{{ if and (eq .Namespace \"demo\") (not .Status.Missing) }}x{{ end }}", "x"),
            ("a {{- if true -}}  b  {{- end }} c", "ab c"),
            ("{{/* nothing */}}x", "x"),
            (
                "{{ printf \"%s/%s took %v (%d%%)\" .Namespace .Name .Status.Duration 7 }}",
                "demo/sample-1700000000 took 1m5s (7%)",
            ),
            ("{{ printf \"%q\" .Status.Error }}", r#""disk \"a\" is full""#),
            ("{{ toJson (dict \"text\" .Status.Error) }}", r#"{"text":"disk \"a\" is full"}"#),
            (
                "{{ .Target | toJson }}",
                r#"{"apiGroup":"apps","kind":"StatefulSet","name":"sts","namespace":"demo"}"#,
            ),
            ("{{ .Status.Missing | default \"none\" }}", "none"),
            ("{{ len .Name }}", "17"),
        ] {
            assert_eq!(render(template, &summary()).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_is_not_understood_fails_by_name() {
        for (template, word) in [
            ("{{ .Name", "}}"),
            ("{{ if .Name }}x", "end"),
            ("{{ end }}", "end"),
            ("{{ else }}", "else"),
            ("{{ range .Name }}{{ end }}", "range"),
            ("{{ env \"HOME\" }}", "env"),
            ("{{ printf \"%s\" }}", "printf"),
            ("{{ .Name.First }}", "First"),
            ("{{ \"open }}", "quote"),
            ("{{ dict \"a\" }}", "dict"),
            ("{{ (eq 1 1 }}", ")"),
        ] {
            let error = render(template, &summary()).unwrap_err();
            assert!(error.reason.contains(word), "{template}: {error}");
        }
    }
}
