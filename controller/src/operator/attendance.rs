//! Waits for the ends of workers, and tells the log.

use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::plan::{Attended, attended};
use holdfast_engine::{Actor, Attempt, State};

use super::broken;
use super::inbox::{Line, Order, Stopped};
use super::progress::{self, Overlay};
use super::tasks::{Tasks, words_of};
use crate::place::{End, Place, Standing};
use crate::translate::report;

/// How often somebody looks whether the answer of a place is waited for any more.
const SOUGHT: Duration = Duration::from_secs(60);

/// Who waits for workers.
pub struct Attendance<P> {
    place: Arc<P>,
    line: Line,
    tasks: Tasks,
    overlay: Overlay,
}

impl<P> Clone for Attendance<P> {
    fn clone(&self) -> Self {
        let (place, line, tasks) = (Arc::clone(&self.place), self.line.clone(), self.tasks.clone());
        Self { place, line, tasks, overlay: self.overlay.clone() }
    }
}

impl<P: Place> Attendance<P> {
    /// Who waits for the workers of a place.
    #[must_use]
    pub fn new(place: Arc<P>, line: Line, tasks: Tasks, overlay: Overlay) -> Self {
        Self { place, line, tasks, overlay }
    }

    /// Waits for the end of a worker and reports it.
    pub fn attend(&self, attended: Attended) {
        self.tasks.run(self.clone().sees_it_end(attended));
    }

    /// The same for an attempt whose place has not said yet how it stands: until it has, the deadline of its session
    /// sleeps.
    pub fn seek(&self, attended: Attended) {
        let this = self.clone();
        self.tasks.run(async move {
            let (place, sought) = (Arc::clone(&this.place), attended.clone());
            let mut asked = tokio::spawn(async move { place.survey(&sought).await });
            let attempt = attended.attempt.clone();
            let standing = loop {
                if let Ok(standing) = tokio::time::timeout(SOUGHT, &mut asked).await {
                    break Some(standing);
                }
                match this.is_open(&attempt).await {
                    Ok(true) => {}
                    Ok(false) => break None,
                    // Nobody decides any more, so nobody knows: the next start asks again.
                    Err(Stopped) => {
                        asked.abort();
                        return;
                    }
                }
            };
            match standing {
                Some(Ok(Standing::Ended(end))) => this.report(&attended, end).await,
                // One that broke off is attended like one that works: its end will be told.
                Some(Ok(Standing::Works) | Err(_)) => this.attend(attended),
                // The log has its end by now.
                None => {
                    asked.abort();
                    this.release(&attempt).await;
                }
            }
            this.line.answered(attempt);
        });
    }

    /// Whether the log still waits for the end of an attempt.
    async fn is_open(&self, attempt: &Attempt) -> Result<bool, Stopped> {
        let attempt = attempt.clone();
        let is_open = move |state: &State| attended(state).iter().any(|one| one.attempt == attempt);
        self.line.ask(is_open).await
    }

    /// An attempt that the log knows the end of leaves nothing behind.
    pub async fn release(&self, attempt: &Attempt) {
        self.place.release(attempt).await;
    }

    async fn sees_it_end(self, attended: Attended) {
        let attempt = attended.attempt.clone();
        let shown_by = self.line.ask(move |state| progress::shown_by(state, &attempt)).await;
        let Ok(shown_by) = shown_by else { return };
        let teller = self.overlay.teller(attended.attempt.clone(), shown_by);
        let (place, waiting) = (Arc::clone(&self.place), attended.clone());
        let attending = tokio::spawn(async move { place.attend(&waiting, &teller).await });
        let end = match attending.await {
            Ok(end) => end,
            Err(broken) => match broken.try_into_panic() {
                Ok(panic) => End::Vanished(broken::failure(&words_of(&*panic))),
                // Nobody is there any more who would hear of it.
                Err(_ended) => return,
            },
        };
        self.report(&attended, end).await;
    }

    async fn report(&self, attended: &Attended, end: End) {
        let order = Order::new(Actor::Worker, report::news(attended, end));
        // What is left of the attempt goes once the log has its end; without an answer the next start finds both.
        if self.line.insist(order).await.is_ok() {
            self.release(&attended.attempt).await;
        }
    }
}
