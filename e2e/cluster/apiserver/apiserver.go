// Package apiserver is etcd and an API server and nothing else: no pod ever runs. It is up in seconds,
// needs no root, and there may be several at once.
package apiserver

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"holdfast.dev/e2e/cluster/build"
	"holdfast.dev/e2e/cluster/controlplane"
	"holdfast.dev/e2e/cluster/pki"
	"holdfast.dev/e2e/cluster/provider"
	"holdfast.dev/e2e/cluster/wait"
)

// How long it may take to serve. It takes some seconds, on a machine that does nothing else.
const patience = 2 * time.Minute

// How long each of the two may take to end before it is killed.
const grace = 3 * time.Second

// Cluster is the one of a home.
type Cluster struct{ provider.Frame }

// New is the cluster of a frame.
func New(frame provider.Frame) provider.Provider { return &Cluster{frame} }

// How often other ports are tried when one that was free has been taken before it was used.
const attempts = 3

// Up starts it: see [provider.Provider].
func (c *Cluster) Up(ctx context.Context) (provider.Environment, error) {
	programs, err := c.Build(ctx, build.Kubernetes)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		plane, err := c.plane(programs)
		if err != nil {
			return nil, err
		}
		err = c.Progress.Step("API server ready", func() error { return c.start(ctx, plane) })
		if err == nil || attempt == attempts || !errors.Is(err, wait.ErrNever) {
			return provider.Environment{
				provider.Kubeconfig: plane.Kubeconfig(pki.Admin),
				provider.Kubectl:    plane.Program("kubectl"),
			}, err
		}
		// A component has ended by itself. Nothing of this attempt is of use to the next.
		if err := errors.Join(c.Down(ctx), os.RemoveAll(plane.Data), os.RemoveAll(plane.Keys)); err != nil {
			return nil, err
		}
	}
}

func (c *Cluster) start(ctx context.Context, plane controlplane.Plane) error {
	if err := c.Home.Make("home", "scratch"); err != nil {
		return err
	}
	if err := plane.WriteKeys(time.Now()); err != nil {
		return err
	}
	if err := c.Table.Start(plane.Etcd()); err != nil {
		return err
	}
	if err := c.Table.Start(plane.APIServer()); err != nil {
		return err
	}
	client, err := plane.Client()
	if err != nil {
		return err
	}
	return client.Ready(ctx, c.Table, patience)
}

func (c *Cluster) plane(programs string) (controlplane.Plane, error) {
	ports, err := freePorts(3)
	if err != nil {
		return controlplane.Plane{}, err
	}
	return controlplane.Plane{
		Programs: programs, Keys: c.Home.Path("pki"), Data: c.Home.Path("etcd"), Scratch: c.Home.Path("scratch"),
		Address: "127.0.0.1", Port: ports[0], EtcdPort: ports[1], PeerPort: ports[2],
		ServiceRange: "10.96.0.0/16", ServiceIP: "10.96.0.1", Node: "none", NodeIP: "127.0.0.1", Env: c.Env(),
		Flags: []string{
			// An address of the loopback cannot be the end of a service.
			"--endpoint-reconciler-type=none",
			// Nobody makes the accounts without which pods would be refused.
			"--disable-admission-plugins=ServiceAccount",
		},
	}, nil
}

// freePorts are ports that nobody has at this moment. They are all held until the last is found, so that
// no two are the same.
func freePorts(count int) ([]int, error) {
	var ports []int
	var held []net.Listener
	var failed error
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			failed = err
			break
		}
		held = append(held, listener)
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	for _, listener := range held {
		failed = errors.Join(failed, listener.Close())
	}
	return ports, failed
}

// Down ends it: see [provider.Provider].
func (c *Cluster) Down(context.Context) error {
	return c.Progress.Step("components ended", func() error {
		_, err := c.Table.Stop(grace, controlplane.APIServer)
		_, errEtcd := c.Table.Stop(grace, controlplane.Etcd)
		return errors.Join(err, errEtcd)
	})
}

// Load refuses: see [provider.Provider].
func (c *Cluster) Load(context.Context, string) error {
	return errors.New("--provider apiserver runs no pods, and so takes no images")
}
