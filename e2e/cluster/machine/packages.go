package machine

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Where Debian puts the plugins that connect pods to a network.
const Plugins = "/usr/lib/cni"

// Busybox is the program that the pods of tests run. It must need no library: its image has none.
const Busybox = "/bin/busybox"

// A service that a package starts when it is installed asks this file first.
const servicePolicy = "/usr/sbin/policy-rc.d"

// Needed is all that a cluster on this machine calls.
func Needed() []string { return slices.Sorted(maps.Keys(packageOf)) }

// packageOf each file or program that is called.
var packageOf = map[string]string{
	"containerd":        "containerd",
	"ctr":               "containerd",
	"runc":              "runc",
	Plugins + "/bridge": "containernetworking-plugins",
	"nft":               "nftables",
	Busybox:             "busybox-static",
	"mkfs.btrfs":        "btrfs-progs",
	"btrfs":             "btrfs-progs",
	"ip":                "iproute2",
	"mount":             "mount",
	"losetup":           "mount",
	"ldd":               "libc-bin",
	"python3":           "python3",
}

// Install installs what is missing of what is [Needed], with Debian's own means. None of it may start a service.
func Install(ctx context.Context, needed ...string) error {
	missing := missingPackages(needed)
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("missing: %s: install what has them here, only Debian is known", strings.Join(missing, ", "))
	}
	restore, err := refuseServices()
	if err != nil {
		return err
	}
	defer restore()
	if _, err := Run(ctx, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	install := append([]string{
		"DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qqy", "--no-install-recommends",
	}, missing...)
	if _, err := Run(ctx, "env", install...); err != nil {
		return err
	}
	if still := missingPackages(needed); len(still) > 0 {
		return fmt.Errorf("installed %s, and still missing: %s", strings.Join(missing, ", "), strings.Join(still, ", "))
	}
	return nil
}

func missingPackages(needed []string) []string {
	var missing []string
	for _, name := range needed {
		if !isThere(name) {
			missing = append(missing, packageOf[name])
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

func isThere(needed string) bool {
	if needed == Busybox {
		return isStatic(needed)
	}
	if strings.HasPrefix(needed, "/") {
		_, err := os.Stat(needed)
		return err == nil
	}
	_, err := exec.LookPath(needed)
	return err == nil
}

// isStatic says whether a program asks for no loader.
func isStatic(path string) bool {
	file, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	return !slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}

// refuseServices keeps packages from starting what they bring, until it is restored. A policy that the
// machine has of its own stays.
func refuseServices() (func(), error) {
	policy, err := os.OpenFile(servicePolicy, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = policy.WriteString("#!/bin/sh\nexit 101\n")
	return func() { _ = os.Remove(servicePolicy) }, errors.Join(err, policy.Close())
}
