//! Volumes: every source that pods know, and a claim to be made from a template.

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::core::v1::{
    AWSElasticBlockStoreVolumeSource, AzureDiskVolumeSource, AzureFileVolumeSource,
    CSIVolumeSource, CephFSVolumeSource, CinderVolumeSource, ConfigMapVolumeSource,
    DownwardAPIVolumeSource, EmptyDirVolumeSource, EphemeralVolumeSource, FCVolumeSource,
    FlexVolumeSource, FlockerVolumeSource, GCEPersistentDiskVolumeSource, GlusterfsVolumeSource,
    HostPathVolumeSource, ISCSIVolumeSource, NFSVolumeSource, PersistentVolumeClaimTemplate,
    PersistentVolumeClaimVolumeSource, PhotonPersistentDiskVolumeSource, PortworxVolumeSource,
    ProjectedVolumeSource, QuobyteVolumeSource, RBDVolumeSource, ScaleIOVolumeSource,
    SecretVolumeSource, StorageOSVolumeSource, VsphereVirtualDiskVolumeSource,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A volume of a pod.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Name by which it is mounted.
    pub name: String,
    /// Its source.
    #[serde(flatten)]
    pub source: PodVolumeSource,
}

/// A volume source of an Addon, or what replaces it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSource {
    /// A source that pods know.
    #[serde(flatten)]
    pub source: PodVolumeSource,
    /// A claim to create; pods know no such source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_claim_template: Option<PersistentVolumeClaimTemplate>,
}

/// The sources that pods know: one of the members is set.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodVolumeSource {
    /// A disk of AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_elastic_block_store: Option<AWSElasticBlockStoreVolumeSource>,
    /// A disk of Azure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azure_disk: Option<AzureDiskVolumeSource>,
    /// A file share of Azure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azure_file: Option<AzureFileVolumeSource>,
    /// A CephFS mount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cephfs: Option<CephFSVolumeSource>,
    /// A Cinder volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cinder: Option<CinderVolumeSource>,
    /// The entries of a ConfigMap as files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapVolumeSource>,
    /// A volume of a CSI driver, made for the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csi: Option<CSIVolumeSource>,
    /// Fields of the pod as files.
    #[serde(rename = "downwardAPI", skip_serializing_if = "Option::is_none")]
    pub downward_api: Option<DownwardAPIVolumeSource>,
    /// A directory that lives as long as the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_dir: Option<EmptyDirVolumeSource>,
    /// A claim that lives as long as the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<EphemeralVolumeSource>,
    /// A Fibre Channel volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fc: Option<FCVolumeSource>,
    /// A volume of a FlexVolume driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flex_volume: Option<FlexVolumeSource>,
    /// A Flocker volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flocker: Option<FlockerVolumeSource>,
    /// A disk of Google Cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gce_persistent_disk: Option<GCEPersistentDiskVolumeSource>,
    /// A Glusterfs mount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub glusterfs: Option<GlusterfsVolumeSource>,
    /// A path of the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_path: Option<HostPathVolumeSource>,
    /// An iSCSI volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iscsi: Option<ISCSIVolumeSource>,
    /// An NFS mount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nfs: Option<NFSVolumeSource>,
    /// A claim in the namespace of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<PersistentVolumeClaimVolumeSource>,
    /// A disk of Photon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photon_persistent_disk: Option<PhotonPersistentDiskVolumeSource>,
    /// A Portworx volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub portworx_volume: Option<PortworxVolumeSource>,
    /// Several sources in one directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projected: Option<ProjectedVolumeSource>,
    /// A Quobyte mount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quobyte: Option<QuobyteVolumeSource>,
    /// A RADOS block device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rbd: Option<RBDVolumeSource>,
    /// A ScaleIO volume.
    #[serde(rename = "scaleIO", skip_serializing_if = "Option::is_none")]
    pub scale_io: Option<ScaleIOVolumeSource>,
    /// The entries of a Secret as files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretVolumeSource>,
    /// A StorageOS volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storageos: Option<StorageOSVolumeSource>,
    /// A disk of vSphere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vsphere_volume: Option<VsphereVirtualDiskVolumeSource>,
}

impl From<Volume> for corev1::Volume {
    fn from(volume: Volume) -> Self {
        let Volume { name, source } = volume;
        Self {
            name,
            aws_elastic_block_store: source.aws_elastic_block_store,
            azure_disk: source.azure_disk,
            azure_file: source.azure_file,
            cephfs: source.cephfs,
            cinder: source.cinder,
            config_map: source.config_map,
            csi: source.csi,
            downward_api: source.downward_api,
            empty_dir: source.empty_dir,
            ephemeral: source.ephemeral,
            fc: source.fc,
            flex_volume: source.flex_volume,
            flocker: source.flocker,
            gce_persistent_disk: source.gce_persistent_disk,
            glusterfs: source.glusterfs,
            host_path: source.host_path,
            iscsi: source.iscsi,
            nfs: source.nfs,
            persistent_volume_claim: source.persistent_volume_claim,
            photon_persistent_disk: source.photon_persistent_disk,
            portworx_volume: source.portworx_volume,
            projected: source.projected,
            quobyte: source.quobyte,
            rbd: source.rbd,
            scale_io: source.scale_io,
            secret: source.secret,
            storageos: source.storageos,
            vsphere_volume: source.vsphere_volume,
            // The schema has neither of them.
            git_repo: None,
            image: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_source_reaches_the_pod() {
        let schema = crate::schema::of(crate::Kind::HookTemplate);
        let function =
            &schema["properties"]["spec"]["properties"]["executor"]["properties"]["function"];
        let volume = &function["properties"]["volumes"]["items"]["properties"];
        let sources: Vec<&String> =
            volume.as_object().unwrap().keys().filter(|name| *name != "name").collect();
        assert_eq!(sources.len(), 28);
        for source in sources {
            let json = json!({ "name": "v", source.as_str(): {} });
            let direct: corev1::Volume = serde_json::from_value(json.clone()).unwrap();
            let ours: Volume = serde_json::from_value(json).unwrap();
            let through = corev1::Volume::from(ours);
            assert_eq!(through, direct, "{source}");
            let written: Value = serde_json::to_value(through).unwrap();
            assert!(written[source.as_str()].is_object(), "{source} is lost");
        }
    }
}
