//! What stands between `{{` and `}}`.

use serde_json::Value;

use super::error::TemplateError;
use super::function;

/// A value, or how to make one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Literal(Value),
    Field(Vec<String>),
    Call { name: String, arguments: Vec<Expression> },
}

/// The smallest parts of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    Pipe,
    Text(String),
    Word(String),
}

/// Cuts an action into tokens.
pub(super) fn tokens(action: &str) -> Result<Vec<Token>, TemplateError> {
    let mut tokens = Vec::new();
    let mut rest = action.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, used) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '|' => (Token::Pipe, 1),
            '"' | '`' => quoted(rest, first)?,
            _ => {
                let end = rest
                    .find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '|' | '"' | '`'))
                    .unwrap_or(rest.len());
                (Token::Word(rest[..end].to_owned()), end)
            }
        };
        tokens.push(token);
        rest = rest[used..].trim_start();
    }
    Ok(tokens)
}

fn quoted(rest: &str, quote: char) -> Result<(Token, usize), TemplateError> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return Ok((Token::Text(text), at + 1)),
            '\\' if quote == '"' => match letters.next().map(|(_, escaped)| escaped) {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some(other @ ('"' | '\\' | '\'')) => text.push(other),
                other => {
                    return Err(TemplateError::new(format!(
                        "unknown escape \\{}",
                        other.unwrap_or(' ')
                    )));
                }
            },
            _ => text.push(letter),
        }
    }
    Err(TemplateError::new(format!("a quote {quote} is not closed")))
}

impl Expression {
    /// Reads a pipeline: each part gets the value of the one before as its last argument.
    pub(super) fn parse(tokens: &[Token]) -> Result<Self, TemplateError> {
        let mut rest = tokens;
        let value = Self::pipeline(&mut rest)?;
        match rest.first() {
            None => Ok(value),
            Some(_) => Err(TemplateError::new("a ) without its (")),
        }
    }

    fn pipeline(rest: &mut &[Token]) -> Result<Self, TemplateError> {
        let mut value = Self::command(rest)?;
        while let Some((Token::Pipe, tail)) = rest.split_first() {
            *rest = tail;
            value = match Self::command(rest)? {
                Self::Call { name, mut arguments } => {
                    arguments.push(value);
                    Self::Call { name, arguments }
                }
                _ => return Err(TemplateError::new("a pipe needs a function after it")),
            };
        }
        Ok(value)
    }

    /// A function with its arguments, or a single value.
    fn command(rest: &mut &[Token]) -> Result<Self, TemplateError> {
        let first = Self::operand(rest)?;
        let mut arguments = Vec::new();
        while !matches!(rest.first(), None | Some(Token::Pipe | Token::Close)) {
            arguments.push(Self::operand(rest)?);
        }
        match first {
            Self::Call { name, .. } => Ok(Self::Call { name, arguments }),
            value if arguments.is_empty() => Ok(value),
            _ => Err(TemplateError::new("only a function takes arguments")),
        }
    }

    fn operand(rest: &mut &[Token]) -> Result<Self, TemplateError> {
        let Some((token, tail)) = rest.split_first() else {
            return Err(TemplateError::new("a value is missing"));
        };
        *rest = tail;
        match token {
            Token::Text(text) => Ok(Self::Literal(Value::from(text.clone()))),
            Token::Word(word) => Self::word(word),
            Token::Open => {
                let value = Self::pipeline(rest)?;
                let Some((Token::Close, tail)) = rest.split_first() else {
                    return Err(TemplateError::new("a ( without its )"));
                };
                *rest = tail;
                // What stands in parentheses is a value: it takes no further arguments.
                Ok(match value {
                    Self::Call { .. } => {
                        Self::Call { name: "identity".into(), arguments: vec![value] }
                    }
                    other => other,
                })
            }
            Token::Close | Token::Pipe => {
                Err(TemplateError::new("a value is missing before ) or |"))
            }
        }
    }

    fn word(word: &str) -> Result<Self, TemplateError> {
        match word {
            "true" => return Ok(Self::Literal(Value::from(true))),
            "false" => return Ok(Self::Literal(Value::from(false))),
            "nil" => return Ok(Self::Literal(Value::Null)),
            "." => return Ok(Self::Field(Vec::new())),
            _ => {}
        }
        if let Some(path) = word.strip_prefix('.') {
            return Ok(Self::Field(path.split('.').map(ToOwned::to_owned).collect()));
        }
        if let Ok(number) = word.parse::<i64>() {
            return Ok(Self::Literal(Value::from(number)));
        }
        if function::exists(word) {
            return Ok(Self::Call { name: word.to_owned(), arguments: Vec::new() });
        }
        Err(TemplateError::new(format!("{word:?} is neither a field nor a known function")))
    }

    /// The value, with `data` as the dot.
    pub(super) fn evaluate(&self, data: &Value) -> Result<Value, TemplateError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Field(path) => lookup(path, data),
            Self::Call { name, arguments } if name == "identity" => match arguments.as_slice() {
                [value] => value.evaluate(data),
                _ => Err(TemplateError::new("a value in parentheses takes no arguments")),
            },
            Self::Call { name, arguments } => {
                let values: Result<Vec<Value>, _> =
                    arguments.iter().map(|a| a.evaluate(data)).collect();
                function::call(name, &values?)
            }
        }
    }
}

/// A field by its Go name (`.Status.Phase`) or by its name in JSON; what an object lacks is empty.
fn lookup(path: &[String], data: &Value) -> Result<Value, TemplateError> {
    let mut value = data;
    for name in path {
        let Value::Object(members) = value else {
            return Err(TemplateError::new(format!(
                "{name} is asked of a value that has no fields"
            )));
        };
        match members.get(name).or_else(|| members.get(&json_name(name))) {
            Some(member) => value = member,
            None => return Ok(Value::Null),
        }
    }
    Ok(value.clone())
}

fn json_name(name: &str) -> String {
    if name == "APIGroup" {
        return "apiGroup".into();
    }
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
