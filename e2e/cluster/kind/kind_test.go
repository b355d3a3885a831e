package kind

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast.dev/e2e/cluster/home"
	"holdfast.dev/e2e/cluster/provider"
)

// recorder puts a program named kind before all others, which writes down how it is called.
func recorder(t *testing.T) (folder string, calls func() []string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "kind")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	script := "#!/bin/sh\necho \"$*\" >>\"$0.calls\"\n"
	program := filepath.Join(folder, "kind")
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	return folder, func() []string {
		text, err := os.ReadFile(program + ".calls")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
}

func TestAClusterIsMadeFilledAndDeletedUnderOneName(t *testing.T) {
	folder, calls := recorder(t)
	h, err := home.At(filepath.Join(folder, "state"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	frame := provider.Frame{Home: h, Progress: provider.NewProgress(io.Discard)}
	for _, nodeImage := range []string{"", "node:v1"} {
		c := Cluster{frame, nodeImage}
		for _, do := range []func() error{
			func() error { return c.create(ctx) },
			func() error { return c.Load(ctx, "archive.tar") },
			func() error { return c.Down(ctx) },
		} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
		}
	}
	kubeconfig := "--kubeconfig=" + h.Path("kubeconfig")
	create := "create cluster --name=holdfast-state " + kubeconfig + " --wait=180s"
	rest := []string{
		"load image-archive --name=holdfast-state archive.tar",
		"delete cluster --name=holdfast-state " + kubeconfig,
	}
	want := append(append(append([]string{create}, rest...), create+" --image=node:v1"), rest...)
	if got := strings.Join(calls(), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("it was called:\n%s\ninstead of:\n%s", got, strings.Join(want, "\n"))
	}
}

func TestWithoutKindThereIsNothingToDelete(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := (&Cluster{}).Down(context.Background()); err != nil {
		t.Error(err)
	}
}
