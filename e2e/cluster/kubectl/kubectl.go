// Package kubectl calls the program of this name.
package kubectl

import (
	"context"
	"encoding/json"
	"strings"

	"holdfast.dev/e2e/cluster/machine"
)

// Kubectl is the program with a cluster that it speaks to.
type Kubectl struct {
	Program, Kubeconfig string
	// Cache is the folder in which it keeps what the API server can do.
	Cache string
}

// Object is anything that is written as JSON.
type Object map[string]any

// Run calls it and returns what it printed.
func (k Kubectl) Run(ctx context.Context, args ...string) (string, error) {
	return k.RunWith(ctx, "", args...)
}

// RunWith is [Kubectl.Run] with something to read.
func (k Kubectl) RunWith(ctx context.Context, input string, args ...string) (string, error) {
	return machine.RunWith(ctx, input, k.Program, k.Arguments(args...)...)
}

// Arguments are those of a call, with the ones that name the cluster.
func (k Kubectl) Arguments(args ...string) []string {
	return append([]string{"--kubeconfig=" + k.Kubeconfig, "--cache-dir=" + k.Cache}, args...)
}

// Apply makes objects be as they are given.
func (k Kubectl) Apply(ctx context.Context, objects ...Object) error {
	var text strings.Builder
	for _, object := range objects {
		if err := json.NewEncoder(&text).Encode(object); err != nil {
			return err
		}
	}
	_, err := k.RunWith(ctx, text.String(), "apply", "--filename=-")
	return err
}
