package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// folders stands for btrfs where there is none.
type folders struct{}

func (folders) create(path string) error { return os.Mkdir(path, 0o755) }
func (folders) snapshot(from, to string, _ bool) error {
	return os.CopyFS(to, os.DirFS(from))
}
func (folders) remove(path string) error { return os.RemoveAll(path) }

func opened(t *testing.T) *store {
	t.Helper()
	kept, err := openStore(t.TempDir(), folders{})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func made(t *testing.T, s *store, k kind, name string, from *origin) record {
	t.Helper()
	r, err := s.make(k, name, from, 7, time.Unix(5, 0).UTC())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatIsMadeTwiceIsMadeOnce(t *testing.T) {
	s := opened(t)
	first := made(t, s, volumes, "a", nil)
	if err := os.WriteFile(filepath.Join(s.path(volumes, "a"), "kept"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := s.make(volumes, "a", nil, 9, time.Unix(6, 0).UTC())
	if err != nil || again != first {
		t.Errorf("%v, %v instead of %v", again, err, first)
	}
	if _, err := os.Stat(filepath.Join(s.path(volumes, "a"), "kept")); err != nil {
		t.Error(err)
	}
}

func TestACopyIsOfItsSource(t *testing.T) {
	s := opened(t)
	made(t, s, volumes, "a", nil)
	file := func(k kind, id string) string { return filepath.Join(s.path(k, id), "file") }
	if err := os.WriteFile(file(volumes, "a"), []byte("then"), 0o600); err != nil {
		t.Fatal(err)
	}
	made(t, s, snapshots, "s", &origin{volumes, "a"})
	if err := os.WriteFile(file(volumes, "a"), []byte("now"), 0o600); err != nil {
		t.Fatal(err)
	}
	made(t, s, volumes, "b", &origin{snapshots, "s"})
	if text, err := os.ReadFile(file(volumes, "b")); err != nil || string(text) != "then" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := s.make(snapshots, "s", &origin{volumes, "b"}, 0, time.Time{}); !errors.Is(err, errSource) {
		t.Errorf("a snapshot of another source: %v", err)
	}
	if _, err := s.make(volumes, "c", &origin{snapshots, "gone"}, 0, time.Time{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a copy of nothing: %v", err)
	}
}

func TestWhatACrashLeftIsMadeAnew(t *testing.T) {
	s := opened(t)
	half := s.path(volumes, "a")
	if err := os.Mkdir(half, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "half"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	made(t, s, volumes, "a", nil)
	if _, err := os.Stat(filepath.Join(half, "half")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was there before is still there: %v", err)
	}
}

func TestRemovingIsDoneWhenNothingIsLeft(t *testing.T) {
	s := opened(t)
	made(t, s, volumes, "a", nil)
	for range 2 {
		if err := s.remove(volumes, "a"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.find(volumes, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("found after it was removed: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(s.folder, string(volumes))); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestNamesThatLeaveTheFolderAreRefused(t *testing.T) {
	s := opened(t)
	for _, name := range []string{"", ".", "..", "../x", "a/b", "a\x00"} {
		if _, err := s.make(volumes, name, nil, 0, time.Time{}); !errors.Is(err, errName) {
			t.Errorf("%q: %v", name, err)
		}
		if err := s.remove(volumes, name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}
