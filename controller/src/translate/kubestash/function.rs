//! Function.

use holdfast_api::addons::Function;
use holdfast_engine::dependency::Facts;

/// Functions whose work our own worker does, whatever image they name.
const OURS: [&str; 4] = ["workload-backup", "workload-restore", "pvc-backup", "pvc-restore"];

/// The facts of a Function: it can be run when the catalog has it, or when it names our own command.
#[must_use]
pub fn facts(name: &str, object: &Function) -> Facts {
    let ours = OURS.contains(&name) && object.spec.command.is_empty();
    let named = object.spec.command.first().is_some_and(|command| command == "holdfast");
    Facts::Function { supported: ours || named }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_command_is_not_ours_to_run() {
        let plain = Function::default();
        let mut foreign = Function::default();
        foreign.spec.command = vec!["pg_dump".into()];
        assert_eq!(facts("workload-backup", &plain), Facts::Function { supported: true });
        assert_eq!(facts("workload-backup", &foreign), Facts::Function { supported: false });
        assert_eq!(facts("kubedump-backup", &plain), Facts::Function { supported: false });
    }
}
