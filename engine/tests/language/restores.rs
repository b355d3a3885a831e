//! Sentences about restores.

use holdfast_engine::{Command, restore, run};

use super::{Story, hook_spec, millis, said_by};
use crate::world::spec;

impl Story {
    /// `given restore back of one timeout 10m before freeze after thaw`
    pub(super) fn give_restore(&mut self, name: &str, repository: &str, options: &[&str]) {
        let mut wanted = spec::restore(repository);
        let mut rest = options;
        loop {
            rest = match rest {
                [] => break,
                ["timeout", time, rest @ ..] => {
                    wanted.timeout = Some(millis(time));
                    rest
                }
                ["component", component, rest @ ..] => {
                    wanted.source.components.push((*component).into());
                    rest
                }
                ["before", hook, rest @ ..] => {
                    wanted.pre_hooks.push(hook_spec(hook, &[]));
                    rest
                }
                ["after", hook, policy @ ("always" | "on-success" | "on-failure"), rest @ ..] => {
                    wanted.post_hooks.push(hook_spec(hook, &[policy]));
                    rest
                }
                _ => panic!("{}: unknown words", self.line),
            };
        }
        self.restores.insert(name.into(), wanted);
    }

    pub(super) fn when_restore(&mut self, name: &str, what: &str) {
        if what == "applied" {
            let wanted = self.restores.get(name).expect("it was given").clone();
            self.world.declare_restore(name, &wanted);
            self.world.settle();
            return;
        }
        let session = self.world.restore_named(name).expect("it was applied");
        let command = match what {
            "cancelled" => {
                let cause = "somebody said stop".into();
                Command::Run(run::Command::Cancel { session, cause })
            }
            "deleted" => Command::Restore(restore::Command::Delete { session }),
            _ => panic!("{}: unknown word", self.line),
        };
        self.ask(command);
    }

    pub(super) fn then_restore(&self, name: &str, what: &[&str], line: &str) {
        let found = self.world.restore_named(name).map(|uid| &self.world.state.restores[&uid]);
        match what {
            ["is", "gone"] => self.equal(&found.is_none(), &true),
            ["is", phase] => {
                let found = found.unwrap_or_else(|| panic!("{}: gone", self.line));
                self.equal(&restore::phase::phase(found).as_str(), phase);
            }
            ["says", ..] => {
                let found = found.unwrap_or_else(|| panic!("{}: gone", self.line));
                let wanted = line.split_once("says ").expect("it says").1.trim();
                self.says(&said_by(&found.conditions), wanted);
            }
            _ => panic!("{}: unknown sentence", self.line),
        }
    }
}
