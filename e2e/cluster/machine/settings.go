package machine

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// settings of the kernel that a cluster changes: the first two we, the others the kubelet, unasked.
var settings = []string{
	"net/ipv4/ip_forward",
	"net/bridge/bridge-nf-call-iptables",
	"vm/overcommit_memory",
	"vm/panic_on_oom",
	"kernel/panic",
	"kernel/panic_on_oops",
	"kernel/keys/root_maxkeys",
	"kernel/keys/root_maxbytes",
}

// Routed are the settings that make the kernel carry packets between pods, services and the node. The
// second is there only where the kernel can filter what passes a bridge.
var routed = settings[:2]

// Settings is where the kernel has them.
type Settings struct{ Folder string }

// Kernel is the kernel that runs.
var Kernel = Settings{Folder: "/proc/sys"}

// Save is the values as they are, as text for [Settings.Restore].
func (s Settings) Save() ([]byte, error) {
	values := map[string]string{}
	for _, name := range settings {
		value, err := os.ReadFile(filepath.Join(s.Folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		values[name] = strings.TrimSpace(string(value))
	}
	return json.MarshalIndent(values, "", "  ")
}

// Restore sets what was saved.
func (s Settings) Restore(saved []byte) error {
	var values map[string]string
	if err := json.Unmarshal(saved, &values); err != nil {
		return err
	}
	var failed []error
	for name, value := range values {
		failed = append(failed, s.set(name, value))
	}
	return errors.Join(failed...)
}

// Route switches on what [routed] names.
func (s Settings) Route() error {
	var failed []error
	for _, name := range routed {
		failed = append(failed, s.set(name, "1"))
	}
	return errors.Join(failed...)
}

// set changes a setting that has another value: a value that is right may be one that nobody may write.
func (s Settings) set(name, value string) error {
	path := filepath.Join(s.Folder, name)
	now, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || strings.TrimSpace(string(now)) == value {
		return err
	}
	return os.WriteFile(path, []byte(value), 0)
}
