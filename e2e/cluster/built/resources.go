package built

import "holdfast.dev/e2e/cluster/kubectl"

// classes are the objects by which the cluster makes volumes and snapshots without being told how. A
// volume is made when its first pod is placed, as on a cluster with several nodes.
func classes() []kubectl.Object {
	return []kubectl.Object{
		{
			"apiVersion": "storage.k8s.io/v1",
			"kind":       "CSIDriver",
			"metadata":   object{"name": driver},
			"spec": object{
				"attachRequired": false, "podInfoOnMount": false, "fsGroupPolicy": "File",
				"volumeLifecycleModes": []string{"Persistent"},
			},
		},
		{
			"apiVersion": "storage.k8s.io/v1",
			"kind":       "StorageClass",
			"metadata": object{
				"name":        storageClass,
				"annotations": object{"storageclass.kubernetes.io/is-default-class": "true"},
			},
			"provisioner":       driver,
			"volumeBindingMode": "WaitForFirstConsumer",
			"reclaimPolicy":     "Delete",
		},
		{
			"apiVersion": "snapshot.storage.k8s.io/v1",
			"kind":       "VolumeSnapshotClass",
			"metadata": object{
				"name":        snapshotClass,
				"annotations": object{"snapshot.storage.kubernetes.io/is-default-class": "true"},
			},
			"driver":         driver,
			"deletionPolicy": "Delete",
		},
	}
}
