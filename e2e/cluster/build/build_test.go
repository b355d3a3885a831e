package build

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheKeyChangesWithWhatIsCompiledAndWithNothingElse(t *testing.T) {
	folder := t.TempDir()
	unit := Unit{Name: "u", Programs: []Program{{Package: ".", Output: "u"}}}
	state := func(u Unit, compiler string) string {
		t.Helper()
		k, err := key(u, folder, compiler)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	write(t, filepath.Join(folder, "main.go"), "package main")
	first := state(unit, "go1")
	for _, other := range []string{"main_test.go", "README.md", "inner/go.mod", "inner/x.go"} {
		write(t, filepath.Join(folder, other), "x")
	}
	if got := state(unit, "go1"); got != first {
		t.Errorf("the key changed with files that are not compiled")
	}
	seen := []string{first, state(unit, "go2")}
	unit.Links = []string{"v"}
	seen = append(seen, state(unit, "go1"))
	for _, source := range []string{"go.sum", "go.mod", "part/x.go", "main.go"} {
		write(t, filepath.Join(folder, source), "y")
		seen = append(seen, state(unit, "go1"))
	}
	slices.Sort(seen)
	if len(slices.Compact(seen)) != 7 {
		t.Errorf("a change was not seen: %q", seen)
	}
}

func TestAUnitIsBuiltOnce(t *testing.T) {
	sources, cache := t.TempDir(), filepath.Join(t.TempDir(), "cache")
	write(t, filepath.Join(sources, "u", "go.mod"), "module u\n\ngo 1.24.0\n")
	write(t, filepath.Join(sources, "u", "main.go"), "package main\n\nfunc main() {}\n")
	b := Builder{Sources: sources, Cache: cache, Say: os.Stderr}
	unit := Unit{Name: "u", Programs: []Program{{Package: ".", Output: "u"}}, Links: []string{"v"}}
	first, built, err := b.Folder(context.Background(), unit)
	if err != nil || !built {
		t.Fatal(built, err)
	}
	if _, err := os.Stat(filepath.Join(first, "v")); err != nil {
		t.Error(err)
	}
	again, built, err := b.Folder(context.Background(), unit)
	if err != nil || built || again != first {
		t.Error(again, built, err)
	}
}

func TestAFailedBuildLeavesNothingThatLooksBuilt(t *testing.T) {
	sources, cache := t.TempDir(), t.TempDir()
	write(t, filepath.Join(sources, "u", "go.mod"), "module u\n\ngo 1.24.0\n")
	write(t, filepath.Join(sources, "u", "main.go"), "package main\n\nfunc main() { x }\n")
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	b := Builder{Sources: sources, Cache: cache, Say: said}
	unit := Unit{Name: "u", Programs: []Program{{Package: ".", Output: "u"}}}
	for range 2 {
		if _, _, err := b.Folder(context.Background(), unit); err == nil {
			t.Fatal("what does not compile was built")
		}
	}
}

func TestOnlyOldBuildsOfTheUnitArePruned(t *testing.T) {
	cache, now := t.TempDir(), time.Now()
	for _, name := range []string{"u-old", "u-new", "w-old", "u.lock"} {
		if err := os.Mkdir(filepath.Join(cache, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if age := now.Add(-2 * Old); strings.HasSuffix(name, "-old") {
			if err := os.Chtimes(filepath.Join(cache, name), age, age); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := (Builder{Cache: cache}).prune(Unit{Name: "u"}, now); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if !slices.Equal(left, []string{"u-new", "u.lock", "w-old"}) {
		t.Errorf("left: %q", left)
	}
}
