//! The lead: one holder at a time, by a Lease.
//!
//! | Bound | Seconds | Why |
//! |---|---|---|
//! | renewed every | 2 | |
//! | a try may take | 3 | one slow call is not a loss |
//! | it is lost when no try succeeded for | 10 | shorter than it lasts, so that two never lead at once |
//! | it lasts | 15 | whoever waits takes it when nobody has renewed it for so long |
//!
//! Whoever waits compares no clocks: he counts, on his own one, how long the Lease has stood as it stands. The holder
//! counts on one that goes on while the machine sleeps.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use tokio::sync::watch;
use tokio::time::Instant;

use super::calls::{CallError, Calls};
use crate::place::{Term, Trouble};
use crate::ports::clock;

const RENEW: Duration = Duration::from_secs(2);
const TRY: Duration = Duration::from_secs(3);
const LOST: Duration = Duration::from_secs(10);
const LASTS: Duration = Duration::from_secs(15);

/// How long the machine has been up, also while it slept; nobody can set it.
pub type UpFor = Arc<dyn Fn() -> Duration + Send + Sync>;

/// One Lease.
pub struct Lease {
    calls: Calls,
    namespace: String,
    name: String,
    /// Who asks for it: a pod's uid.
    holder: String,
    clock: clock::Handle,
    up_for: UpFor,
}

/// How the Lease stands.
enum Found {
    /// There is none.
    None,
    Some(Box<Object>),
}

impl Lease {
    /// The Lease of a name, for whoever is called `holder`.
    #[must_use]
    pub fn new(
        calls: Calls,
        namespace: &str,
        name: &str,
        holder: &str,
        clock: clock::Handle,
        up_for: UpFor,
    ) -> Self {
        let (namespace, name, holder) = (namespace.into(), name.into(), holder.into());
        Self { calls, namespace, name, holder, clock, up_for }
    }

    /// Takes the lead once nobody else has it, and keeps it: the term is over when it could not be renewed in time, or
    /// somebody else has it. What may be over in a moment is waited for.
    ///
    /// # Errors
    /// What kept it from being asked for; a Lease that another one holds is none.
    pub async fn take(self) -> Result<Term, Trouble> {
        let mut stands = None;
        loop {
            match self.attempt(&mut stands).await {
                Ok(Some((object, begun))) => return Ok(self.keep(object, begun)),
                Ok(None) => {}
                Err(error) => {
                    let trouble = Trouble::from(error);
                    if !trouble.transient {
                        return Err(trouble);
                    }
                    tracing::warn!(%trouble, "the lead was not asked for");
                }
            }
            tokio::time::sleep(RENEW).await;
        }
    }

