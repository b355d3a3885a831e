package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast.dev/e2e/cluster/home"
	"holdfast.dev/e2e/cluster/kind"
	"holdfast.dev/e2e/cluster/process"
	"holdfast.dev/e2e/cluster/provider"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "launch" {
		_, _ = os.Stderr.WriteString(process.Launch(os.Args[2], os.Args[3]).Error())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestOptionsStandBetweenTheVerbAndItsArguments(t *testing.T) {
	t.Setenv(kind.NodeImage, "")
	t.Setenv(provider.State, "/of/the/environment")
	o, err := parse("kubectl", []string{"--state", "/x", "get", "pods", "--provider", "y"})
	if err != nil || o.state != "/x" || o.provider != "built" || !slices.Equal(o.args, []string{"get", "pods", "--provider", "y"}) {
		t.Errorf("%+v, %v", o, err)
	}
	t.Setenv(kind.NodeImage, "node:1")
	if o, err := parse("up", nil); err != nil || o.provider != "kind" || o.state != "/of/the/environment" {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := parse("up", []string{"--no-such"}); err == nil {
		t.Error("an unknown option was taken")
	}
}

func TestAVerbThatIsNoneIsRefused(t *testing.T) {
	for _, args := range [][]string{{"dance"}, {"kill"}, {"restart", "a", "b"}} {
		if err := run(context.Background(), args); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestScenariosAreFoundWhereCargoFindsThem(t *testing.T) {
	tree := t.TempDir()
	for _, file := range []string{"", "cluster.rs", "cluster/main.rs"} {
		path := filepath.Join(tree, file, "e2e", "tests", file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if file != "" {
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if there, err := hasScenarios(filepath.Join(tree, file)); err != nil || there != (file != "") {
			t.Errorf("%q: %v, %v", file, there, err)
		}
	}
}

func TestAStartThatFailsLeavesNoHome(t *testing.T) {
	path, err := os.MkdirTemp("", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	o := options{provider: "apiserver", state: path, tree: "/no/such/tree", cache: t.TempDir(), failed: t.TempDir()}
	if err := up(context.Background(), o); err == nil {
		t.Fatal("a cluster came up without its sources")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the home is there: %v", err)
	}
}

// running is a home with one component, as a cluster leaves it.
func running(t *testing.T, d home.Description) options {
	t.Helper()
	path, err := os.MkdirTemp("", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(path) })
	o := options{state: path}
	h, err := home.Claim(path)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	if err := errors.Join(h.Write(d), h.Make("processes", "log")); err != nil {
		t.Fatal(err)
	}
	table, err := o.table(h)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Start(process.Spec{Name: "part", Args: []string{"/bin/sh", "-c", "exec sleep 1000"}, Env: []string{"PATH=/bin:/usr/bin"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = table.Stop(0, "part") })
	return o
}

func TestAComponentIsKilledSeenAndRestarted(t *testing.T) {
	o := running(t, home.Description{Provider: "apiserver", Complete: true})
	ctx := context.Background()
	if err := status(ctx, o); err != nil {
		t.Fatal(err)
	}
	o.args = []string{"part"}
	if err := kill(ctx, o); err != nil {
		t.Fatal(err)
	}
	if err := status(ctx, o); err == nil || !strings.Contains(err.Error(), "ended: part") {
		t.Errorf("a killed component: %v", err)
	}
	if err := restart(ctx, o); err != nil {
		t.Fatal(err)
	}
	if err := status(ctx, o); err != nil {
		t.Error(err)
	}
}

func TestDownEndsWhatIsRecordedAndLeavesNothing(t *testing.T) {
	// Ended by the provider that made it, whatever the options say now.
	o := running(t, home.Description{Provider: "apiserver"})
	o.provider = "built"
	h, err := home.At(o.state)
	if err != nil {
		t.Fatal(err)
	}
	table, err := o.table(h)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(h.Path("processes", "part.json"), h.Path("processes", "etcd.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(h.Path("processes", "part.pid"), h.Path("processes", "etcd.pid")); err != nil {
		t.Fatal(err)
	}
	found, err := table.Find("etcd")
	if err != nil {
		t.Fatal(err)
	}
	if err := down(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if alive, err := found.Alive(); err != nil || alive {
		t.Errorf("it runs: %v", err)
	}
	if _, err := os.Stat(o.state); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the home is there: %v", err)
	}
	if err := down(context.Background(), o); err != nil {
		t.Errorf("a second time: %v", err)
	}
}
