//! Sentences about what surrounds a configuration: namespaces, families of API groups, the log itself.

use std::collections::BTreeMap;

use holdfast_engine::binding::{self, Made};
use holdfast_engine::testing::given;
use holdfast_engine::usage::References;
use holdfast_engine::{
    Command, Family, Outcome, StreamKind, Timestamp, configuration, dependency, hook, lease,
    namespace, retention, snapshot,
};

use super::{Story, configuration_uid};
use crate::world::outside::failure;
use crate::world::{minutes, uid};

impl Story {
    pub(super) fn given_around(&mut self, words: &[&str]) {
        match words {
            ["everything", "below", "is", "of", "Stash"] => {
                self.world.family = Family::Stash;
                self.world.furnish();
            }
            ["namespace", name, "labelled", labels @ ..] => self.observe_namespace(name, labels),
            [sessions, "sessions", "of", repositories, "repositories"] => {
                self.many(sessions, repositories);
            }
            _ => self.outside(words),
        }
    }

    pub(super) fn when_around(&mut self, words: &[&str]) {
        match words {
            ["namespace", name, "is", "labelled", labels @ ..] => {
                self.observe_namespace(name, labels);
            }
            ["namespace", name, "is", "gone"] => {
                let uid = uid(&format!("namespace/{name}"));
                self.ask(Command::Namespace(namespace::Command::Forget { uid }));
            }
            ["the", "target", "is", "gone"] => {
                let uid = self.world.state.objects[&given::target()];
                self.ask(Command::Dependency(dependency::Command::Forget { uid }));
            }
            ["the", "loss", "of", from, "to", to, "is", "acknowledged"] => {
                let [from, to] = [from, to].map(|word| word.parse().expect("a number"));
                self.ask(Command::Lease(lease::Command::AcknowledgeGap { from, to }));
            }
            ["configuration", name, "is", "deleted"] => {
                let uid = self.world.uid_for(StreamKind::Configuration, name);
                self.ask(Command::Configuration(configuration::Command::Delete { uid }));
            }
            ["references", "go", "to", "any", "namespace"] => {
                let references = References::Any;
                self.ask(Command::Lease(lease::Command::Configure { references }));
            }
            ["the", "trigger", "of", session, "is", "made"] => {
                let live = uid(&format!("live/{session}"));
                let made = Made::trigger(configuration_uid(), session);
                self.ask(Command::Binding(binding::Command::Bind { made, live }));
            }
            ["the", "trigger", "of", session, "is", "missed"] => {
                let live = uid(&format!("live/{session}"));
                let made = Made::trigger(configuration_uid(), session);
                self.ask(Command::Binding(binding::Command::Miss { made, live }));
            }
            ["retention", name, "is", "deleted"] => {
                let uid = self.world.uid_for(StreamKind::Retention, name);
                self.ask(Command::Retention(retention::Command::Delete { uid }));
            }
            ["hook", name, "is", "deleted"] => {
                let uid = self.world.uid_for(StreamKind::Hook, name);
                self.ask(Command::Hook(hook::Command::Delete { uid }));
            }
            ["the", "scheduler", "of", name, "fails"] => {
                let outcome = Outcome::Failed(failure("Forbidden", "CronJobs cannot be made"));
                let (uid, session) = (configuration_uid(), (*name).into());
                let report = configuration::Command::SchedulerReported { uid, session, outcome };
                self.ask(Command::Configuration(report));
            }
            ["snapshot", name, "is", "found", "in", repository] => self.adopt(name, repository),
            ["the", "beginning", "is", "archived"] => {
                self.world.archived.push(self.world.asked.len());
            }
            _ => self.outside(words),
        }
    }

    /// Daily sessions, each with repositories of its own.
    fn many(&mut self, sessions: &str, repositories: &str) {
        let [sessions, repositories] =
            [sessions, repositories].map(|word| word.parse().expect("a number"));
        for session in 0..sessions {
            let mut one = given::session(&format!("s{session}"));
            self.periods.insert(one.name.clone(), minutes(24 * 60));
            let names = (0..repositories).map(|number| format!("r{session}-{number}"));
            one.repositories = names.map(|name| given::repository(&name)).collect();
            self.sessions.push(one);
        }
    }

    fn observe_namespace(&mut self, name: &str, labels: &[&str]) {
        let (labels, allowed) = match labels {
            [labels @ .., "allowing", allowed] => (labels, Some((*allowed).into())),
            labels => (labels, None),
        };
        let pair = |label: &&str| label.split_once('=').map(|(a, b)| (a.into(), b.into()));
        let labels: BTreeMap<String, String> = labels.iter().filter_map(pair).collect();
        self.ask(Command::Namespace(namespace::Command::Observe {
            uid: uid(&format!("namespace/{name}")),
            name: name.into(),
            labels,
            allowed_namespaces: allowed,
        }));
    }

    fn adopt(&mut self, name: &str, repository: &str) {
        let command = snapshot::Command::Adopt {
            uid: uid(&format!("snapshot/{name}")),
            repository: self.repository_named(repository).expect("it is there"),
            key: self.world.key(StreamKind::Snapshot, name),
            session: "nightly".into(),
            taken: Timestamp(self.world.now.0 - minutes(60)),
            components: vec![("dump".into(), "commit".into(), true)],
        };
        self.ask(Command::Snapshot(command));
    }
}