    /// Takes it if nobody has to be waited for any more; `stands` is how it stands, and since when.
    async fn attempt(
        &self,
        stands: &mut Option<(String, Instant)>,
    ) -> Result<Option<(Object, Duration)>, CallError> {
        let found = self.find().await?;
        let version = version(&found);
        let (of, since) = stands.get_or_insert_with(|| (version.clone(), Instant::now()));
        if *of != version {
            *stands = Some((version, Instant::now()));
            return Ok(None);
        }
        if !self.is_free(&found) && since.elapsed() < LASTS {
            return Ok(None);
        }
        let begun = (self.up_for)();
        match self.put(found, true).await {
            Ok(object) => Ok(Some((object, begun))),
            // Another one was faster.
            Err(error) if error.status() == Some(409) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether nobody has to be waited for: it is not held, or by us. A pod's uid is used once: what holds it under our
    /// name is an earlier start of our own container.
    fn is_free(&self, found: &Found) -> bool {
        let Found::Some(object) = found else { return true };
        let holder = object.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        holder.is_none_or(|holder| holder.is_empty() || holder == self.holder)
    }

    /// Renews from now on.
    fn keep(self, mut object: Object, mut renewed: Duration) -> Term {
        let sender = watch::Sender::new(false);
        let term = Term::new(self.holder.clone(), sender.subscribe());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW).await;
                let begun = (self.up_for)();
                // Asked before the try: what slept longer than the Lease lasts leads no more, whatever it hears.
                if begun.saturating_sub(renewed) >= LOST {
                    break;
                }
                let left = LOST - begun.saturating_sub(renewed);
                match tokio::time::timeout(TRY.min(left), self.renew(&object)).await {
                    Ok(Ok(Some(now))) => (object, renewed) = (now, begun),
                    Ok(Ok(None)) => break,
                    Ok(Err(error)) => {
                        let trouble = Trouble::from(error);
                        tracing::warn!(%trouble, "the lead was not renewed");
                    }
                    Err(_elapsed) => tracing::warn!("the lead was not renewed: no answer"),
                }
            }
            sender.send_replace(true);
        });
        term
    }

    /// Renews once; none when somebody else has it.
    async fn renew(&self, object: &Object) -> Result<Option<Object>, CallError> {
        match self.put(Found::Some(Box::new(object.clone())), false).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.status() == Some(409) => {
                // Somebody wrote it: himself, whose answer was lost, or who edited it, or another one who has it now.
                let found = self.find().await?;
                match (self.is_free(&found), found) {
                    (true, Found::Some(object)) => {
                        self.put(Found::Some(object), false).await.map(Some)
                    }
                    _ => Ok(None),
                }
            }
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn find(&self) -> Result<Found, CallError> {
        let api = self.api();
        let found = self.calls.ask(&self.what("read"), api.get_opt(&self.name)).await?;
        Ok(found.map_or(Found::None, |object| Found::Some(Box::new(object))))
    }

    /// Writes it as ours. The version that was read has to be the newest one.
    async fn put(&self, found: Found, is_taken: bool) -> Result<Object, CallError> {
        let (api, params) = (self.api(), PostParams::default());
        let now = jiff::Timestamp::from_millisecond(self.clock.now().0).ok().map(MicroTime);
        match found {
            Found::None => {
                let metadata = ObjectMeta {
                    name: Some(self.name.clone()),
                    namespace: Some(self.namespace.clone()),
                    ..ObjectMeta::default()
                };
                let mut object = Object { metadata, spec: Some(LeaseSpec::default()) };
                self.fill(&mut object, true, now);
                self.calls.ask(&self.what("create"), api.create(&params, &object)).await
            }
            Found::Some(mut object) => {
                self.fill(&mut object, is_taken, now);
                self.calls.ask(&self.what("renew"), api.replace(&self.name, &params, &object)).await
            }
        }
    }

    fn fill(&self, object: &mut Object, is_taken: bool, now: Option<MicroTime>) {
        let spec = object.spec.get_or_insert_default();
        if is_taken {
            let is_other = spec.holder_identity.as_ref().is_none_or(|held| *held != self.holder);
            let before = spec.lease_transitions.unwrap_or(0);
            spec.lease_transitions = Some(before.saturating_add(i32::from(is_other)));
            spec.acquire_time.clone_from(&now);
        }
        spec.holder_identity = Some(self.holder.clone());
        spec.lease_duration_seconds = i32::try_from(LASTS.as_secs()).ok();
        spec.renew_time = now;
    }

    fn what(&self, verb: &str) -> String {
        format!("{verb} Lease {}/{}", self.namespace, self.name)
    }

    fn api(&self) -> Api<Object> {
        Api::namespaced(self.calls.client(), &self.namespace)
    }
}

