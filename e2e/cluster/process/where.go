package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// KillWhere kills the processes whose arguments are chosen. It is for what others have started on our
// behalf and nobody has a record of; the choice must name something that is ours alone.
func KillWhere(chosen func(args []string) bool) error {
	found, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	running := map[string]Identity{}
	for _, folder := range found {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			continue
		}
		identity, alive, err := Of(pid)
		if err != nil {
			return err
		}
		// One that has ended meanwhile is none to kill, and neither is one of the kernel's own.
		line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		if err != nil || !alive || len(line) == 0 {
			continue
		}
		if !chosen(strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")) {
			continue
		}
		if err := identity.signal(syscall.SIGKILL); err != nil {
			return err
		}
		running[folder] = identity
	}
	return wait(running, buried)
}
