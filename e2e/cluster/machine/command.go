// Package machine is what a cluster takes of the machine that it runs on, and gives back: packages,
// settings of the kernel, mounts, a bridge, control groups.
package machine

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Run runs a program to its end and returns what it printed. What it complained about is in the error.
func Run(ctx context.Context, name string, args ...string) (string, error) {
	return RunWith(ctx, "", name, args...)
}

// RunWith is [Run] with something to read.
func RunWith(ctx context.Context, input, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Stdin = strings.NewReader(input)
	var said, complained strings.Builder
	command.Stdout, command.Stderr = &said, &complained
	if err := command.Run(); err != nil {
		return said.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(complained.String()))
	}
	return said.String(), nil
}
