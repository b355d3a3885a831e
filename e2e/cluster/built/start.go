package built

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"holdfast.dev/e2e/cluster/build"
	"holdfast.dev/e2e/cluster/machine"
	"holdfast.dev/e2e/cluster/process"
	"holdfast.dev/e2e/cluster/wait"
)

// How long a part may take that takes a second or a few: a machine that builds something else meanwhile
// is ten times slower.
const patience = 2 * time.Minute

// prepare takes what is needed of the machine. What it changes, and how it was, is written down before.
func (c *Cluster) prepare(ctx context.Context, p parts) error {
	other, err := c.otherHome()
	if err != nil {
		return err
	}
	if other != "" {
		return fmt.Errorf("this machine has a cluster in %s: end it first, by `down --state %s`", other, other)
	}
	// A bridge whose home is gone is nobody's.
	if err := bridge.Down(ctx); err != nil {
		return err
	}
	if err := machine.CheckFree(ctx, netip.MustParsePrefix(podRange), netip.MustParsePrefix(serviceRange)); err != nil {
		return err
	}
	if err := c.checkPorts(); err != nil {
		return err
	}
	if groups, err := machine.PodGroups(); err != nil || len(groups) > 0 {
		return fmt.Errorf("this machine has a kubelet already: %v (%w)", groups, err)
	}
	if err := c.layout.Make(c.layout.folders()...); err != nil {
		return err
	}
	if err := c.writeDown(); err != nil {
		return err
	}
	if err := bridge.Up(ctx, c.Home.Path()); err != nil {
		return err
	}
	if err := machine.Kernel.Route(); err != nil {
		return err
	}
	if err := p.plane.WriteKeys(time.Now()); err != nil {
		return err
	}
	if err := c.layout.configure(); err != nil {
		return err
	}
	return machine.BindShared(c.layout.kubeletRoot())
}

// writeDown writes down how the machine is, for when it is given back.
func (c *Cluster) writeDown() error {
	absent, err := machine.AbsentPlaces()
	if err != nil {
		return err
	}
	settings, err := machine.Kernel.Save()
	if err != nil {
		return err
	}
	return errors.Join(c.Home.Put(placesFile, absent), c.Home.Put(settingsFile, settings))
}

// checkPorts says who would be in the way, before it is a line in a log.
func (c *Cluster) checkPorts() error {
	var taken []error
	for _, port := range []int{portEtcd, portPeer, portNamesReady, 10248, 10249, 10256, 10257, 10259} {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			taken = append(taken, fmt.Errorf("a port that the cluster needs is taken: %w", err))
			continue
		}
		taken = append(taken, listener.Close())
	}
	return errors.Join(taken...)
}

func (c *Cluster) start(specs ...process.Spec) error {
	for _, spec := range specs {
		if err := c.Table.Start(spec); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) startFirst(_ context.Context, p parts) error {
	return c.start(p.containerd(), p.plane.Etcd(), p.plane.APIServer())
}

// disk is made while the API server starts, and so are the images.
func (c *Cluster) disk(ctx context.Context, _ parts) error {
	if err := machine.MountDisk(ctx, c.layout.disk(), c.layout.volumes(), diskBytes); err != nil {
		return err
	}
	return c.runtimeReady(ctx)
}

func (c *Cluster) runtimeReady(ctx context.Context) error {
	return wait.Until(ctx, "containerd does not answer", patience, func(ctx context.Context) error {
		if alive, err := c.Table.Alive(containerd); err != nil || !alive {
			return fmt.Errorf("it has ended (%v), containerd.log says why: %w", err, wait.ErrNever)
		}
		_, err := machine.Run(ctx, "ctr", "--address", c.layout.runtimeSocket(), "--connect-timeout=1s", "version")
		return err
	})
}

func (c *Cluster) apiReady(ctx context.Context, p parts) error {
	client, err := p.plane.Client()
	if err != nil {
		return err
	}
	return client.Ready(ctx, c.Table, patience)
}

func (c *Cluster) startSecond(_ context.Context, p parts) error {
	return c.start(
		p.plane.ControllerManager(c.layout.kubeletPlugins()), p.plane.Scheduler(),
		p.kubelet(), p.proxy(), p.names(), p.storage(), p.objects(),
	)
}

// classes makes the cluster know snapshots and the classes, and starts who serves them. They look for
// their resources once, when they start.
func (c *Cluster) classes(ctx context.Context, p parts) error {
	k := c.kubectl(p)
	apply := []string{"apply"}
	for _, name := range build.SnapshotResources {
		apply = append(apply, "--filename="+filepath.Join(p.programs.storage, name))
	}
	if _, err := k.Run(ctx, apply...); err != nil {
		return err
	}
	client, err := p.plane.Client()
	if err != nil {
		return err
	}
	if err := wait.Until(ctx, "snapshots are not known", patience, func(ctx context.Context) error {
		for _, plural := range []string{"volumesnapshots", "volumesnapshotcontents", "volumesnapshotclasses"} {
			path := "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + plural + ".snapshot.storage.k8s.io"
			if err := client.True(ctx, path, "Established"); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := k.Apply(ctx, classes()...); err != nil {
		return err
	}
	return c.start(p.sidecars()...)
}

// nodeReady waits for what pods need: a node, the account that they run as, and the servers that they
// ask.
func (c *Cluster) nodeReady(ctx context.Context, p parts) error {
	client, err := p.plane.Client()
	if err != nil {
		return err
	}
	return wait.Until(ctx, "the node is not ready", patience, func(ctx context.Context) error {
		var account struct{}
		if err := client.Get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", &account); err != nil {
			return err
		}
		if err := client.True(ctx, "/api/v1/nodes/"+node, "Ready"); err != nil {
			return err
		}
		return c.answering(ctx, fmt.Sprintf("127.0.0.1:%d", portNamesReady), fmt.Sprintf("%s:%d", nodeIP, portObjects))
	})
}

// answering says which server does not take connections, and whether it still runs.
func (c *Cluster) answering(ctx context.Context, addresses ...string) error {
	for _, name := range []string{kubelet, proxy, names, storage, objects, provisioner, snapshotter, snapshotController} {
		if alive, err := c.Table.Alive(name); err != nil || !alive {
			return fmt.Errorf("%s has ended (%v), %s.log says why: %w", name, err, name, wait.ErrNever)
		}
	}
	for _, address := range addresses {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		if err := connection.Close(); err != nil {
			return err
		}
	}
	return nil
}
