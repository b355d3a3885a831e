package built

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast.dev/e2e/cluster/controlplane"
	"holdfast.dev/e2e/cluster/machine"
	"holdfast.dev/e2e/cluster/process"
)

// How long a component may take to end before it is killed. The API server would wait for its clients for
// a minute, and loses nothing when it is killed.
const grace = 3 * time.Second

// How long the runtime may take to come back for cleaning up. Without it we clean up ourselves.
const runtimeBack = 20 * time.Second

// Down ends the cluster: see [provider.Provider]. A step that fails does not keep the next ones from
// being taken; the folder stays, so that it can be tried again.
func (c *Cluster) Down(ctx context.Context) error {
	ours, err := c.hasMachine()
	if err != nil {
		return err
	}
	type step struct {
		name string
		do   func(context.Context) error
	}
	steps := []step{
		// First the one that would start again what the others lose.
		{"kubelet ended", c.stop(kubelet)},
		{"components ended", c.stop(names, provisioner, snapshotter, snapshotController, proxy,
			controlplane.Scheduler, controlplane.ControllerManager, controlplane.APIServer)},
		{"etcd ended", c.stop(controlplane.Etcd)},
		{"pods removed", c.removePods},
		{"servers ended", c.stopRest},
	}
	if ours {
		steps = append(steps, step{"groups of pods removed", func(context.Context) error { return machine.RemovePodGroups() }})
	}
	steps = append(steps, step{"mounts and disks given back", c.unmount})
	if ours {
		steps = append(steps, step{"network and settings given back", c.giveBack})
	}
	var failed []error
	for _, s := range steps {
		failed = append(failed, c.Progress.Step(s.name, func() error { return s.do(ctx) }))
	}
	return errors.Join(failed...)
}

// hasMachine says whether it is this home that has what a machine has only once: the bridge, the groups of
// pods, the settings. A start that was refused because another home has them must not end that one.
func (c *Cluster) hasMachine() (bool, error) {
	other, err := c.otherHome()
	if err != nil || other != "" {
		return false, err
	}
	_, err = os.Stat(c.layout.settings())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// otherHome is the home of the cluster that this machine has, if that is another one than this. One whose
// home is gone was ended by nobody, and has none.
func (c *Cluster) otherHome() (string, error) {
	owner, err := bridge.Owner()
	if err != nil || owner == c.Home.Path() {
		return "", err
	}
	if _, err := os.Stat(owner); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return owner, nil
}

func (c *Cluster) stop(names ...string) func(context.Context) error {
	return func(context.Context) error {
		_, err := c.Table.Stop(grace, names...)
		return err
	}
}

// removePods has the runtime remove all pods, and then ends what is left of them.
func (c *Cluster) removePods(ctx context.Context) error {
	pods, err := podsOf(c.layout.runtimeState())
	if err != nil {
		return err
	}
	var failed []error
	if len(pods) > 0 {
		// Where it fails, what it would have done is done below.
		if err := c.runtimeRemovesPods(ctx); err != nil {
			c.Progress.Say("the runtime did not remove its pods, they are ended without it: %v", err)
		}
	}
	_, err = c.Table.Stop(grace, containerd)
	failed = append(failed, err, endShims(c.layout.runtimeSocket()))
	for _, p := range pods {
		failed = append(failed, p.removeTraces())
	}
	return errors.Join(failed...)
}

func (c *Cluster) runtimeRemovesPods(ctx context.Context) error {
	spec, err := c.Table.Spec(kubelet)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, runtimeBack)
	defer cancel()
	if alive, err := c.Table.Alive(containerd); err != nil || !alive {
		if err := c.Table.Restart(containerd, grace); err != nil {
			return err
		}
	}
	if err := c.runtimeReady(ctx); err != nil {
		return err
	}
	clean := filepath.Join(filepath.Dir(spec.Args[0]), "cri-clean")
	_, err = machine.Run(ctx, clean, "unix://"+c.layout.runtimeSocket())
	return err
}

// stopRest ends whatever is recorded and still runs.
func (c *Cluster) stopRest(context.Context) error {
	names, err := c.Table.Names()
	if err != nil {
		return err
	}
	_, err = c.Table.Stop(grace, names...)
	return err
}

func (c *Cluster) unmount(ctx context.Context) error {
	return errors.Join(
		machine.Unmount(c.Home.Path()),
		machine.DetachDisk(ctx, c.layout.disk()),
		removeLinks("/var/log/containers", c.Home.Path()),
	)
}

// giveBack gives back what was taken of the machine, as it was written down before.
func (c *Cluster) giveBack(ctx context.Context) error {
	failed := []error{machine.DeleteTables(ctx, "ip kube-proxy", "ip6 kube-proxy"), bridge.Down(ctx)}
	for file, restore := range map[string]func([]byte) error{
		c.layout.settings(): machine.Kernel.Restore, c.layout.places(): machine.RemovePlaces,
	} {
		saved, err := os.ReadFile(file)
		if err == nil {
			err = restore(saved)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// pod is one that the runtime has, with the socket of the process that stands between the two.
type pod struct{ id, socket string }

// podsOf reads them from the runtime's own notes: it may not be there to be asked.
func podsOf(state string) ([]pod, error) {
	found, err := filepath.Glob(filepath.Join(state, "io.containerd.runtime.v2.task", "k8s.io", "*", "address"))
	if err != nil {
		return nil, err
	}
	var pods []pod
	for _, file := range found {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		socket, _ := strings.CutPrefix(strings.TrimSpace(string(text)), "unix://")
		pods = append(pods, pod{id: filepath.Base(filepath.Dir(file)), socket: socket})
	}
	return pods, nil
}

// removeTraces removes what a pod leaves at places that cannot be moved, when the runtime did not end it:
// the socket, and the notes of the network's plugins.
func (p pod) removeTraces() error {
	traces, err := filepath.Glob("/var/lib/cni/results/*-" + p.id + "-*")
	failed := []error{err}
	for _, trace := range append(traces, p.socket) {
		if err := os.Remove(trace); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// endShims ends those processes where the runtime could not. They are known by the runtime's socket, which
// stands among their arguments and is below our home.
func endShims(socket string) error {
	return process.KillWhere(func(args []string) bool {
		if filepath.Base(args[0]) != "containerd-shim-runc-v2" {
			return false
		}
		for i, arg := range args[:len(args)-1] {
			if arg == "-address" && args[i+1] == socket {
				return true
			}
		}
		return false
	})
}

// removeLinks removes links that lead below a folder of ours.
func removeLinks(from, to string) error {
	found, err := filepath.Glob(filepath.Join(from, "*.log"))
	if err != nil {
		return err
	}
	for _, link := range found {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, to+"/") {
			if err := os.Remove(link); err != nil {
				return err
			}
		}
	}
	return nil
}
