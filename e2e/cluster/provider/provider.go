// Package provider says what a way to get a cluster has to do.
package provider

import (
	"context"
	"path"
	"path/filepath"

	"holdfast.dev/e2e/cluster/build"
	"holdfast.dev/e2e/cluster/home"
	"holdfast.dev/e2e/cluster/image"
	"holdfast.dev/e2e/cluster/process"
)

// Provider makes one cluster in one home.
type Provider interface {
	// Up starts a cluster in a home in which there is none, and answers with what scenarios are told. With
	// an error it answers as far as it came, so that whoever looks for the reason can ask the cluster.
	Up(context.Context) (Environment, error)
	// Down ends the cluster and gives back all that it took, however far Up came and whatever was killed
	// since. The home itself is left to the caller.
	Down(context.Context) error
	// Load gives the cluster an image, from a file in the OCI layout.
	Load(ctx context.Context, archive string) error
}

// Deliver packs images into files of a folder, and loads them.
func Deliver(ctx context.Context, to Provider, folder string, images ...image.Image) error {
	for _, packed := range images {
		archive := filepath.Join(folder, path.Base(packed.Reference)+".tar")
		if err := packed.Write(archive); err != nil {
			return err
		}
		if err := to.Load(ctx, archive); err != nil {
			return err
		}
	}
	return nil
}

// Environment are the variables of a scenario. Those that a provider has nothing for are absent, and the
// scenarios that need them say so.
type Environment = map[string]string

// Names of the variables.
const (
	// Kubeconfig is the file of a client that may do everything.
	Kubeconfig = "KUBECONFIG"
	// Kubectl is the program of this name that fits the cluster.
	Kubectl = "HOLDFAST_E2E_KUBECTL"
	// State is the home of the cluster.
	State = "HOLDFAST_E2E_STATE"
	// Cluster is the program that kills and restarts components: `$HOLDFAST_E2E_CLUSTER kill kubelet`.
	Cluster = "HOLDFAST_E2E_CLUSTER"
	// Images are the references of the images that the cluster has, as `NAME=REFERENCE` with blanks between
	// them. No registry has them.
	Images = "HOLDFAST_E2E_REGISTRYLESS"
	// Node is an address of the machine that pods reach: what a test listens on.
	Node = "HOLDFAST_E2E_NODE_ADDRESS"
	// The S3 server, as the node and its pods reach it: its URL, a bucket, and who may use it.
	S3Endpoint = "HOLDFAST_E2E_S3_ENDPOINT"
	S3Bucket   = "HOLDFAST_E2E_S3_BUCKET"
	S3Key      = "HOLDFAST_E2E_S3_ACCESS_KEY"
	S3Secret   = "HOLDFAST_E2E_S3_SECRET_KEY"
	// Storage and Snapshots are the names of the classes that make volumes and snapshots.
	Storage   = "HOLDFAST_E2E_STORAGE_CLASS"
	Snapshots = "HOLDFAST_E2E_SNAPSHOT_CLASS"
)

// Frame is what every provider works with.
type Frame struct {
	Home     *home.Home
	Table    process.Table
	Builder  build.Builder
	Progress *Progress
}

// Build is the folder of a unit's programs, built where they are not.
func (f Frame) Build(ctx context.Context, unit build.Unit) (string, error) {
	var folder string
	err := f.Progress.Step("programs of "+unit.Name, func() error {
		var err error
		folder, _, err = f.Builder.Folder(ctx, unit)
		return err
	})
	return folder, err
}

// Env is the environment of every component: nothing of who started the cluster gets into it.
func (f Frame) Env(more ...string) []string {
	return append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + f.Home.Path("home"),
	}, more...)
}
