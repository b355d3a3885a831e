//! From text to pieces.

use super::Node;
use super::error::TemplateError;
use super::expression::{Expression, tokens};

/// Conditions inside one another; deeper nesting is no hook body.
const DEPTH_LIMIT: usize = 32;

enum Piece<'a> {
    Text(&'a str),
    Action(&'a str),
}

pub(super) fn parse(template: &str) -> Result<Vec<Node>, TemplateError> {
    let pieces = split(template)?;
    let mut rest = pieces.as_slice();
    let (nodes, end) = body(&mut rest, 0)?;
    match end {
        End::Input => Ok(nodes),
        End::Close | End::Else(_) => {
            Err(TemplateError::new("{{ end }} or {{ else }} without an {{ if }}"))
        }
    }
}

/// Cuts at the actions and trims beside `{{-` and `-}}`.
fn split(template: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = template;
    let mut trim_start = false;
    while let Some(open) = rest.find("{{") {
        let action = &rest[open + 2..];
        let close =
            action.find("}}").ok_or_else(|| TemplateError::new("an action is not closed by }}"))?;
        let mut text = &rest[..open];
        let mut inside = &action[..close];
        if trim_start {
            text = text.trim_start();
        }
        if let Some(trimmed) =
            inside.strip_prefix('-').filter(|t| t.starts_with(char::is_whitespace))
        {
            text = text.trim_end();
            inside = trimmed;
        }
        trim_start = false;
        if let Some(trimmed) = inside.strip_suffix('-').filter(|t| t.ends_with(char::is_whitespace))
        {
            inside = trimmed;
            trim_start = true;
        }
        pieces.push(Piece::Text(text));
        pieces.push(Piece::Action(inside.trim()));
        rest = &action[close + 2..];
    }
    pieces.push(Piece::Text(if trim_start { rest.trim_start() } else { rest }));
    Ok(pieces)
}

/// What ended a body.
enum End<'a> {
    Input,
    Close,
    /// `else`, with what stands after it.
    Else(&'a str),
}

fn body<'a>(rest: &mut &[Piece<'a>], depth: usize) -> Result<(Vec<Node>, End<'a>), TemplateError> {
    if depth > DEPTH_LIMIT {
        return Err(TemplateError::new("conditions are nested too deeply"));
    }
    let mut nodes = Vec::new();
    while let Some((piece, tail)) = rest.split_first() {
        *rest = tail;
        match piece {
            Piece::Text("") => {}
            Piece::Text(text) => nodes.push(Node::Text((*text).to_owned())),
            Piece::Action(action) if action.starts_with("/*") => {}
            Piece::Action(action) => {
                let (word, after) = action.split_once(char::is_whitespace).unwrap_or((action, ""));
                match word {
                    "end" => return Ok((nodes, End::Close)),
                    "else" => return Ok((nodes, End::Else(after.trim()))),
                    "if" => nodes.push(condition(after, rest, depth)?),
                    "range" | "with" | "define" | "template" | "block" | "break" | "continue" => {
                        return Err(TemplateError::new(format!("{word} is not supported here")));
                    }
                    _ => nodes.push(Node::Value(Expression::parse(&tokens(action)?)?)),
                }
            }
        }
    }
    Ok((nodes, End::Input))
}

fn condition<'a>(
    first: &str,
    rest: &mut &[Piece<'a>],
    depth: usize,
) -> Result<Node, TemplateError> {
    let mut condition = Expression::parse(&tokens(first)?)?;
    let mut branches = Vec::new();
    loop {
        let (nodes, end) = body(rest, depth + 1)?;
        branches.push((condition, nodes));
        match end {
            End::Close => return Ok(Node::If { branches, otherwise: Vec::new() }),
            End::Else("") => {
                let (otherwise, end) = body(rest, depth + 1)?;
                return match end {
                    End::Close => Ok(Node::If { branches, otherwise }),
                    End::Input | End::Else(_) => {
                        Err(TemplateError::new("an {{ else }} needs its {{ end }}"))
                    }
                };
            }
            End::Else(after) => {
                let after = after.strip_prefix("if ").ok_or_else(|| {
                    TemplateError::new(format!("else {after} is not supported here"))
                })?;
                condition = Expression::parse(&tokens(after)?)?;
            }
            End::Input => return Err(TemplateError::new("an {{ if }} needs its {{ end }}")),
        }
    }
}
