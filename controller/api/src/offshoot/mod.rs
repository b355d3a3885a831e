//! Settings of pods, in the form that KubeStash shares with other operators.

mod pod_template;
mod runtime_settings;
mod volume;

pub use pod_template::{PartialMetadata, PodSpec, PodTemplateSpec};
pub use runtime_settings::{
    ContainerRuntimeSettings, IoNiceSettings, NiceSettings, PodRuntimeSettings, RuntimeSettings,
};
pub use volume::{PodVolumeSource, Volume, VolumeSource};
