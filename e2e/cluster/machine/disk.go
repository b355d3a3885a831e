package machine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
)

// MountDisk makes a file a btrfs of so many bytes and mounts it at a folder. The file takes what is
// written, not its size.
func MountDisk(ctx context.Context, file, folder string, bytes int64) error {
	made, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(made.Truncate(bytes), made.Close()); err != nil {
		return err
	}
	if _, err := Run(ctx, "mkfs.btrfs", "-q", file); err != nil {
		return err
	}
	_, err = Run(ctx, "mount", "-o", "loop,noatime", file, folder)
	return err
}

// DetachDisk lets go of the devices that still stand for a file: one that was mounted goes by itself,
// one between its making and its mounting does not.
func DetachDisk(ctx context.Context, file string) error {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	devices, err := Run(ctx, "losetup", "--noheadings", "--output", "NAME", "--associated", file)
	failed := []error{err}
	for _, device := range strings.Fields(devices) {
		_, err := Run(ctx, "losetup", "--detach", device)
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}
