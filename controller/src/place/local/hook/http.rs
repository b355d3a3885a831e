//! Questions over HTTP, and connections.

use std::time::Duration;

use holdfast_engine::Failure;
use reqwest::redirect::Policy;
use tokio::net::TcpStream;

use super::failure::failed;
use crate::translate::hook::{Body, Request};

/// Where a pod without an address of its own answers.
const LOOPBACK: &str = "127.0.0.1";

/// Asks; success is a status from 200 to 399.
pub(super) async fn ask(request: &Request, port: u16, limit: Duration) -> Result<(), Failure> {
    let host = request.host.as_deref().filter(|host| !host.is_empty()).unwrap_or(LOOPBACK);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let slash = if request.path.starts_with('/') { "" } else { "/" };
    let url = format!("{}://{host}:{port}{slash}{}", request.scheme, request.path);
    // A redirect is an answer; following it would carry the body to where nobody sent it.
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .timeout(limit)
        .build()
        .map_err(|error| unanswered(&url, &error))?;
    let mut asked = match &request.body {
        None => client.get(&url),
        Some(Body::Text(text)) => client.post(&url).body(text.clone()),
        Some(Body::Form(fields)) => client
            .post(&url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form(fields)),
    };
    for (name, value) in &request.headers {
        asked = asked.header(name, value);
    }
    let status = asked.send().await.map_err(|error| unanswered(&url, &error))?.status();
    if (200..400).contains(&status.as_u16()) {
        return Ok(());
    }
    Err(failed("HttpStatus", format!("{url} answered {status}"), false))
}

/// Opens a connection and closes it again.
pub(super) async fn connect(host: Option<&str>, port: u16) -> Result<(), Failure> {
    let host = host.filter(|host| !host.is_empty()).unwrap_or(LOOPBACK);
    match TcpStream::connect((host, port)).await {
        Ok(_) => Ok(()),
        Err(error) => Err(failed(
            "ConnectionFailed",
            format!("cannot connect to {host}:{port}: {error}"),
            false,
        )),
    }
}

fn form(fields: &[(String, String)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect();
    pairs.join("&")
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'-' | b'.' | b'_' | b'*' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn unanswered(url: &str, error: &reqwest::Error) -> Failure {
    let mut message = format!("{url}: ");
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    let mut last = String::new();
    while let Some(error) = cause {
        last = error.to_string();
        cause = error.source();
    }
    message.push_str(&last);
    failed("ConnectionFailed", message, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers one question with a status and gives back what was asked.
    async fn server(status: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            let mut buffer = [0; 4096];
            while !text.ends_with(b"END") && !text.ends_with(b"\r\n\r\n") {
                let count = socket.read(&mut buffer).await.unwrap();
                text.extend_from_slice(&buffer[..count]);
            }
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: 0\r\nlocation: http://127.0.0.1:1/\r\n\r\n"
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(text).unwrap()
        });
        (port, task)
    }

    fn request(body: Option<Body>) -> Request {
        Request {
            scheme: "http".into(),
            host: None,
            port: IntOrString::Int(0),
            path: "hook?x=1".into(),
            headers: vec![("X-Mark".into(), "m".into())],
            body,
        }
    }

    #[tokio::test]
    async fn statuses_below_400_are_success_and_redirects_are_not_followed() {
        for (status, fine) in
            [("200 OK", true), ("302 Found", true), ("404 Not Found", false), ("500 No", false)]
        {
            let (port, _task) = server(status).await;
            let answer = ask(&request(None), port, Duration::from_secs(20)).await;
            assert_eq!(answer.is_ok(), fine, "{status}: {answer:?}");
        }
    }

    #[tokio::test]
    async fn a_post_carries_headers_and_its_body_or_form() {
        for (body, end) in [
            (Body::Text("the body END".into()), "the body END"),
            (
                Body::Form(vec![("a b".into(), "c&d".into()), ("k".into(), "END".into())]),
                "a+b=c%26d&k=END",
            ),
        ] {
            let (port, task) = server("204 No Content").await;
            ask(&request(Some(body)), port, Duration::from_secs(20)).await.unwrap();
            let asked = task.await.unwrap();
            assert!(
                asked.starts_with("POST /hook?x=1 HTTP/1.1") && asked.ends_with(end),
                "{asked}"
            );
            assert!(asked.to_lowercase().contains("x-mark: m"));
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_a_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(connect(None, port).await, Ok(()));
        drop(listener);
        assert_eq!(connect(None, port).await.unwrap_err().reason.as_str(), "ConnectionFailed");
        assert!(ask(&request(None), port, Duration::from_secs(5)).await.is_err());
    }
}
