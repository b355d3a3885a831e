package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"holdfast.dev/e2e/cluster/home"
	"holdfast.dev/e2e/cluster/image"
	"holdfast.dev/e2e/cluster/provider"
)

// How long tests may take to stop when they are asked to, before they are killed.
const stopping = 10 * time.Second

// all is what CI calls: a new cluster, all scenarios, and nothing left of it.
func all(ctx context.Context, o options) error {
	h, err := home.Claim(o.state)
	if err != nil {
		return err
	}
	defer h.Release()
	// A cluster that somebody has played with shows less than a new one.
	if err := end(context.WithoutCancel(ctx), o, h); err != nil {
		return err
	}
	failed := start(ctx, o, h)
	if failed == nil {
		failed = scenarios(ctx, o, h)
	}
	return errors.Join(failed, end(context.WithoutCancel(ctx), o, h), os.Remove(h.Path()))
}

// test runs scenarios on the cluster that is up, and leaves it up.
func test(ctx context.Context, o options) error {
	h, err := home.At(o.state)
	if err != nil {
		return err
	}
	return scenarios(ctx, o, h)
}

// scenarios runs those that the tree has, on a cluster that is up.
func scenarios(ctx context.Context, o options, h *home.Home) error {
	d, err := h.Read()
	if err != nil {
		return fmt.Errorf("%w: start one with `up`", err)
	}
	if !d.Complete {
		return fmt.Errorf("the cluster in %s did not come up: end it with `down`", h.Path())
	}
	frame, err := o.frame(h)
	if err != nil {
		return err
	}
	there, err := hasScenarios(o.tree)
	if err != nil {
		return err
	}
	if !there {
		frame.Progress.Say("the tree has no scenarios for a cluster: its own test is all that ran")
		return nil
	}
	if d.Environment[provider.Images] != "" {
		if err := frame.Progress.Step("image of the product", func() error { return loadProduct(ctx, o, frame, d) }); err != nil {
			return err
		}
	}
	if d, err = h.Read(); err != nil {
		return err
	}
	if err := frame.Progress.Step("scenarios", func() error { return runScenarios(ctx, o, d) }); err != nil {
		keepFailure(context.WithoutCancel(ctx), o, frame)
		return fmt.Errorf("scenarios: %w", err)
	}
	return nil
}

// hasScenarios looks where cargo would.
func hasScenarios(tree string) (bool, error) {
	for _, file := range []string{"cluster.rs", "cluster/main.rs"} {
		_, err := os.Stat(filepath.Join(tree, "e2e", "tests", file))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}

func runScenarios(ctx context.Context, o options, d home.Description) error {
	args := append([]string{
		"test", "--locked", "--package", "holdfast-e2e", "--no-default-features", "--features", "cluster", "--test", "cluster", "--",
		// They wait for the cluster most of the time.
		"--test-threads=8",
	}, o.args...)
	command := cargo(ctx, o, args...)
	command.Env = os.Environ()
	for name, value := range d.Environment {
		command.Env = append(command.Env, name+"="+value)
	}
	return command.Run()
}

func cargo(ctx context.Context, o options, args ...string) *exec.Cmd {
	return command(ctx, o, "cargo", args...)
}

func command(ctx context.Context, o options, program string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, program, args...)
	command.Dir, command.Stdout, command.Stderr = o.tree, os.Stderr, os.Stderr
	// Who is asked to stop while tests run, stops all that they have started.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	command.WaitDelay = stopping
	return command
}

// loadProduct builds the image that users get, but for its name, and gives it to the cluster.
func loadProduct(ctx context.Context, o options, frame provider.Frame, d home.Description) error {
	out := filepath.Join(o.cache, "image")
	// That of another version has another file's name.
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	build := filepath.Join(o.tree, "deploy", "image", "build")
	if err := command(ctx, o, build, "--name", image.ProductReference, "--out", out).Run(); err != nil {
		return err
	}
	built, err := filepath.Glob(filepath.Join(out, "*.oci.tar"))
	if err != nil {
		return err
	}
	if len(built) != 1 {
		return fmt.Errorf("%s left %d archives in %s, not one", build, len(built), out)
	}
	return loadArchive(ctx, frame, d, "holdfast", image.ProductReference, built[0])
}
