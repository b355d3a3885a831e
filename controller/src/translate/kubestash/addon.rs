//! Addon.

use holdfast_api::addons::{Addon, Task as ApiTask};
use holdfast_api::driver::Driver as ApiDriver;
use holdfast_engine::dependency::{Driver, Facts, Task};

use super::task;

/// The facts of an Addon.
#[must_use]
pub fn facts(object: &Addon) -> Facts {
    let backups = object.spec.backup_tasks.iter().map(|task| self::task(task, false));
    let restores = object.spec.restore_tasks.iter().map(|task| self::task(task, true));
    Facts::Addon { tasks: backups.chain(restores).collect() }
}

fn task(task: &ApiTask, restore: bool) -> Task {
    Task {
        name: task.name.clone().unwrap_or_default(),
        restore,
        function: task.function.clone().unwrap_or_default(),
        driver: match task.driver {
            Some(ApiDriver::Restic) => Driver::Restic,
            Some(ApiDriver::VolumeSnapshotter) => Driver::VolumeSnapshotter,
            _ => Driver::Foreign,
        },
        singleton: task.singleton.unwrap_or(false),
        parameters: task.parameters.iter().map(task::parameter).collect(),
    }
}
