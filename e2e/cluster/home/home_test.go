package home

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// short is a folder whose path is short enough whatever the test is called.
func short(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("", "home")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(path) })
	return path
}

func claimed(t *testing.T, path string) *Home {
	t.Helper()
	h, err := Claim(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Release)
	return h
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	h := claimed(t, filepath.Join(short(t), "a", "b"))
	if _, err := h.Read(); !errors.Is(err, ErrNone) {
		t.Fatal(err)
	}
	want := Description{Provider: "built", Complete: true, Environment: map[string]string{"A": "b c"}}
	if err := h.Write(want); err != nil {
		t.Fatal(err)
	}
	looked, err := At(h.Path())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := looked.Read(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAFolderIsClaimedByOneAtATime(t *testing.T) {
	path := short(t)
	first := claimed(t, path)
	if _, err := Claim(path); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Fatalf("claimed twice: %v", err)
	}
	first.Release()
	claimed(t, path)
}

func TestAFolderWithSomethingElseIsRefused(t *testing.T) {
	path := short(t)
	if err := os.WriteFile(filepath.Join(path, "thesis"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Claim(path); err == nil || !strings.Contains(err.Error(), "something else") {
			t.Fatalf("somebody's folder was taken: %v", err)
		}
	}
}

func TestPathsThatSomeSyntaxWouldHaveToQuoteAreRefused(t *testing.T) {
	for _, path := range []string{"/a b", "/a\"b", "/a$b", "/a\nb", "/" + strings.Repeat("x", MaxPath)} {
		if _, err := At(path); err == nil {
			t.Errorf("%q was taken", path)
		}
	}
}
