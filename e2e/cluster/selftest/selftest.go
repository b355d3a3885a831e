// Package selftest shows that a cluster does what scenarios take for granted, before one of them fails
// for a reason that is not its own.
package selftest

import (
	"context"
	"fmt"
	"strings"

	"holdfast.dev/e2e/cluster/image"
	"holdfast.dev/e2e/cluster/kubectl"
	"holdfast.dev/e2e/cluster/provider"
)

const (
	namespace = "holdfast-selftest"
	// How long one step may take, as kubectl writes it.
	patience = "--timeout=120s"
	// An address that is set apart for documents, so that nobody has it.
	elsewhere = "198.51.100.1"
)

type object = kubectl.Object

// Test is the test of one cluster.
type Test struct {
	Kubectl     kubectl.Kubectl
	Progress    *provider.Progress
	Environment provider.Environment
	// Held is how many packets from pods were held back so far; nil where there is no firewall of ours.
	Held func(context.Context) (int, error)
}

// Run runs all steps, and removes what they have made.
func (t Test) Run(ctx context.Context) error {
	steps := []step{
		{"test: objects made", t.make},
		{"test: a pod ran to its end", t.wait("pod/once", "jsonpath={.status.phase}=Succeeded")},
		{"test: a claim has a volume", t.wait("pvc/claim", "jsonpath={.status.phase}=Bound")},
		{"test: a pod with the volume runs", t.wait("pod/worker", "condition=Ready")},
		{"test: a command runs in a pod", t.exec},
		{"test: a name is found", t.lookup},
	}
	if t.Environment[provider.Snapshots] != "" {
		steps = append(steps, step{"test: a snapshot of the volume is taken", t.snapshot})
	}
	if t.Held != nil {
		steps = append(steps, step{"test: no packet leaves the machine", t.firewall})
	}
	steps = append(steps, step{"test: objects removed", t.remove})
	for _, s := range steps {
		if err := t.Progress.Step(s.name, func() error { return s.do(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

type step struct {
	name string
	do   func(context.Context) error
}

func (t Test) make(ctx context.Context) error {
	if err := t.Kubectl.Apply(ctx, object{
		"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": namespace},
	}); err != nil {
		return err
	}
	// A pod is refused until its account is there, and nobody tries again for one that has no owner.
	if err := t.wait("serviceaccount/default", "create")(ctx); err != nil {
		return err
	}
	return t.Kubectl.Apply(ctx, claim(), pod("once", "true"), pod("worker", "echo kept >/data/file; exec sleep 3600"))
}

func claim() object {
	return object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"metadata": object{"name": "claim", "namespace": namespace},
		"spec": object{
			"accessModes": []string{"ReadWriteOnce"},
			"resources":   object{"requests": object{"storage": "16Mi"}},
		},
	}
}

// pod runs a script in a shell. The one called worker has the volume.
func pod(name, script string) object {
	container := object{"name": "main", "image": image.BusyboxReference, "command": []string{"sh", "-ec", script}}
	spec := object{"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": []object{container}}
	if name == "worker" {
		container["volumeMounts"] = []object{{"name": "data", "mountPath": "/data"}}
		spec["volumes"] = []object{{"name": "data", "persistentVolumeClaim": object{"claimName": "claim"}}}
	}
	return object{
		"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": name, "namespace": namespace}, "spec": spec,
	}
}

func (t Test) wait(what, condition string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := t.Kubectl.Run(ctx, "wait", "--namespace="+namespace, "--for="+condition, patience, what)
		return err
	}
}

func (t Test) inPod(ctx context.Context, script string) (string, error) {
	return t.Kubectl.Run(ctx, "exec", "--namespace="+namespace, "worker", "--", "sh", "-ec", script)
}

func (t Test) exec(ctx context.Context) error {
	said, err := t.inPod(ctx, "cat /data/file")
	if err != nil {
		return err
	}
	if said != "kept\n" {
		return fmt.Errorf("the volume holds %q, where its pod wrote \"kept\"", said)
	}
	// The end of a command is reported as it was: a test that could not fail would show nothing.
	if _, err := t.inPod(ctx, "exit 7"); err == nil || !strings.Contains(err.Error(), "exit code 7") {
		return fmt.Errorf("a command that ended with 7 was reported as %v", err)
	}
	return nil
}

func (t Test) lookup(ctx context.Context) error {
	said, err := t.inPod(ctx, "nslookup kubernetes.default.svc.cluster.local")
	if err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	return nil
}

func (t Test) snapshot(ctx context.Context) error {
	if err := t.Kubectl.Apply(ctx, object{
		"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
		"metadata": object{"name": "taken", "namespace": namespace},
		"spec":     object{"source": object{"persistentVolumeClaimName": "claim"}},
	}); err != nil {
		return err
	}
	return t.wait("volumesnapshot/taken", "jsonpath={.status.readyToUse}=true")(ctx)
}

// firewall sends packets from a pod to where they must not get. That there is no answer says nothing:
// there would be none either way. That they were counted does.
func (t Test) firewall(ctx context.Context) error {
	before, err := t.Held(ctx)
	if err != nil {
		return err
	}
	if said, err := t.inPod(ctx, "! nc -w 1 "+elsewhere+" 9 </dev/null"); err != nil {
		return fmt.Errorf("a pod reached %s: %w: %s", elsewhere, err, said)
	}
	after, err := t.Held(ctx)
	if err != nil {
		return err
	}
	if after <= before {
		return fmt.Errorf("packets to %s were not held back: the firewall counts %d before and %d after", elsewhere, before, after)
	}
	return nil
}

// remove waits for what a scenario would see: the volume is gone with its claim. The namespace itself goes
// when its controller comes by.
func (t Test) remove(ctx context.Context) error {
	delete := []string{"delete", "--namespace=" + namespace, patience, "pod/once", "pod/worker", "pvc/claim"}
	if t.Environment[provider.Snapshots] != "" {
		delete = append(delete, "volumesnapshot/taken")
	}
	if _, err := t.Kubectl.Run(ctx, delete...); err != nil {
		return err
	}
	_, err := t.Kubectl.Run(ctx, "delete", "namespace", namespace, "--wait=false")
	return err
}
