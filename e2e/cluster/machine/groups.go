package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"holdfast.dev/e2e/cluster/process"
)

// Groups is where the kernel has its control groups.
const Groups = "/sys/fs/cgroup"

// The kubelet's group, in every hierarchy of its own (version 1) or in the one that there is.
const podsGroup = "kubepods"

// PodGroups are the roots of all groups of pods.
func PodGroups() ([]string, error) {
	found, err := filepath.Glob(filepath.Join(Groups, podsGroup))
	if err != nil {
		return nil, err
	}
	apart, err := filepath.Glob(filepath.Join(Groups, "*", podsGroup))
	return append(found, apart...), err
}

// RemovePodGroups ends what still runs in pods, and removes their groups.
func RemovePodGroups() error {
	roots, err := PodGroups()
	if err != nil {
		return err
	}
	for _, root := range roots {
		for range 100 {
			pids, err := groupProcesses(root)
			if err != nil {
				return err
			}
			if len(pids) == 0 {
				break
			}
			for _, pid := range pids {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
					return fmt.Errorf("a process of a pod: kill %d: %w", pid, err)
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err := removeGroup(root); err != nil {
			return err
		}
	}
	return nil
}

func groupProcesses(root string) ([]int, error) {
	var pids []int
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.Name() != "cgroup.procs" {
			return err
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, field := range strings.Fields(string(text)) {
			// Zero is a process of another namespace, which is none of a pod here.
			pid, err := strconv.Atoi(field)
			if err != nil || pid <= 0 {
				continue
			}
			// One that is not buried yet is in its group still, and in nobody's way.
			_, alive, err := process.Of(pid)
			if err != nil {
				return err
			}
			if alive {
				pids = append(pids, pid)
			}
		}
		return err
	})
	return pids, err
}

// removeGroup removes a group and those in it, the innermost first. The files in a group are the kernel's
// and go with it.
func removeGroup(root string) error {
	var folders []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	slices.Reverse(folders)
	for _, folder := range folders {
		if err := syscall.Rmdir(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rmdir %s: %w", folder, err)
		}
	}
	return err
}
