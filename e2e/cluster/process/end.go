package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Stop asks components to end, all at once, and kills those that are still there after the grace; without a
// grace none is asked. It names the killed ones. One that does not run, or never did, is stopped.
func (t Table) Stop(grace time.Duration, names ...string) ([]string, error) {
	running := map[string]Identity{}
	for _, name := range names {
		found, err := t.Find(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		running[name] = found
		if grace == 0 {
			continue
		}
		if err := found.signal(syscall.SIGTERM); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := wait(running, grace); err != nil {
		return nil, err
	}
	var killed []string
	for name, process := range running {
		if err := process.signal(syscall.SIGKILL); err != nil {
			return killed, fmt.Errorf("%s: %w", name, err)
		}
		killed = append(killed, name)
	}
	if err := wait(running, buried); err != nil {
		return killed, err
	}
	for name, process := range running {
		return killed, fmt.Errorf("%s (process %d) does not end, not even killed", name, process.Pid)
	}
	return killed, nil
}

// Kill ends a component at once, as a crash would.
func (t Table) Kill(name string) error {
	if _, err := t.Spec(name); err != nil {
		return err
	}
	alive, err := t.Alive(name)
	if err != nil {
		return err
	}
	if !alive {
		return fmt.Errorf("%s does not run: start it with `restart %s`", name, name)
	}
	_, err = t.Stop(0, name)
	return err
}

// Restart starts a component again as it was started, after ending it where it still runs, and then its
// followers. Whether these have seen yet that it was gone makes no difference.
func (t Table) Restart(name string, grace time.Duration) error {
	spec, err := t.Spec(name)
	if err != nil {
		return err
	}
	for _, each := range append([]string{name}, spec.Followers...) {
		if _, err := t.Stop(grace, each); err != nil {
			return err
		}
		if err := t.launch(each); err != nil {
			return err
		}
	}
	return nil
}

// signal sends a signal to the process, if it is still this one. The handle is taken before the question
// who it is: from then on the number cannot come to mean another one.
func (i Identity) signal(signal syscall.Signal) error {
	handle, err := os.FindProcess(i.Pid)
	if err != nil {
		return nil
	}
	defer handle.Release()
	alive, err := i.Alive()
	if err != nil || !alive {
		return err
	}
	if err := handle.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// wait waits until all have ended or the time is over, and takes out those that have.
func wait(running map[string]Identity, most time.Duration) error {
	for until := time.Now().Add(most); ; time.Sleep(look) {
		for name, process := range running {
			alive, err := process.Alive()
			if err != nil {
				return err
			}
			if !alive {
				delete(running, name)
			}
		}
		if len(running) == 0 || !time.Now().Before(until) {
			return nil
		}
	}
}
