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
)

// MountsBelow are the mounts at a folder and below it, the last one first.
func MountsBelow(folder string) ([]string, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return mountsBelow(string(table), folder), nil
}

func mountsBelow(table, folder string) []string {
	var found []string
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		at := unescape(fields[4])
		if at == folder || strings.HasPrefix(at, folder+"/") {
			found = append(found, at)
		}
	}
	slices.Reverse(found)
	return found
}

// unescape turns the kernel's \040 into the byte that it stands for.
func unescape(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+4 <= len(text) {
			if code, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(code))
				i += 3
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

// Unmount unmounts all at a folder and below it. A mount that is in use is taken out of sight, and goes
// when its last user does.
func Unmount(folder string) error {
	mounts, err := MountsBelow(folder)
	if err != nil {
		return err
	}
	var failed []error
	for _, at := range mounts {
		err := syscall.Unmount(at, noFollow)
		if errors.Is(err, syscall.EBUSY) {
			err = syscall.Unmount(at, noFollow|syscall.MNT_DETACH)
		}
		// One mount above may have taken it along.
		if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, fmt.Errorf("umount %s: %w", at, err))
		}
	}
	return errors.Join(failed...)
}

// UMOUNT_NOFOLLOW of mount.h, which the package syscall does not have.
const noFollow = 8

// BindShared mounts a folder onto itself, so that mounts made below it are seen by the containers that
// have it: the root of many machines does not share its own.
func BindShared(folder string) error {
	if err := syscall.Mount(folder, folder, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", folder, err)
	}
	if err := syscall.Mount("", folder, "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("mount %s as shared: %w", folder, err)
	}
	return nil
}

// Empty removes all below a folder, the entry of this name last. It refuses while anything is mounted
// there: a folder of a pod may be one of the machine's own, and looks like the same file system.
func Empty(folder, last string) error {
	mounts, err := MountsBelow(folder)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("%s stays: still mounted below it: %s: unmount them and try again", folder, strings.Join(mounts, ", "))
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() != last {
			if err := os.RemoveAll(filepath.Join(folder, entry.Name())); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(filepath.Join(folder, last))
}
