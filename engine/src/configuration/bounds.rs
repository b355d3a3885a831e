//! Specs that are too large to be recorded.

use alloc::format;
use alloc::string::String;

use crate::configuration::{AddonRef, SessionSpec, Spec};
use crate::hook::HookSpec;
use crate::limits;

/// Which field exceeds a bound.
pub(crate) fn exceeded(spec: &Spec) -> Option<String> {
    if spec.backends.len() > limits::BACKENDS {
        return Some(format!("spec.backends: at most {} are possible", limits::BACKENDS));
    }
    if spec.sessions.len() > limits::SESSIONS {
        return Some(format!("spec.sessions: at most {} are possible", limits::SESSIONS));
    }
    spec.sessions.iter().enumerate().find_map(|(index, session)| {
        let at = |field: &str, limit: usize| {
            Some(format!("spec.sessions[{index}].{field}: at most {limit} are possible"))
        };
        if session.repositories.len() > limits::REPOSITORIES_A_SESSION {
            return at("repositories", limits::REPOSITORIES_A_SESSION);
        }
        if session.addon.tasks.len() > limits::TASKS_A_SESSION {
            return at("addon.tasks", limits::TASKS_A_SESSION);
        }
        if session.pre_hooks.len() > limits::HOOKS_A_STAGE {
            return at("hooks.preBackup", limits::HOOKS_A_STAGE);
        }
        if session.post_hooks.len() > limits::HOOKS_A_STAGE {
            return at("hooks.postBackup", limits::HOOKS_A_STAGE);
        }
        let mut hooks = session.pre_hooks.iter().chain(&session.post_hooks);
        if hooks.any(|hook| hook.max_retry > limits::HOOK_RETRIES) {
            let limit = limits::HOOK_RETRIES;
            return Some(format!("spec.sessions[{index}].hooks: maxRetry is at most {limit}"));
        }
        let limit = limits::SESSION_TEXT_BYTES;
        (text_bytes(session) > limit)
            .then(|| format!("spec.sessions[{index}]: all its text is at most {limit} bytes"))
    })
}

fn text_bytes(session: &SessionSpec) -> usize {
    let repositories = session.repositories.iter().map(|repository| {
        repository.name.len() + repository.backend.len() + repository.directory.len()
    });
    session.name.len()
        + session.scheduler.as_ref().map_or(0, |scheduler| scheduler.schedule.len())
        + hooks_text(session.pre_hooks.iter().chain(&session.post_hooks))
        + addon_text(&session.addon)
        + repositories.sum::<usize>()
}

/// Bytes of all strings of hooks.
pub(crate) fn hooks_text<'a>(hooks: impl Iterator<Item = &'a HookSpec>) -> usize {
    let text = hooks.map(|hook| {
        hook.name.len()
            + hook.template.namespace.len()
            + hook.template.name.len()
            + pairs_text(&hook.params)
    });
    text.sum()
}

/// Bytes of all strings of an Addon's reference.
pub(crate) fn addon_text(addon: &AddonRef) -> usize {
    let tasks = addon.tasks.iter().map(|task| {
        let mounts = task.mounts.iter().map(|mount| mount.volume.len() + mount.path.len());
        task.name.len() + pairs_text(&task.params) + mounts.sum::<usize>()
    });
    addon.name.len() + tasks.sum::<usize>()
}

