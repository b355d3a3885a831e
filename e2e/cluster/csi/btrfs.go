package main

import (
	"fmt"
	"os/exec"
	"syscall"
)

// What statfs calls a btrfs, from the kernel's magic.h.
const btrfsMagic = 0x9123683e

// requireBtrfs refuses any other file system: a copy of a folder in use is no snapshot.
func requireBtrfs(folder string) error {
	var system syscall.Statfs_t
	if err := syscall.Statfs(folder, &system); err != nil {
		return fmt.Errorf("--folder %s: %w", folder, err)
	}
	if system.Type != btrfsMagic {
		return fmt.Errorf("--folder %s is no btrfs: mount one there", folder)
	}
	return nil
}

// btrfs calls the program of this name: what it does would otherwise be ioctls and structures of ours.
type btrfs struct{}

func (btrfs) create(path string) error {
	return call("subvolume", "create", path)
}

func (btrfs) snapshot(from, to string, readOnly bool) error {
	if readOnly {
		return call("subvolume", "snapshot", "-r", from, to)
	}
	return call("subvolume", "snapshot", from, to)
}

func (btrfs) remove(path string) error {
	// One that is read-only cannot be emptied, and so not deleted.
	if err := call("property", "set", "-ts", path, "ro", "false"); err != nil {
		return err
	}
	return call("subvolume", "delete", path)
}

func call(args ...string) error {
	if said, err := exec.Command("btrfs", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("btrfs %v: %w: %s", args, err, said)
	}
	return nil
}
