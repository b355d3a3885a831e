package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"holdfast.dev/e2e/cluster/apiserver"
	"holdfast.dev/e2e/cluster/build"
	"holdfast.dev/e2e/cluster/built"
	"holdfast.dev/e2e/cluster/home"
	"holdfast.dev/e2e/cluster/kind"
	"holdfast.dev/e2e/cluster/process"
	"holdfast.dev/e2e/cluster/provider"
)

// options are those of the command line and of the environment.
type options struct {
	provider, state, failed string
	// tree is the checkout, cache where it is built.
	tree, cache string
	args        []string
}

func parse(verb string, args []string) (options, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return options{}, err
	}
	o := options{tree: os.Getenv("HOLDFAST_E2E_TREE"), cache: filepath.Join(cache, "holdfast", "e2e")}
	standard := "built"
	if os.Getenv(kind.NodeImage) != "" {
		standard = "kind"
	}
	state := os.Getenv(provider.State)
	if state == "" {
		state = "/var/lib/holdfast-e2e"
	}
	flags := flag.NewFlagSet(verb, flag.ContinueOnError)
	flags.Usage = func() {}
	flags.StringVar(&o.provider, "provider", standard, "")
	flags.StringVar(&o.state, "state", state, "")
	flags.StringVar(&o.failed, "failed", filepath.Join(o.cache, "failed"), "")
	err = flags.Parse(args)
	o.args = flags.Args()
	return o, err
}

// one is the only argument of a verb.
func (o options) one(what string) (string, error) {
	if len(o.args) != 1 {
		return "", fmt.Errorf("name one %s: %w", what, errUsage)
	}
	return o.args[0], nil
}

func newProvider(name string, frame provider.Frame) (provider.Provider, error) {
	switch name {
	case "built":
		return built.New(frame), nil
	case "apiserver":
		return apiserver.New(frame), nil
	case "kind":
		return kind.New(os.Getenv(kind.NodeImage))(frame), nil
	}
	return nil, fmt.Errorf("--provider %q: there are built, apiserver and kind", name)
}

// frame is what a provider works with, in a home.
func (o options) frame(h *home.Home) (provider.Frame, error) {
	table, err := o.table(h)
	return provider.Frame{Home: h, Table: table, Builder: o.builder(), Progress: provider.NewProgress(os.Stderr)}, err
}

func (o options) table(h *home.Home) (process.Table, error) {
	self, err := os.Executable()
	return process.Table{Folder: h.Path("processes"), Logs: h.Path("log"), Launcher: self}, err
}

func (o options) builder() build.Builder {
	return build.Builder{Sources: filepath.Join(o.tree, "e2e", "cluster"), Cache: o.cache, Say: os.Stderr}
}
