//! One call to an API server.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::Failure;
use kube::{Client, Error};
use tokio::sync::Semaphore;

use crate::place::Trouble;

/// How long one call may take. The client itself waits for ever.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Calls at a time: an API server that is slow is not made slower by us.
const AT_ONCE: usize = 8;

/// What asks an API server.
#[derive(Clone)]
pub struct Calls {
    client: Client,
    places: Arc<Semaphore>,
}

impl Calls {
    /// With this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Makes one call, once there is a place for it; `what` says in the infinitive what it is for.
    pub(super) async fn ask<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, CallError> {
        // The semaphore is never closed; without a place the call is made all the same.
        let _place = self.places.acquire().await;
        let why = match tokio::time::timeout(LIMIT, call).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Why::Failed(Box::new(error)),
            Err(_elapsed) => Why::Silent,
        };
        Err(CallError { what: what.into(), why })
    }
}

/// A call that came to nothing.
#[derive(Debug)]
pub struct CallError {
    /// What it was for, in the infinitive.
    what: String,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// Nobody answered in time.
    Silent,
    Failed(Box<Error>),
}

impl CallError {
    /// What an error that came later than the answer means.
    pub(super) fn new(what: &str, error: Error) -> Self {
        Self { what: what.into(), why: Why::Failed(Box::new(error)) }
    }

    /// The HTTP status with which the API server refused it, if it did.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.why {
            Why::Failed(error) => match &**error {
                Error::Api(status) => Some(status.code),
                _ => None,
            },
            Why::Silent => None,
        }
    }
}

impl From<CallError> for Trouble {
    fn from(CallError { what, why }: CallError) -> Self {
        match why {
            Why::Failed(error) => trouble(&what, &error),
            Why::Silent => {
                let seconds = LIMIT.as_secs();
                let said = format!("the API server did not answer within {seconds} s");
                because(&what, "Timeout", &said, Means::Moment)
            }
        }
    }
}

/// What a failure means for another try.
#[derive(Clone, Copy)]
enum Means {
    /// The same call may succeed in a moment.
    Moment,
    /// It may succeed once somebody has changed something.
    Change,
    /// It never will.
    Never,
}

/// What an error says, and whether another try may help.
fn trouble(what: &str, error: &Error) -> Trouble {
    match error {
        Error::Api(status) => {
            let means = match status.code {
                409 | 410 | 429 | 500..=599 => Means::Moment,
                401 | 403 | 404 => Means::Change,
                _ => Means::Never,
            };
            let reason = match status.reason.as_str() {
                "" => "ApiServer",
                reason => reason,
            };
            because(what, reason, &status.message, means)
        }
        Error::SerdeError(error) => because(what, "Unreadable", &error.to_string(), Means::Never),
        Error::Auth(error) => because(what, "Unauthorized", &error.to_string(), Means::Change),
        // What the connection says: nothing was refused.
        error => because(what, "Unreachable", &chain(error), Means::Moment),
    }
}

fn because(what: &str, reason: &str, said: &str, means: Means) -> Trouble {
    let failure = Failure {
        reason: reason.into(),
        message: format!("cannot {what}: {said}"),
        permanent: matches!(means, Means::Never),
    };
    Trouble { failure, transient: matches!(means, Means::Moment) }
}

/// An error with its causes; each says only what is new.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn api(code: u16, reason: &str) -> Error {
        Error::Api(Status::failure("so it is", reason).with_code(code).boxed())
    }

    #[test]
    fn a_failure_says_what_was_tried_and_whether_another_try_helps() {
        for (code, reason, transient, permanent) in [
            (409, "Conflict", true, false),
            (410, "Expired", true, false),
            (429, "TooManyRequests", true, false),
            (500, "InternalError", true, false),
            (504, "Timeout", true, false),
            (403, "Forbidden", false, false),
            (404, "NotFound", false, false),
            (422, "Invalid", false, true),
            (405, "MethodNotAllowed", false, true),
        ] {
            let found = trouble("show Snapshot demo/a", &api(code, reason));
            assert_eq!(
                (found.transient, found.failure.permanent),
                (transient, permanent),
                "{code}"
            );
            assert_eq!(
                found.to_string(),
                format!("{reason}: cannot show Snapshot demo/a: so it is")
            );
        }
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let found = trouble("list Pods", &Error::Service(Box::new(refused)));
        assert!(found.transient);
        assert_eq!(
            found.to_string(),
            "Unreachable: cannot list Pods: ServiceError: connection refused"
        );
    }

    fn calls() -> Calls {
        Calls::new(super::super::fake::Server::default().client())
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_not_answered_ends_after_its_time() {
        let begun = tokio::time::Instant::now();
        let found = calls().ask("list Pods", std::future::pending::<Result<(), Error>>()).await;
        assert_eq!(
            Trouble::from(found.unwrap_err()).to_string(),
            "Timeout: cannot list Pods: the API server did not answer within 10 s"
        );
        assert_eq!(begun.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn some_calls_at_a_time_and_each_has_its_own_time() {
        let calls = calls();
        let begun = tokio::time::Instant::now();
        let call = || async {
            tokio::time::sleep(Duration::from_secs(6)).await;
            Ok(())
        };
        let all = (0..AT_ONCE * 2).map(|_| calls.ask("wait", call()));
        let all = futures_util::future::join_all(all).await;
        assert!(all.iter().all(Result::is_ok), "whoever waits for a place loses nothing");
        assert_eq!(begun.elapsed(), Duration::from_secs(12));
    }
}