fn version(found: &Found) -> String {
    match found {
        Found::None => String::new(),
        Found::Some(object) => object.metadata.resource_version.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use holdfast_engine::Timestamp;
    use serde_json::Value;

    use super::super::fake::{Fault, Server};
    use super::*;
    use crate::ports::clock::tests::Virtual;

    fn lease(server: &Server, holder: &str) -> Lease {
        let begun = Instant::now();
        slept(server, holder, Arc::new(move || begun.elapsed()))
    }

    fn slept(server: &Server, holder: &str, up_for: UpFor) -> Lease {
        let clock = Virtual::at(Timestamp(1_700_000_000_000));
        Lease::new(Calls::new(server.client()), "holdfast", "operator", holder, clock, up_for)
    }

    fn shown(server: &Server, field: &str) -> Value {
        let object = server.get("coordination.k8s.io/v1/leases", "holdfast/operator").unwrap();
        object["spec"][field].clone()
    }

    async fn pass(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_lead_is_taken_and_renewed() {
        let server = Server::default();
        let term = lease(&server, "a").take().await.unwrap();
        assert_eq!(
            (shown(&server, "holderIdentity"), shown(&server, "leaseTransitions")),
            ("a".into(), 1.into())
        );
        assert_eq!(shown(&server, "leaseDurationSeconds"), 15);
        let first = shown(&server, "renewTime");
        pass(600).await;
        assert!(!term.is_over());
        assert_ne!(shown(&server, "renewTime"), first);
        let taken = shown(&server, "acquireTime");
        assert_eq!(taken, first, "it is one term");
        assert!((250..=301).contains(&server.count("PUT")), "{}", server.count("PUT"));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_leads_when_the_holder_has_been_silent_for_as_long_as_it_lasts() {
        let server = Server::default();
        let term = lease(&server, "a").take().await.unwrap();
        let begun = Instant::now();
        let second = tokio::spawn(lease(&server, "b").take());
        pass(300).await;
        assert!(!second.is_finished() && !term.is_over());
        server.fail("PUT", Fault::Silent);
        pass(12).await;
        assert!(term.is_over(), "before another one may lead");
        assert!(!second.is_finished());
        server.heal();
        let second = second.await.unwrap().unwrap();
        let took = begun.elapsed().as_secs();
        assert!((313..=320).contains(&took), "{took}");
        assert_eq!(
            (shown(&server, "holderIdentity"), shown(&server, "leaseTransitions")),
            ("b".into(), 2.into())
        );
        assert!(!second.is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_start_of_the_same_pod_is_not_waited_for() {
        let server = Server::default();
        lease(&server, "a").take().await.unwrap();
        let begun = Instant::now();
        lease(&server, "a").take().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(1));
        assert_eq!(shown(&server, "leaseTransitions"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn some_slow_and_failed_tries_are_no_loss() {
        let server = Server::default();
        let term = lease(&server, "a").take().await.unwrap();
        for fault in [Fault::Silent, Fault::Status(503, "ServiceUnavailable")] {
            server.fail("PUT", fault);
            pass(6).await;
            server.heal();
            pass(30).await;
            assert!(!term.is_over(), "{fault:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lead_that_another_one_took_is_over() {
        let server = Server::default();
        let mut term = lease(&server, "a").take().await.unwrap();
        let mut object = server.get("coordination.k8s.io/v1/leases", "holdfast/operator").unwrap();
        object["spec"]["renewTime"] = "2026-01-01T00:00:00.000000Z".into();
        server.put(object.clone());
        pass(10).await;
        assert!(!term.is_over(), "somebody who only edits it takes nothing");
        object = server.get("coordination.k8s.io/v1/leases", "holdfast/operator").unwrap();
        object["spec"]["holderIdentity"] = "b".into();
        server.put(object);
        tokio::time::timeout(Duration::from_secs(3), term.over()).await.unwrap();
        assert_eq!(shown(&server, "holderIdentity"), "b", "it is not taken back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_slept_leads_no_more() {
        for (seconds, over) in [(5, false), (60, true)] {
            let server = Server::default();
            // What the runtime's own clock does not show.
            let asleep = Arc::new(Mutex::new(Duration::ZERO));
            let (begun, more) = (Instant::now(), Arc::clone(&asleep));
            let up_for: UpFor = Arc::new(move || begun.elapsed() + *more.lock().unwrap());
            let term = slept(&server, "a", up_for).take().await.unwrap();
            pass(20).await;
            *asleep.lock().unwrap() = Duration::from_secs(seconds);
            let tries = server.count("PUT");
            pass(3).await;
            assert_eq!(term.is_over(), over, "{seconds}");
            assert_eq!(server.count("PUT") > tries, !over, "it is not even asked for");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_away_for_a_while_is_waited_for() {
        let server = Server::default();
        server.fail("GET", Fault::Status(503, "ServiceUnavailable"));
        let taken = tokio::spawn(lease(&server, "a").take());
        pass(120).await;
        assert!(!taken.is_finished());
        server.heal();
        server.fail("POST", Fault::Silent);
        pass(60).await;
        server.heal();
        assert!(!taken.await.unwrap().unwrap().is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_may_not_ask_is_told() {
        let server = Server::default();
        server.fail("GET", Fault::Status(403, "Forbidden"));
        let trouble = lease(&server, "a").take().await.unwrap_err();
        assert_eq!(
            trouble.to_string(),
            "Forbidden: cannot read Lease holdfast/operator: the server says Forbidden"
        );
    }
}
