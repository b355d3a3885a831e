//! What the kernel may rely on in every place: one suite, run on each of them.
//!
//! | Law | Why |
//! |---|---|
//! | carried out again, an effect is found done, with the same answer | a crash between the deed and its record repeats it |
//! | a repository that the log remembers is never made anew | an empty directory is no repository that lost its data |
//! | a worker that was started is found again, and is told of until it is released | it outlives its operator |
//! | whoever was stopped vanished; what is not there is stopped | a stop is never in vain |
//! | what was released or tidied away has vanished | nobody waits for ever |
//! | what is taken away twice is away | so is what was never there |

use std::sync::Arc;

use holdfast_api::Kind;
use holdfast_engine::Once;
use holdfast_engine::plan::{Attended, Located, Plan, attended, plan};
use holdfast_engine::view::object::object;
use holdfast_engine::{
    Actor, Attempt, Command, CommandId, EffectId, Envelope, Outcome, StreamKind, Timestamp, Uid,
    configuration, lease, outbox,
};
use holdfast_eventlog::{Ledger, Options};
use serde_json::Value;

use super::local::{Layout, Local};
use super::simulated::manifests::{self, Wanted};
use super::simulated::{Cluster, Simulated, Time, Weather};
use super::{Answer, End, Place, Standing, Trigger};
use crate::operator::Ports;
use crate::operator::inbox::Order;
use crate::operator::progress::{Overlay, Teller};
use crate::operator::publisher::Marks;
use crate::ports::clock;
use crate::ports::ids::{self, Ids as _};
use crate::sighting::Sightings;
use crate::sighting::changes::{Applied, Sighter};
use crate::sighting::known::Known;
use crate::sighting::name::ObjectName;
use crate::translate::kubestash::object as kubestash;

/// A place with what is needed to look behind it.
trait Scene {
    type Place: Place;

    fn place(&self) -> &Self::Place;

    /// Where its storages lie.
    fn storages(&self) -> String;

    /// A user declares objects.
    fn declare(&self, objects: Vec<Value>);

    /// Workers may end from now on.
    async fn let_workers_end(&self);

    /// Whether an object is to be seen.
    fn shows(&self, name: &ObjectName) -> bool;
}

/// A place, and a log that asks it for something.
struct Bench<S> {
    scene: S,
    ledger: Ledger,
    applied: Applied,
    now: i64,
}

impl<S: Scene> Bench<S> {
    fn new(scene: S, mut ledger: Ledger) -> Self {
        let begin = Command::Lease(lease::Command::Begin { holder: "me".into() });
        ledger.submit(&[envelope(Actor::Operator, begin, 1)]).unwrap();
        Self { scene, ledger, applied: Applied::new(), now: 1 }
    }

    fn place(&self) -> &S::Place {
        self.scene.place()
    }

    fn submit(&mut self, Order { id, actor, command }: Order) {
        self.now += 1;
        let mut envelope = envelope(actor, command, self.now);
        envelope.id = id.unwrap_or(envelope.id);
        self.ledger.submit(&[envelope]).unwrap();
    }

    /// Declares what a look shows.
    fn look(&mut self, look: &Sightings) {
        let attachments = self.ledger.attachments();
        let sighter = Sighter {
            version_key: &[7; 32],
            attachments: &attachments,
            ids: &ids::Machine,
            now: Timestamp(self.now),
        };
        let known = Known::of(self.ledger.state());
        let changes = sighter.changes(&known, look, &mut self.applied).unwrap();
        assert!(changes.refused.is_empty(), "{:?}", changes.refused);
        for (_, order) in changes.objects.into_iter().chain(changes.backups) {
            self.submit(order);
        }
    }

    /// What is asked for next.
    fn asked(&self) -> Option<(EffectId, Once)> {
        self.ledger.state().outbox.iter().next().map(|(id, once)| (*id, once.clone()))
    }

    fn plan(&self, once: &Once) -> Plan {
        plan(self.ledger.state(), once).unwrap()
    }

    /// Carries out what is asked for, twice, and records the answer; what was carried out.
    async fn carry_out(&mut self) -> Option<(Once, Plan, Answer)> {
        let (id, once) = self.asked()?;
        let plan = self.plan(&once);
        let first = self.place().carry_out(id, plan.clone()).await.unwrap();
        let again = self.place().carry_out(id, plan.clone()).await.unwrap();
        assert_eq!(first, again, "{once:?} is found done");
        let answer = outbox::Command::Answer { effect: id, answer: first.clone() };
        self.submit(Order::new(Actor::Operator, Command::Outbox(answer)));
        Some((once, plan, first))
    }

