package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast.dev/e2e/cluster/home"
	"holdfast.dev/e2e/cluster/image"
	"holdfast.dev/e2e/cluster/process"
	"holdfast.dev/e2e/cluster/provider"
)

// How long a component may take to end before it is killed for a restart: long enough for the API server,
// which waits for its clients.
const restartGrace = 10 * time.Second

// opened is the cluster of a home, looked at without claiming it: a scenario breaks a cluster that
// somebody else has claimed for it.
func opened(o options) (provider.Frame, home.Description, error) {
	h, err := home.At(o.state)
	if err != nil {
		return provider.Frame{}, home.Description{}, err
	}
	d, err := h.Read()
	if err != nil {
		return provider.Frame{}, d, fmt.Errorf("%w: start one with `up`", err)
	}
	frame, err := o.frame(h)
	return frame, d, err
}

// component is the one that a call names, in the table that knows it.
func component(o options) (string, process.Table, error) {
	name, err := o.one("component")
	if err != nil {
		return "", process.Table{}, err
	}
	frame, _, err := opened(o)
	return name, frame.Table, err
}

func kill(_ context.Context, o options) error {
	name, table, err := component(o)
	if err != nil {
		return err
	}
	return table.Kill(name)
}

func restart(_ context.Context, o options) error {
	name, table, err := component(o)
	if err != nil {
		return err
	}
	return table.Restart(name, restartGrace)
}

// status fails when not all runs, so that scripts can ask.
func status(_ context.Context, o options) error {
	frame, d, err := opened(o)
	if err != nil {
		return err
	}
	fmt.Printf("provider %s, in %s\n", d.Provider, frame.Home.Path())
	names, err := frame.Table.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		alive, err := frame.Table.Alive(name)
		if err != nil {
			return err
		}
		found, err := frame.Table.Find(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		fmt.Printf("  %-24s %7d  %s\n", name, found.Pid, map[bool]string{true: "runs", false: "ENDED"}[alive])
	}
	for _, name := range slices.Sorted(maps.Keys(d.Environment)) {
		fmt.Printf("  %s=%q\n", name, d.Environment[name])
	}
	if !d.Complete {
		return errors.New("it did not come up: end it with `down`")
	}
	return allAlive(frame)
}

// allAlive names the components that have ended.
func allAlive(frame provider.Frame) error {
	names, err := frame.Table.Names()
	if err != nil {
		return err
	}
	var ended []string
	for _, name := range names {
		alive, err := frame.Table.Alive(name)
		if err != nil {
			return err
		}
		if !alive {
			ended = append(ended, name)
		}
	}
	if len(ended) > 0 {
		return fmt.Errorf("ended: %s: start them with `restart`, or begin anew with `up`", strings.Join(ended, ", "))
	}
	return nil
}

// load packs a program as the image `holdfast.invalid/NAME:1`.
func load(ctx context.Context, o options) error {
	program, err := o.one("program")
	if err != nil {
		return err
	}
	frame, d, err := opened(o)
	if err != nil {
		return err
	}
	return loadProgram(ctx, frame, d, image.Reference(filepath.Base(program)), program)
}

func loadProgram(ctx context.Context, frame provider.Frame, d home.Description, reference, program string) error {
	packed, err := image.Program(reference, program)
	if err != nil {
		return err
	}
	archive, err := os.CreateTemp("", "image")
	if err != nil {
		return err
	}
	defer os.Remove(archive.Name())
	if err := errors.Join(archive.Close(), packed.Write(archive.Name())); err != nil {
		return err
	}
	return loadArchive(ctx, frame, d, filepath.Base(program), reference, archive.Name())
}

// loadArchive gives an image to the cluster, and tells scenarios of it.
func loadArchive(ctx context.Context, frame provider.Frame, d home.Description, name, reference, archive string) error {
	cluster, err := newProvider(d.Provider, frame)
	if err != nil {
		return err
	}
	if err := cluster.Load(ctx, archive); err != nil {
		return err
	}
	images := strings.Fields(d.Environment[provider.Images])
	if entry := name + "=" + reference; !slices.Contains(images, entry) {
		d.Environment[provider.Images] = strings.Join(append(images, entry), " ")
	}
	return frame.Home.Write(d)
}

// callKubectl becomes kubectl with the cluster of the home.
func callKubectl(ctx context.Context, o options) error {
	frame, d, err := opened(o)
	if err != nil {
		return err
	}
	k := client(frame.Home, d.Environment)
	command := exec.CommandContext(ctx, k.Program, k.Arguments(o.args...)...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	return command.Run()
}
