package built

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"holdfast.dev/e2e/cluster/build"
	"holdfast.dev/e2e/cluster/image"
	"holdfast.dev/e2e/cluster/kubectl"
	"holdfast.dev/e2e/cluster/machine"
	"holdfast.dev/e2e/cluster/pki"
	"holdfast.dev/e2e/cluster/provider"
)

// bucket is there when the S3 server starts.
const bucket = "holdfast"

// Cluster is the cluster of one home.
type Cluster struct {
	provider.Frame
	layout layout
}

// New is the cluster of a frame.
func New(frame provider.Frame) provider.Provider {
	return &Cluster{Frame: frame, layout: layout{frame.Home}}
}

// Up starts it: see [provider.Provider].
func (c *Cluster) Up(ctx context.Context) (provider.Environment, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("a cluster with pods needs root: only --provider apiserver does without")
	}
	if err := c.Progress.Step("packages of the machine", func() error {
		return machine.Install(ctx, machine.Needed()...)
	}); err != nil {
		return nil, err
	}
	p, err := c.parts(ctx)
	if err != nil {
		return nil, err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context, parts) error
	}{
		{"network, keys and configuration", c.prepare},
		{"runtime, etcd and API server started", c.startFirst},
		{"disk for volumes", c.disk},
		{"images loaded", c.images},
		{"API server ready", c.apiReady},
		{"controllers, kubelet and servers started", c.startSecond},
		{"storage and snapshots set up", c.classes},
		{"node ready", c.nodeReady},
		{"nobody outside can reach it", c.checkSockets},
	} {
		if err := c.Progress.Step(step.name, func() error { return step.do(ctx, p) }); err != nil {
			return c.environment(p), err
		}
	}
	return c.environment(p), nil
}

func (c *Cluster) parts(ctx context.Context) (parts, error) {
	p := parts{layout: c.layout, env: c.Env(), key: "holdfast", secret: rand.Text()}
	for _, part := range []struct {
		unit   build.Unit
		folder *string
	}{
		{build.Pause, &p.programs.pause},
		{build.Kubernetes, &p.programs.kubernetes},
		{build.Storage, &p.programs.storage},
		{build.Names, &p.programs.names},
		{build.Objects, &p.programs.objects},
	} {
		var err error
		if *part.folder, err = c.Build(ctx, part.unit); err != nil {
			return p, err
		}
	}
	var err error
	p.plane = c.layout.plane(p.programs.kubernetes, p.env)
	p.runtime, err = exec.LookPath("containerd")
	return p, err
}

func (c *Cluster) kubectl(p parts) kubectl.Kubectl {
	return kubectl.Kubectl{
		Program: p.plane.Program("kubectl"), Kubeconfig: p.plane.Kubeconfig(pki.Admin), Cache: c.layout.kubectlCache(),
	}
}

// images packs what every cluster has, and loads it.
func (c *Cluster) images(ctx context.Context, p parts) error {
	busybox, err := image.Busybox(machine.Busybox)
	if err != nil {
		return err
	}
	server, err := image.Program(image.ServerReference, filepath.Join(p.programs.objects, objects))
	if err != nil {
		return err
	}
	return provider.Deliver(ctx, c, c.layout.Path("images"),
		image.Pause(filepath.Join(p.programs.pause, "pause")), busybox, server)
}

// Load gives the runtime an image: see [provider.Provider].
func (c *Cluster) Load(ctx context.Context, archive string) error {
	// The kubelet sees the images of this namespace and of no other.
	_, err := machine.Run(ctx, "ctr", "--address", c.layout.runtimeSocket(), "--namespace", "k8s.io", "images", "import", archive)
	return err
}

// Held is how many packets from pods the firewall has held back.
func (c *Cluster) Held(ctx context.Context) (int, error) { return bridge.Held(ctx) }

// checkSockets looks where all components listen.
func (c *Cluster) checkSockets(context.Context, parts) error {
	running, err := c.Table.Names()
	if err != nil {
		return err
	}
	var open []string
	for _, name := range running {
		found, err := c.Table.Find(name)
		if err != nil {
			return err
		}
		sockets, err := machine.Sockets(found.Pid)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, socket := range machine.Reachable(sockets, netip.MustParseAddr(nodeIP)) {
			open = append(open, name+" at "+socket.String())
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("others than this machine can reach %s", strings.Join(open, ", "))
	}
	return nil
}

func (c *Cluster) environment(p parts) provider.Environment {
	return provider.Environment{
		provider.Kubeconfig: p.plane.Kubeconfig(pki.Admin),
		provider.Kubectl:    p.plane.Program("kubectl"),
		provider.Images:     image.List(image.BusyboxReference, image.ServerReference),
		provider.Node:       nodeIP,
		provider.S3Endpoint: fmt.Sprintf("http://%s:%d", nodeIP, portObjects),
		provider.S3Bucket:   bucket,
		provider.S3Key:      p.key,
		provider.S3Secret:   p.secret,
		provider.Storage:    storageClass,
		provider.Snapshots:  snapshotClass,
	}
}