    /// Sets up what triggers sessions, and asks for the first one.
    async fn trigger(&mut self) {
        let (configuration, session) = {
            let found = self.ledger.state().configurations.values().next().unwrap();
            (found.uid, "nightly".to_owned())
        };
        let trigger = Trigger { configuration, session: session.clone() };
        self.place().trigger(&trigger).await.unwrap();
        let (uid, outcome) = (configuration, Outcome::Succeeded);
        let command = configuration::Command::SchedulerReported { uid, session, outcome };
        self.submit(Order::new(Actor::Operator, Command::Configuration(command)));
    }

    /// Carries out until a worker works.
    async fn start_worker(&mut self) -> (Attended, Vec<Plan>) {
        let mut plans = Vec::new();
        let mut triggered = false;
        loop {
            let Some((once, plan, answer)) = self.carry_out().await else {
                assert!(!std::mem::replace(&mut triggered, true), "no worker is asked for");
                self.trigger().await;
                continue;
            };
            plans.push(plan);
            if let Once::StartWorker { .. } = once {
                assert!(matches!(answer, Answer::Worker(_)), "{answer:?}");
                return (attended(self.ledger.state()).remove(0), plans);
            }
        }
    }
}

fn envelope(actor: Actor, command: Command, at: i64) -> Envelope {
    let id = CommandId(ids::Machine.uid().0);
    Envelope { id, at: Timestamp(at), actor, epoch: 1, command }
}

fn teller(attended: &Attended) -> Teller {
    Overlay::new(Marks::default(), Arc::new(|_, _| {})).teller(attended.attempt.clone(), Vec::new())
}

fn objects(storages: &str) -> Vec<Value> {
    let wanted = Wanted {
        name: "app".into(),
        storage: "store".into(),
        repositories: 1,
        hooks: false,
        retries: 0,
        timeout: "1h",
        schedule: "0 1 * * *",
        concurrency: "Allow",
        suspended: false,
        paused: false,
        deletion: "WipeOut",
    };
    let mut all = manifests::base();
    all.extend([
        manifests::storage_below(storages, "store", "WipeOut"),
        manifests::policy(1),
        manifests::workload("app", 1),
        manifests::configuration(&wanted),
        manifests::session("first", "app"),
    ]);
    all
}

/// All laws, one after the other, in one life of a place.
async fn holds<S: Scene>(bench: &mut Bench<S>) {
    bench.scene.declare(objects(&bench.scene.storages()));
    let look = bench.place().watch().await;
    assert!(look.whole && look.problems.is_empty(), "{:?}", look.problems);
    let key = holdfast_engine::Key::new(holdfast_engine::Group::KubeStash, "demo", "app");
    assert!(bench.place().declared(Kind::BackupConfiguration, &key).is_some());
    assert!(!bench.place().lease().await.unwrap().is_over());
    bench.look(&look);

    let (attended, plans) = bench.start_worker().await;
    let opened = plans.iter().find_map(|plan| match plan {
        Plan::InitializeRepository(found) => Some(found.clone()),
        _ => None,
    });
    workers(bench, &attended).await;
    shows(bench).await;
    let (place, described) = *opened.unwrap();
    repositories(bench, &place, |place| {
        Plan::InitializeRepository(Box::new((place, described.clone())))
    })
    .await;
}

async fn workers<S: Scene>(bench: &Bench<S>, attended: &Attended) {
    let (place, attempt) = (bench.place(), &attended.attempt);
    let nobody = Attempt { session: Uid([9; 16]), component: "dump".into(), number: 1 };
    assert_eq!(place.survey(attended).await, Standing::Works);
    // Whoever works is nobody's remains.
    place.tidy(&[]).await;
    assert_eq!(place.survey(attended).await, Standing::Works);
    bench.scene.let_workers_end().await;
    let end = place.attend(attended, &teller(attended)).await;
    assert!(matches!(end, End::Reported(_)), "{end:?}");
    place.tidy(std::slice::from_ref(attempt)).await;
    assert_eq!(place.survey(attended).await, Standing::Ended(end.clone()), "until it is released");
    assert_eq!(place.attend(attended, &teller(attended)).await, end);
    for plan in [Plan::StopWorker(attempt.clone()), Plan::StopWorker(nobody.clone())] {
        assert_eq!(place.carry_out(id(), plan).await, Ok(Answer::Done));
    }
    place.release(attempt).await;
    place.release(attempt).await;
    place.release(&nobody).await;
    let standing = place.survey(attended).await;
    assert!(matches!(standing, Standing::Ended(End::Vanished(_))), "{standing:?}");
    let end = place.attend(attended, &teller(attended)).await;
    assert!(matches!(end, End::Vanished(_)), "{end:?}");
}

