package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// kind is a folder of the store.
type kind string

const (
	volumes   kind = "volumes"
	snapshots kind = "snapshots"
)

// Errors that callers answer with a code of their own.
var (
	errName   = errors.New("a name must be one part of a path")
	errSource = errors.New("exists with another source")
)

// subvolumes makes and removes the trees that the store keeps records of.
type subvolumes interface {
	create(path string) error
	// snapshot copies a tree as it is at one instant.
	snapshot(from, to string, readOnly bool) error
	remove(path string) error
}

// record stands beside each tree and is written last: a tree without a record was never finished, and
// is removed when its name is asked for again.
type record struct {
	ID      string    `json:"id"`
	Source  string    `json:"source,omitempty"`
	Bytes   int64     `json:"bytes"`
	Created time.Time `json:"created"`
}

// store is idempotent in all that it does, as CSI wants it: names come from the caller.
type store struct {
	mutex  sync.Mutex
	folder string
	trees  subvolumes
}

func openStore(folder string, trees subvolumes) (*store, error) {
	for _, k := range []kind{volumes, snapshots} {
		if err := os.MkdirAll(filepath.Join(folder, string(k)), 0o755); err != nil {
			return nil, err
		}
	}
	return &store{folder: folder, trees: trees}, nil
}

// origin is what a new tree starts as: a copy of another one, or empty.
type origin struct {
	kind kind
	id   string
}

// make makes a tree of a kind, or answers with the one that has this name.
func (s *store) make(k kind, name string, from *origin, bytes int64, now time.Time) (record, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if !isName(name) {
		return record{}, fmt.Errorf("%q: %w", name, errName)
	}
	made := record{ID: name, Bytes: bytes, Created: now}
	if from != nil {
		made.Source = from.id
	}
	if found, err := s.load(k, name); err == nil {
		if found.Source != made.Source {
			return record{}, fmt.Errorf("%s %s: %w", k, name, errSource)
		}
		return found, nil
	}
	if err := s.removeTree(k, name); err != nil {
		return record{}, err
	}
	if err := s.fill(k, name, from); err != nil {
		return record{}, err
	}
	return made, s.save(k, made)
}

func (s *store) fill(k kind, name string, from *origin) error {
	path := s.path(k, name)
	if from == nil {
		if err := s.trees.create(path); err != nil {
			return err
		}
		// Whoever the pod runs as may write, unless its fsGroup says something narrower.
		return os.Chmod(path, 0o777)
	}
	if _, err := s.load(from.kind, from.id); err != nil {
		return err
	}
	return s.trees.snapshot(s.path(from.kind, from.id), path, k == snapshots)
}

// remove removes a tree and its record. What is not there is removed.
func (s *store) remove(k kind, id string) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if !isName(id) {
		return nil
	}
	// The record goes first: what is left of a removal that was cut off has none.
	if err := os.Remove(s.path(k, id) + ".json"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.removeTree(k, id)
}

// find is the record of a tree, or fs.ErrNotExist.
func (s *store) find(k kind, id string) (record, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.load(k, id)
}

func (s *store) path(k kind, id string) string { return filepath.Join(s.folder, string(k), id) }

func (s *store) removeTree(k kind, id string) error {
	path := s.path(k, id)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return s.trees.remove(path)
}

func (s *store) load(k kind, id string) (record, error) {
	var found record
	if !isName(id) {
		return found, fmt.Errorf("%q: %w", id, fs.ErrNotExist)
	}
	text, err := os.ReadFile(s.path(k, id) + ".json")
	if err != nil {
		return found, err
	}
	return found, json.Unmarshal(text, &found)
}

func (s *store) save(k kind, made record) error {
	text, err := json.Marshal(made)
	if err != nil {
		return err
	}
	path := s.path(k, made.ID) + ".json"
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func isName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}
