// Package kind is a cluster that kind makes in containers, where there is Docker and an image of a node:
// other releases of Kubernetes than the one that is built here, and a network that knows policies.
//
// It has no snapshots and no single components to kill, and the S3 servers are those that scenarios start:
// scenarios that need more say so.
package kind

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"holdfast.dev/e2e/cluster/build"
	"holdfast.dev/e2e/cluster/image"
	"holdfast.dev/e2e/cluster/machine"
	"holdfast.dev/e2e/cluster/provider"
)

// NodeImage is the image of the node, as kind's own variable of the same meaning would be: empty takes
// the one that kind was built with.
const NodeImage = "HOLDFAST_E2E_NODE_IMAGE"

// Cluster is the one of a home.
type Cluster struct {
	provider.Frame
	nodeImage string
}

// New is the cluster of a frame, with the image that was asked for.
func New(nodeImage string) func(provider.Frame) provider.Provider {
	return func(frame provider.Frame) provider.Provider { return &Cluster{frame, nodeImage} }
}

// name is one that two homes do not share.
func (c *Cluster) name() string { return "holdfast-" + filepath.Base(c.Home.Path()) }

func (c *Cluster) kubeconfig() string { return c.Home.Path("kubeconfig") }

// Up starts it: see [provider.Provider].
func (c *Cluster) Up(ctx context.Context) (provider.Environment, error) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		return nil, fmt.Errorf("--provider kind calls kubectl: %w", err)
	}
	if _, err := exec.LookPath("kind"); err != nil {
		return nil, fmt.Errorf("--provider kind calls kind: %w", err)
	}
	if err := c.Progress.Step("kind's cluster", func() error { return c.create(ctx) }); err != nil {
		return nil, err
	}
	return provider.Environment{
		provider.Kubeconfig: c.kubeconfig(), provider.Kubectl: kubectl, provider.Storage: "standard",
		provider.Images: image.List(image.BusyboxReference, image.ServerReference),
	}, c.Progress.Step("images loaded", func() error { return c.images(ctx) })
}

func (c *Cluster) create(ctx context.Context) error {
	args := []string{"create", "cluster", "--name=" + c.name(), "--kubeconfig=" + c.kubeconfig(), "--wait=180s"}
	if c.nodeImage != "" {
		args = append(args, "--image="+c.nodeImage)
	}
	_, err := machine.Run(ctx, "kind", args...)
	return err
}

// images packs what every cluster has, and loads it.
func (c *Cluster) images(ctx context.Context) error {
	if err := machine.Install(ctx, machine.Busybox); err != nil {
		return err
	}
	busybox, err := image.Busybox(machine.Busybox)
	if err != nil {
		return err
	}
	objects, err := c.Build(ctx, build.Objects)
	if err != nil {
		return err
	}
	server, err := image.Program(image.ServerReference, filepath.Join(objects, "versitygw"))
	if err != nil {
		return err
	}
	return provider.Deliver(ctx, c, c.Home.Path(), busybox, server)
}

// Down ends it: see [provider.Provider]. One that is not there is deleted; without kind there is none.
func (c *Cluster) Down(ctx context.Context) error {
	if _, err := exec.LookPath("kind"); errors.Is(err, exec.ErrNotFound) {
		return nil
	}
	return c.Progress.Step("kind's cluster deleted", func() error {
		_, err := machine.Run(ctx, "kind", "delete", "cluster", "--name="+c.name(), "--kubeconfig="+c.kubeconfig())
		return err
	})
}

// Load gives the node an image: see [provider.Provider].
func (c *Cluster) Load(ctx context.Context, archive string) error {
	_, err := machine.Run(ctx, "kind", "load", "image-archive", "--name="+c.name(), archive)
	return err
}