async fn repositories<S: Scene>(bench: &Bench<S>, of: &Located, open: impl Fn(Located) -> Plan) {
    let place = bench.place();
    let known = |id| Located { id, ..of.clone() };
    let Ok(Answer::Repository { id: first }) = place.carry_out(id(), open(known(None))).await
    else {
        panic!("it does not open");
    };
    let same = Ok(Answer::Repository { id: first });
    assert_eq!(place.carry_out(id(), open(known(Some(first)))).await, same);
    let other = place.carry_out(id(), open(known(Some(Uid([3; 16]))))).await.unwrap_err();
    assert!(other.failure.permanent && !other.transient, "{other}");
    for _ in 0..2 {
        let wiped = place.carry_out(id(), Plan::WipeRepository(Box::new(of.clone()))).await;
        assert_eq!(wiped, Ok(Answer::Done));
    }
    let lost = place.carry_out(id(), open(known(Some(first)))).await.unwrap_err();
    assert!(lost.failure.permanent && !lost.transient, "{lost}");
    let Ok(Answer::Repository { id: second }) = place.carry_out(id(), open(known(None))).await
    else {
        panic!("it is not made anew");
    };
    assert_ne!(first, second, "another repository is another one");
    assert_eq!(place.carry_out(id(), Plan::RemoveSnapshot(None)).await, Ok(Answer::Done));
    let absent = holdfast_engine::TypedRef {
        api_group: "apps".into(),
        kind: "StatefulSet".into(),
        namespace: "demo".into(),
        name: "nobody".into(),
    };
    let unknown = place.carry_out(id(), Plan::Survey(Some(absent))).await.unwrap_err();
    assert!(!unknown.transient, "{unknown}");
}

async fn shows<S: Scene>(bench: &Bench<S>) {
    let state = bench.ledger.state();
    let (uid, _) = state.storages.iter().next().unwrap();
    let found = object(state, StreamKind::Storage, *uid).unwrap();
    let (kind, key) = kubestash::name(&found);
    let published = kubestash::render(&found, bench.place().declared(kind, &key));
    let name = ObjectName::own(kind, &key);
    for _ in 0..2 {
        let live = bench.place().publish(&published).await.unwrap();
        assert_eq!(live, None, "it is a user's, and has its own uid");
        assert!(bench.scene.shows(&name));
    }
    makes(bench).await;
    bench.place().sweep(std::slice::from_ref(&name)).await;
    assert!(bench.scene.shows(&name), "it is known");
    for _ in 0..2 {
        bench.place().retract(&name, None).await.unwrap();
        assert!(!bench.scene.shows(&name));
    }
    bench.place().publish(&published).await.unwrap();
    bench.place().sweep(&[]).await;
    assert!(!bench.scene.shows(&name), "nobody knows it");
}

/// What we make is found again by name and uid.
async fn makes<S: Scene>(bench: &Bench<S>) {
    let place = bench.place();
    let state = bench.ledger.state();
    let (uid, _) = state.repositories.iter().next().unwrap();
    let found = object(state, StreamKind::Repository, *uid).unwrap();
    let (kind, key) = kubestash::name(&found);
    let name = ObjectName::own(kind, &key);
    let published = kubestash::render(&found, None);
    let live = place.publish(&published).await.unwrap();
    assert_eq!(place.publish(&published).await.unwrap(), live, "shown again it is the same");
    if let Some(live) = live {
        let another = uid.derive("another");
        place.retract(&name, Some(another)).await.unwrap();
        assert!(bench.scene.shows(&name), "only the object of that uid goes");
        place.retract(&name, Some(live)).await.unwrap();
        assert!(!bench.scene.shows(&name));
        let again = place.publish(&published).await.unwrap();
        assert!(again.is_some_and(|again| again != live), "made anew it is another one");
    }
    place.retract(&name, None).await.unwrap();
    assert!(!bench.scene.shows(&name));
}

/// An effect that no log has asked for; places look at nothing but the plan.
fn id() -> EffectId {
    EffectId(1)
}

/// Only a hook may be ended with its future.
fn ends_with_its_future(place: &impl Place) {
    use holdfast_engine::hook::{Run, Stage};
    let run = Run { stage: Stage::Pre, index: 0, number: 1 };
    assert!(place.ends_when_dropped(&Once::RunHook { session: Uid([1; 16]), run }));
    assert!(!place.ends_when_dropped(&Once::Survey { session: Uid([1; 16]) }));
}

struct OnThisMachine {
    dir: tempfile::TempDir,
    place: Local,
}

impl Scene for OnThisMachine {
    type Place = Local;

    fn place(&self) -> &Local {
        &self.place
    }

    fn storages(&self) -> String {
        self.dir.path().join("storages").to_str().unwrap().into()
    }

    fn declare(&self, objects: Vec<Value>) {
        let documents: Vec<String> = objects.iter().map(Value::to_string).collect();
        std::fs::write(self.dir.path().join("manifests/all.yaml"), documents.join("\n---\n"))
            .unwrap();
    }

