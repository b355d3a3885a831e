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
		// One that has ended meanwhile is none of ours to kill.
		stat, statErr := os.ReadFile(filepath.Join(folder, "stat"))
		line, lineErr := os.ReadFile(filepath.Join(folder, "cmdline"))
		if statErr != nil || lineErr != nil || len(line) == 0 {
			continue
		}
		_, start, err := parseStat(string(stat))
		if err != nil {
			return err
		}
		if !chosen(strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")) {
			continue
		}
		identity := Identity{Pid: pid, Start: start}
		if err := identity.signal(syscall.SIGKILL); err != nil {
			return err
		}
		running[folder] = identity
	}
	return wait(running, buried)
}