fn pairs_text(list: &[(String, String)]) -> usize {
    list.iter().map(|(name, value)| name.len() + value.len()).sum()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::configuration::{Mount, TaskRef};
    use crate::group::Group;
    use crate::testing::given;

    fn spec(change: impl FnOnce(&mut Spec)) -> Spec {
        let mut spec = given::configuration(vec![given::session("a"), given::session("b")]);
        change(&mut spec);
        spec
    }

    fn second(change: impl FnOnce(&mut SessionSpec)) -> Spec {
        spec(|spec| change(&mut spec.sessions[1]))
    }

    #[test]
    fn every_bound_holds_at_its_value_and_names_its_field_beyond_it() {
        type Make = fn(usize) -> Spec;
        let cases: [(usize, Make, &str); 7] = [
            (
                limits::BACKENDS,
                |n| spec(|s| s.backends = vec![s.backends[0].clone(); n]),
                "spec.backends: at most 32 are possible",
            ),
            (
                limits::SESSIONS,
                |n| spec(|s| s.sessions = vec![given::session("a"); n]),
                "spec.sessions: at most 64 are possible",
            ),
            (
                limits::REPOSITORIES_A_SESSION,
                |n| second(|s| s.repositories = vec![given::repository("r"); n]),
                "spec.sessions[1].repositories: at most 16 are possible",
            ),
            (
                limits::TASKS_A_SESSION,
                |n| second(|s| s.addon.tasks = vec![s.addon.tasks[0].clone(); n]),
                "spec.sessions[1].addon.tasks: at most 16 are possible",
            ),
            (
                limits::HOOKS_A_STAGE,
                |n| second(|s| s.pre_hooks = vec![given::hook("h"); n]),
                "spec.sessions[1].hooks.preBackup: at most 32 are possible",
            ),
            (
                limits::HOOKS_A_STAGE,
                |n| second(|s| s.post_hooks = vec![given::hook("h"); n]),
                "spec.sessions[1].hooks.postBackup: at most 32 are possible",
            ),
            (
                usize::try_from(limits::HOOK_RETRIES).unwrap(),
                |n| {
                    let max_retry = u32::try_from(n).unwrap();
                    second(|s| s.post_hooks = vec![HookSpec { max_retry, ..given::hook("h") }])
                },
                "spec.sessions[1].hooks: maxRetry is at most 100",
            ),
        ];
        for (limit, make, message) in cases {
            assert_eq!(exceeded(&make(limit)), None, "{message}");
            assert_eq!(exceeded(&make(limit + 1)), Some(message.to_string()));
        }
    }

    #[test]
    fn every_text_of_a_session_counts() {
        let rest = text_bytes(&given::session("b"));
        let room = limits::SESSION_TEXT_BYTES - rest;
        type Add = fn(&mut SessionSpec, String);
        let places: [Add; 10] = [
            |s, text| s.name.push_str(&text),
            |s, text| s.scheduler.as_mut().unwrap().schedule.push_str(&text),
            |s, text| s.repositories[0].name.push_str(&text),
            |s, text| s.repositories[0].backend.push_str(&text),
            |s, text| s.repositories[0].directory.push_str(&text),
            |s, text| s.addon.name.push_str(&text),
            |s, text| s.addon.tasks[0].name.push_str(&text),
            |s, text| s.addon.tasks[0].params.push((text, String::new())),
            |s, text| s.addon.tasks[0].params[0].1.push_str(&text),
            |s, text| s.addon.tasks[0].mounts.push(Mount { volume: text, path: String::new() }),
        ];
        let message = "spec.sessions[1]: all its text is at most 40960 bytes".to_string();
        for (number, add) in places.into_iter().enumerate() {
            let fits = second(|s| add(s, "x".repeat(room)));
            assert_eq!(exceeded(&fits), None, "{number}");
            let beyond = second(|s| add(s, "x".repeat(room + 1)));
            assert_eq!(exceeded(&beyond), Some(message.clone()), "{number}");
        }
    }

    #[test]
    fn hooks_and_tasks_count_all_their_strings() {
        let hook = HookSpec { params: vec![("ab".into(), "cde".into())], ..given::hook("hook") };
        // Name, namespace and name of the template, parameters.
        assert_eq!(hooks_text([&hook, &hook].into_iter()), 2 * (4 + 4 + 4 + 5));
        let mounts = vec![Mount { volume: "v".into(), path: "/p".into() }];
        let task = TaskRef { name: "task".into(), params: hook.params, mounts };
        let addon = AddonRef {
            group: Group::KubeStashAddons,
            pod: crate::configuration::PodParts::default(),
            name: "addon".into(),
            tasks: vec![task.clone(), task],
        };
        assert_eq!(addon_text(&addon), 5 + 2 * (4 + 5 + 3));
    }
}
