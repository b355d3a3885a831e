// Package process starts the components of a cluster and keeps a record of each, from which it can be
// ended and started again by whoever comes later, also after its starter was killed.
package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// How often it is looked whether a process has ended.
const look = 20 * time.Millisecond

// How long a killed process may take to go: the kernel has to give back its memory.
const buried = 10 * time.Second

// Spec is all that is needed to start a component.
type Spec struct {
	Name string `json:"name"`
	// Args is the argument vector; the first is the path of the program.
	Args []string `json:"args"`
	// Env is the whole environment.
	Env []string `json:"env"`
	// Followers are components that end when this one does, and are started again after it.
	Followers []string `json:"followers,omitempty"`
}

// Table is the records of one cluster: NAME.json says how a component is started, and NAME.pid which
// process it is.
type Table struct {
	// Folder of the records.
	Folder string
	// Logs is the folder in which each component has a file for what it says.
	Logs string
	// Launcher is the program that calls [Launch] when its arguments are `launch FOLDER NAME`.
	Launcher string
}

// Start starts a component. When it returns, the record is complete.
func (t Table) Start(spec Spec) error {
	text, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		return err
	}
	if err := replace(t.spec(spec.Name), text); err != nil {
		return err
	}
	return t.launch(spec.Name)
}

// launch starts the launcher, which writes down who it is and then becomes the component. Were the
// number written by us, a kill between the two would leave a process that nobody knows.
func (t Table) launch(name string) error {
	log, err := os.OpenFile(filepath.Join(t.Logs, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	if err := os.Remove(t.pid(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	command := exec.Command(t.Launcher, "launch", t.Folder, name)
	command.Stdout, command.Stderr = log, log
	// A session of its own: what ends our terminal does not end the cluster.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		if _, err := t.Find(name); err == nil {
			return nil
		}
		select {
		case err := <-ended:
			// It may have been quick: written down, become the component, and ended.
			if _, found := t.Find(name); found == nil {
				return nil
			}
			return fmt.Errorf("cannot start %s: %w: its log is %s", name, err, log.Name())
		case <-time.After(look / 4):
		}
	}
}

// Launch becomes a component of the table whose records are in the folder. It returns only if it cannot.
func Launch(folder, name string) error {
	t := Table{Folder: folder}
	spec, err := t.Spec(name)
	if err != nil {
		return err
	}
	self, err := Self()
	if err != nil {
		return err
	}
	if err := replace(t.pid(name), []byte(self.String())); err != nil {
		return err
	}
	return os.NewSyscallError("exec "+spec.Args[0], syscall.Exec(spec.Args[0], spec.Args, spec.Env))
}

// Names of all components that were ever started, in order.
func (t Table) Names() ([]string, error) {
	found, err := filepath.Glob(filepath.Join(t.Folder, "*.json"))
	if err != nil {
		return nil, err
	}
	for i, path := range found {
		found[i] = strings.TrimSuffix(filepath.Base(path), ".json")
	}
	slices.Sort(found)
	return found, nil
}

// Spec is how a component is started.
func (t Table) Spec(name string) (Spec, error) {
	var spec Spec
	text, err := os.ReadFile(t.spec(name))
	if errors.Is(err, fs.ErrNotExist) {
		names, _ := t.Names()
		return spec, fmt.Errorf("there is no component %q: there are %s", name, strings.Join(names, ", "))
	}
	if err != nil {
		return spec, err
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		return spec, fmt.Errorf("%s: %w", t.spec(name), err)
	}
	return spec, nil
}

// Find is the process of a component, alive or not; fs.ErrNotExist where it has none.
func (t Table) Find(name string) (Identity, error) {
	text, err := os.ReadFile(t.pid(name))
	if err != nil {
		return Identity{}, err
	}
	return ParseIdentity(string(text))
}

// Alive says whether the component runs.
func (t Table) Alive(name string) (bool, error) {
	found, err := t.Find(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return found.Alive()
}

func (t Table) spec(name string) string { return filepath.Join(t.Folder, name+".json") }
func (t Table) pid(name string) string  { return filepath.Join(t.Folder, name+".pid") }

// replace writes a file in one step: whoever reads it, reads all of it.
func replace(path string, text []byte) error {
	half := path + ".new"
	if err := os.WriteFile(half, text, 0o600); err != nil {
		return err
	}
	return os.Rename(half, path)
}
