// Package dump keeps what is needed to understand a failure, after the cluster is gone.
package dump

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast.dev/e2e/cluster/home"
	"holdfast.dev/e2e/cluster/kubectl"
)

// How long all questions to a cluster that may be broken may take together.
const most = 2 * time.Minute

// Write writes objects, events, logs of pods and of components into a folder, in the place of what was
// there. It goes on after what cannot be had, and says so at its end.
func Write(ctx context.Context, folder string, k kubectl.Kubectl, h *home.Home, logs string) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	d := dump{ctx: ctx, folder: folder, kubectl: k}
	d.failed = append(d.failed, d.components(logs), d.copy(h.Path(home.Marker), home.Marker))
	if _, err := os.Stat(k.Kubeconfig); err != nil {
		return errors.Join(append(d.failed, errors.New("there was no cluster to ask yet"))...)
	}
	d.ask("overview.txt", "get", "nodes,pods,jobs,pvc,pv", "--all-namespaces", "--output=wide")
	d.ask("events.txt", "get", "events", "--all-namespaces", "--sort-by=.lastTimestamp")
	d.ask("describe.txt", "describe", "nodes,pods,jobs,pvc", "--all-namespaces")
	d.objects()
	d.pods()
	return errors.Join(d.failed...)
}

type dump struct {
	ctx     context.Context
	folder  string
	kubectl kubectl.Kubectl
	failed  []error
}

func (d *dump) put(name, text string) {
	path := filepath.Join(d.folder, name)
	d.failed = append(d.failed, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
}

// ask keeps what kubectl answers, also where it fails: the complaint is an answer, too. Nothing is none.
func (d *dump) ask(name string, args ...string) {
	said, err := d.kubectl.Run(d.ctx, args...)
	if err != nil {
		d.failed = append(d.failed, err)
		said += "\n" + err.Error() + "\n"
	}
	if said != "" {
		d.put(name, said)
	}
}

// objects writes a file for each kind of object, definitions of a test's own included. Secrets are left
// out: what a test marks as secret is looked for in what it has left behind.
func (d *dump) objects() {
	listed, err := d.kubectl.Run(d.ctx, "api-resources", "--verbs=list", "--output=name")
	d.failed = append(d.failed, err)
	for _, kind := range strings.Fields(listed) {
		if kind != "secrets" && !strings.HasPrefix(kind, "events") {
			d.ask(filepath.Join("objects", kind+".yaml"), "get", kind, "--all-namespaces", "--ignore-not-found", "--output=yaml")
		}
	}
}

// pods writes a file for each run of each container.
func (d *dump) pods() {
	const containers = `{range .items[*]}{.metadata.namespace} {.metadata.name}{range .status.initContainerStatuses[*]} {.name}:{.restartCount}{end}` +
		`{range .status.containerStatuses[*]} {.name}:{.restartCount}{end}{"\n"}{end}`
	listed, err := d.kubectl.Run(d.ctx, "get", "pods", "--all-namespaces", "--output=jsonpath="+containers)
	d.failed = append(d.failed, err)
	for line := range strings.Lines(listed) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		for _, field := range fields[2:] {
			container, restarts, _ := strings.Cut(field, ":")
			name := filepath.Join("pods", fmt.Sprintf("%s_%s_%s", fields[0], fields[1], container))
			logs := []string{"logs", "--namespace=" + fields[0], fields[1], "--container=" + container}
			d.ask(name+".log", logs...)
			if restarts != "0" {
				d.ask(name+"_previous.log", append(logs, "--previous")...)
			}
		}
	}
}

func (d *dump) components(logs string) error {
	entries, err := os.ReadDir(logs)
	if err != nil {
		return err
	}
	var failed []error
	for _, entry := range entries {
		failed = append(failed, d.copy(filepath.Join(logs, entry.Name()), filepath.Join("components", entry.Name())))
	}
	return errors.Join(failed...)
}

func (d *dump) copy(from, name string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	d.put(name, string(text))
	return nil
}
