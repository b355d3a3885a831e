// Package home is the one folder into which a cluster writes.
package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Marker is the file that says that a folder is a cluster's, and of which kind.
const Marker = "cluster.json"

// MaxPath is how long the path of a home may be: sockets lie below it, and the path of a socket has at
// most 107 bytes.
const MaxPath = 50

// ErrNone is said of a folder in which there is no cluster.
var ErrNone = errors.New("there is no cluster")

// Description is what a cluster says of itself to those who come later.
type Description struct {
	// Provider that made it, and that alone can end it.
	Provider string `json:"provider"`
	// Complete is whether it came up: its parts ran, and its own test passed.
	Complete bool `json:"complete"`
	// Environment is what scenarios are told: names and values.
	Environment map[string]string `json:"environment,omitempty"`
}

// Home is a folder, claimed or only looked at.
type Home struct {
	path string
	lock *os.File
}

// At looks at a folder without claiming it.
func At(path string) (*Home, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// It gets into files of four syntaxes. What needs no quoting in any of them is enough.
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("/._-", c)
	}
	if strings.IndexFunc(path, func(c rune) bool { return !plain(c) }) >= 0 {
		return nil, fmt.Errorf("--state %q: only letters, digits and /._- may be in it", path)
	}
	if len(path) > MaxPath {
		return nil, fmt.Errorf("--state %s has %d bytes, %d are allowed: sockets lie below it", path, len(path), MaxPath)
	}
	return &Home{path: path}, nil
}

// Claim takes a folder for this process alone, until [Home.Release]. It makes the folder where there is
// none, and refuses one in which there is something else than a cluster.
func Claim(path string) (*Home, error) {
	h, err := At(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(h.path, 0o755); err != nil {
		return nil, err
	}
	if h.lock, err = os.Open(h.path); err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(h.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		h.Release()
		return nil, fmt.Errorf("another run is at work in %s: wait for it, or end it", h.path)
	}
	// Whoever had it before may have removed it meanwhile.
	if same, err := h.isThere(); err != nil || !same {
		h.Release()
		return nil, errors.Join(err, fmt.Errorf("%s has just been removed by another run: try again", h.path))
	}
	entries, err := os.ReadDir(h.path)
	if err != nil {
		h.Release()
		return nil, err
	}
	if _, err := h.Read(); errors.Is(err, ErrNone) && len(entries) > 0 {
		h.Release()
		return nil, fmt.Errorf("--state %s: the folder has something else in it: name an empty one", h.path)
	}
	return h, nil
}

func (h *Home) isThere() (bool, error) {
	locked, err := h.lock.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(locked, there), err
}

// Release lets others claim the folder. The end of the process does the same.
func (h *Home) Release() {
	if h.lock != nil {
		_ = h.lock.Close()
	}
}

// Path is a path below the folder.
func (h *Home) Path(parts ...string) string {
	return filepath.Join(append([]string{h.path}, parts...)...)
}

// Make makes folders below the folder.
func (h *Home) Make(parts ...string) error {
	for _, part := range parts {
		if err := os.MkdirAll(h.Path(part), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// Read is the description, or [ErrNone].
func (h *Home) Read() (Description, error) {
	var d Description
	text, err := os.ReadFile(h.Path(Marker))
	if errors.Is(err, fs.ErrNotExist) {
		return d, fmt.Errorf("%s: %w", h.path, ErrNone)
	}
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("%s: %w", h.Path(Marker), err)
	}
	return d, nil
}

// Write replaces the description.
func (h *Home) Write(d Description) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return h.Put(Marker, append(text, '\n'))
}

// Put writes a file in one step: whoever reads it, reads all of it.
func (h *Home) Put(name string, text []byte) error {
	path := h.Path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