    async fn let_workers_end(&self) {
        std::fs::write(self.dir.path().join("go"), "").unwrap();
    }

    fn shows(&self, name: &ObjectName) -> bool {
        let folder = format!("{}.{}", name.form().unwrap().plural(), name.group);
        let status = Layout::below(self.dir.path()).status();
        status.join(&name.namespace).join(folder).join(format!("{}.yaml", name.name)).exists()
    }
}

/// A worker that says who it is, waits until it may end, and leaves the report beside it; and the child that does a
/// store's task, which is the test below in a process of its own.
const WORKER: &str = r#"#!/bin/sh
set -e
here=$(dirname "$0")
if test "$2" = --task; then
    answer=$(mktemp "$here/answer.XXXXXX")
    HOLDFAST_ANSWER="$answer" "$here/tests" --exact place::conformance::a_child_does_its_task >"$answer.out" 2>&1
    exec cat "$answer"
fi
if test "$2" = --guard; then
    shift 3
    exec "$@"
fi
printf '{"uid":"%s","process":{"pid":%d,"start":%s}}' "$5" $$ "$(cut -d' ' -f22 /proc/$$/stat)" > "$3/.w"
rm -f "$3/job.json"
mv "$3/.w" "$3/worker.json"
while ! test -e "$here/go"; do sleep 0.05; done
cp "$here/result.json" "$3/.r"
mv "$3/.r" "$3/result.json"
"#;

/// Does what the line on standard input asks for, where [`WORKER`] says so.
#[test]
fn a_child_does_its_task() {
    let Some(answer) = std::env::var_os("HOLDFAST_ANSWER") else { return };
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let done = holdfast_executor::task::run(&serde_json::from_str(&line).unwrap());
    std::fs::write(answer, serde_json::to_vec(&done).unwrap()).unwrap();
}

#[tokio::test]
async fn this_machine_is_a_place() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    std::fs::create_dir(root.join("manifests")).unwrap();
    let program = root.join("worker");
    // Written by another process: a file that this one had open for writing cannot be run while a child of another
    // test has it too.
    let written = std::process::Command::new("sh")
        .args(["-c", "printf %s \"$1\" > \"$0\" && chmod 700 \"$0\""])
        .arg(&program)
        .arg(WORKER)
        .status();
    assert!(written.unwrap().success());
    std::os::unix::fs::symlink(std::env::current_exe().unwrap(), root.join("tests")).unwrap();
    let report = holdfast_executor::report::Report {
        attempt: "a".into(),
        outcome: holdfast_executor::report::Outcome::Succeeded {
            grade: holdfast_executor::report::Grade::ReadBack,
        },
        repositories: Vec::new(),
        duration_ms: 1,
    };
    let ended = crate::worker::directory::Ended { ended_ms: 5, report };
    std::fs::write(root.join("result.json"), serde_json::to_vec(&ended).unwrap()).unwrap();
    let layout = Layout::below(root);
    let ledger = Ledger::open(&layout.log(), Options::default()).unwrap();
    let ports = Ports { clock: Arc::new(clock::Machine), ids: Arc::new(ids::Machine) };
    let place = Local::new(root.join("manifests"), &layout, program, ledger.attachments(), ports);
    ends_with_its_future(&place);
    let mut bench = Bench::new(OnThisMachine { dir, place }, ledger);
    holds(&mut bench).await;
}

struct MadeUp {
    cluster: Arc<Cluster>,
    place: Simulated,
}

impl Scene for MadeUp {
    type Place = Simulated;

    fn place(&self) -> &Simulated {
        &self.place
    }

    fn storages(&self) -> String {
        "/srv".into()
    }

    fn declare(&self, objects: Vec<Value>) {
        objects.into_iter().for_each(|object| self.cluster.declare(object));
    }

    async fn let_workers_end(&self) {
        tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
    }

    fn shows(&self, name: &ObjectName) -> bool {
        self.cluster.shows(name)
    }
}

#[tokio::test(start_paused = true)]
async fn a_made_up_cluster_is_a_place() {
    let time = Time::new();
    time.begin();
    let cluster = Arc::new(Cluster::new(Arc::clone(&time), true));
    let weather = Weather::calm(Arc::clone(&time));
    let place = Simulated::new(Arc::clone(&cluster), weather, time, Arc::default());
    ends_with_its_future(&place);
    let memory = holdfast_eventlog::Memory::default();
    let files = holdfast_eventlog::Files::memory(&memory);
    let ledger = Ledger::open_in(&files, Options { segment_bytes: 65_536, ..Options::default() });
    let mut bench = Bench::new(MadeUp { cluster: Arc::clone(&cluster), place }, ledger.unwrap());
    holds(&mut bench).await;
    assert_eq!(cluster.breaches(), [] as [String; 0]);
}
