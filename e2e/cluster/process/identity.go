package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Identity is one process and no other: a number alone may belong to somebody else by now.
type Identity struct {
	Pid int
	// Start is the instant at which it started, in ticks since the machine did.
	Start uint64
}

// Where proc(5) has them, counted behind the name of the program.
const (
	fieldState = 0
	fieldStart = 19
)

// Self is the process that asks. It stays the same when it becomes another program.
func Self() (Identity, error) {
	self, _, err := Of(os.Getpid())
	return self, err
}

// Of is the process that has this number now, and whether it runs. One that has ended and was not buried
// yet does not.
func Of(pid int) (Identity, bool, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// A process that ends between the opening and the reading answers with the second error.
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return Identity{}, false, nil
	}
	if err != nil {
		return Identity{}, false, err
	}
	state, start, err := parseStat(string(text))
	if err != nil {
		return Identity{}, false, err
	}
	runs := state != "Z" && state != "X"
	if state == "Z" {
		runs, err = othersRun(pid)
	}
	return Identity{Pid: pid, Start: start}, runs, err
}

// othersRun says whether threads are left after the first one has ended. A killed program ends thread by
// thread, and until the last has gone its ports are taken and its files are locked.
func othersRun(pid int) (bool, error) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return false, nil
	}
	return len(threads) > 1, err
}

// Alive says whether the process runs.
func (i Identity) Alive() (bool, error) {
	now, alive, err := Of(i.Pid)
	return alive && now == i, err
}

// parseStat reads the state and the start out of /proc/PID/stat. The name of the program stands in
// brackets before them, and may itself hold brackets and blanks.
func parseStat(text string) (string, uint64, error) {
	end := strings.LastIndexByte(text, ')')
	fields := strings.Fields(text[end+1:])
	if end < 0 || len(fields) <= fieldStart {
		return "", 0, fmt.Errorf("no line of /proc/PID/stat: %q", text)
	}
	start, err := strconv.ParseUint(fields[fieldStart], 10, 64)
	return fields[fieldState], start, err
}

// String is what [ParseIdentity] reads.
func (i Identity) String() string { return fmt.Sprintf("%d %d", i.Pid, i.Start) }

// ParseIdentity reads what [Identity.String] wrote.
func ParseIdentity(text string) (Identity, error) {
	var i Identity
	if _, err := fmt.Sscanf(text, "%d %d", &i.Pid, &i.Start); err != nil {
		return i, fmt.Errorf("%q names no process: %w", text, err)
	}
	return i, nil
}
