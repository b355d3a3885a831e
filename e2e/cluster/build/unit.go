// Package build makes the programs of a cluster, once for each state of their sources.
package build

import "fmt"

// Unit is what is built together, from one folder, into one folder of the cache.
type Unit struct {
	// Name of the unit, and of its folder below the sources.
	Name string
	// Programs in the order in which they are built.
	Programs []Program
	// Links are more names of the first program.
	Links []string
	// Files are taken out of a module that the unit depends on.
	Files []File
}

// Program is one call of the compiler.
type Program struct {
	// Package to build, as go build takes it; `tool` is all tools of the module.
	Package string
	// Output is the file's name; empty where the packages name their programs.
	Output string
	// Set are variables of the program, by their full name.
	Set []string
}

// File is one file of a module.
type File struct{ Module, Path string }

// Kubernetes' release. Its modules in the go.mod files are of the same one.
const release = "v1.34.4"

// Kubernetes is all programs of Kubernetes, and etcd.
var Kubernetes = Unit{
	Name:     "kubernetes",
	Programs: []Program{{Package: ".", Output: "kubernetes", Set: releaseVariables()}},
	Links: []string{
		"cri-clean", "etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler",
		"kubectl", "kubelet",
	},
}

// Pause holds a pod's namespaces.
var Pause = Unit{Name: "pause", Programs: []Program{{Package: ".", Output: "pause"}}}

// Storage is the CSI driver and the programs that stand between it and the API server.
var Storage = Unit{
	Name: "csi",
	Programs: []Program{
		{Package: "tool", Set: []string{"main.version=" + release}},
		{Package: ".", Output: "csi-driver"},
	},
	Files: snapshotResources(),
}

// Names is the name server.
var Names = Unit{Name: "dns", Programs: []Program{{Package: ".", Output: "coredns"}}}

// Objects is the S3 server.
var Objects = Unit{Name: "s3", Programs: []Program{{Package: "tool"}}}

// SnapshotResources are the definitions of snapshots, beside the programs of [Storage].
var SnapshotResources = []string{
	"snapshot.storage.k8s.io_volumesnapshotclasses.yaml",
	"snapshot.storage.k8s.io_volumesnapshotcontents.yaml",
	"snapshot.storage.k8s.io_volumesnapshots.yaml",
}

func snapshotResources() []File {
	files := make([]File, 0, len(SnapshotResources))
	for _, name := range SnapshotResources {
		files = append(files, File{
			Module: "github.com/kubernetes-csi/external-snapshotter/client/v8", Path: "config/crd/" + name,
		})
	}
	return files
}

// releaseVariables are what upstream's own build sets. Without them every program, and the API that the
// clients ask, reports version 0.0.0. Nothing in them changes from one build to the next.
func releaseVariables() []string {
	var set []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, value := range []string{
			"gitVersion=" + release, "gitMajor=1", "gitMinor=34", "gitTreeState=clean",
			fmt.Sprintf("gitCommit=%040d", 0), "buildDate=1970-01-01T00:00:00Z",
		} {
			set = append(set, pkg+"."+value)
		}
	}
	return set
}
