package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"holdfast.dev/e2e/cluster/build"
	"holdfast.dev/e2e/cluster/dump"
	"holdfast.dev/e2e/cluster/home"
	"holdfast.dev/e2e/cluster/kubectl"
	"holdfast.dev/e2e/cluster/machine"
	"holdfast.dev/e2e/cluster/provider"
	"holdfast.dev/e2e/cluster/selftest"
)

// up starts a cluster, or finds that it is up. What a crash has left is cleaned first.
func up(ctx context.Context, o options) error {
	h, err := home.Claim(o.state)
	if err != nil {
		return err
	}
	defer h.Release()
	if err := start(ctx, o, h); err != nil {
		// What could not be given back keeps it there.
		if _, described := h.Read(); errors.Is(described, home.ErrNone) {
			err = errors.Join(err, os.Remove(h.Path()))
		}
		return err
	}
	d, err := h.Read()
	fmt.Println(d.Environment[provider.Kubeconfig])
	return err
}

func start(ctx context.Context, o options, h *home.Home) error {
	frame, err := o.frame(h)
	if err != nil {
		return err
	}
	cluster, err := newProvider(o.provider, frame)
	if err != nil {
		return err
	}
	switch d, err := h.Read(); {
	case errors.Is(err, home.ErrNone):
	case err != nil:
		return err
	case d.Provider == o.provider && d.Complete && allAlive(frame) == nil:
		frame.Progress.Say("%s is up already", h.Path())
		return nil
	default:
		frame.Progress.Say("cleaning what is left in %s", h.Path())
		if err := end(context.WithoutCancel(ctx), o, h); err != nil {
			return err
		}
	}
	if err := h.Write(home.Description{Provider: o.provider}); err != nil {
		return err
	}
	if err := h.Make("processes", "log"); err != nil {
		return err
	}
	if err := bringUp(ctx, o, frame, cluster); err != nil {
		// What it took is given back, also when we were asked to stop.
		ctx := context.WithoutCancel(ctx)
		keepFailure(ctx, o, frame)
		return errors.Join(err, end(ctx, o, h))
	}
	return nil
}

func bringUp(ctx context.Context, o options, frame provider.Frame, cluster provider.Provider) error {
	environment, failed := cluster.Up(ctx)
	if environment == nil {
		return failed
	}
	d := home.Description{Provider: o.provider, Environment: environment}
	environment[provider.State] = frame.Home.Path()
	environment[provider.Cluster] = frame.Table.Launcher
	// Written also where it failed, and before the test: whoever looks for the reason needs it.
	if err := errors.Join(failed, frame.Home.Write(d)); err != nil {
		return err
	}
	if environment[provider.Images] != "" {
		test := selftest.Test{Kubectl: client(frame.Home, environment), Progress: frame.Progress, Environment: environment}
		if firewall, has := cluster.(interface {
			Held(context.Context) (int, error)
		}); has {
			test.Held = firewall.Held
		}
		if err := test.Run(ctx); err != nil {
			return err
		}
	}
	d.Complete = true
	return frame.Home.Write(d)
}

// client is kubectl with the cluster of a home.
func client(h *home.Home, environment provider.Environment) kubectl.Kubectl {
	return kubectl.Kubectl{
		Program: environment[provider.Kubectl], Kubeconfig: environment[provider.Kubeconfig],
		Cache: h.Path("home", "kubectl"),
	}
}

// keepFailure keeps what explains a failure. That it cannot is said, and is no failure of its own.
func keepFailure(ctx context.Context, o options, frame provider.Frame) {
	d, err := frame.Home.Read()
	if err == nil {
		err = dump.Write(ctx, o.failed, client(frame.Home, d.Environment), frame.Home, frame.Table.Logs)
	}
	frame.Progress.Say("what explains it is in %s", o.failed)
	if err != nil {
		frame.Progress.Say("though not all of it: %v", err)
	}
}

// down ends the cluster of a home, whatever is left of it.
func down(ctx context.Context, o options) error {
	if _, err := os.Stat(o.state); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "there is nothing in", o.state)
		return nil
	}
	h, err := home.Claim(o.state)
	if err != nil {
		return err
	}
	defer h.Release()
	// A cluster that is half gone is of no use to anybody.
	if err := end(context.WithoutCancel(ctx), o, h); err != nil {
		return err
	}
	return os.Remove(h.Path())
}

// end ends the cluster and empties its home.
func end(ctx context.Context, o options, h *home.Home) error {
	d, err := h.Read()
	if errors.Is(err, home.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	frame, err := o.frame(h)
	if err != nil {
		return err
	}
	cluster, err := newProvider(d.Provider, frame)
	if err != nil {
		return err
	}
	if err := cluster.Down(ctx); err != nil {
		return fmt.Errorf("not all was given back, %s stays so that `down` can be tried again: %w", h.Path(), err)
	}
	return frame.Progress.Step("files removed", func() error { return machine.Empty(h.Path(), home.Marker) })
}

// buildAll builds what all providers need.
func buildAll(ctx context.Context, o options) error {
	progress := provider.NewProgress(os.Stderr)
	frame := provider.Frame{Builder: o.builder(), Progress: progress}
	for _, unit := range []build.Unit{build.Pause, build.Kubernetes, build.Storage, build.Names, build.Objects} {
		if _, err := frame.Build(ctx, unit); err != nil {
			return err
		}
	}
	return nil
}
