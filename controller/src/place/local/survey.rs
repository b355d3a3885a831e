//! Pods and volumes of a session's target.

use holdfast_engine::{Failure, TypedRef};

use super::machine::Local;
use super::volumes::Volumes;
use crate::place::{Answer, Trouble};

/// Answers from the declared objects.
pub(super) async fn survey(local: &Local, target: Option<TypedRef>) -> Result<Answer, Trouble> {
    let Some(target) = target else {
        let failure = Failure {
            reason: "UnsupportedTarget".into(),
            message: "manifests of a cluster cannot be read without one; name a workload or a claim as target".into(),
            permanent: true,
        };
        return Err(failure.into());
    };
    let (catalog, root) = (local.catalog.get(), local.volumes.clone());
    super::machine::blocking(move || {
        let volumes = Volumes { catalog: &catalog, root: &root };
        let hosts = volumes.hosts(&target)?;
        volumes.provide(&target, &hosts)?;
        Ok(Answer::Hosts(hosts))
    })
    .await
}
