package machine

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// places are folders outside of any home that the runtime, the network's plugins and the kubelet make, and
// that nothing can move. What is inside comes first.
var places = []string{
	"/run/containerd/s",
	"/run/containerd",
	"/var/lib/cni/results",
	"/var/lib/cni",
	"/var/lib/kubelet/device-plugins",
	"/var/lib/kubelet",
	"/var/log/containers",
}

// A killed kubelet leaves this one in its place.
const pluginSocket = "/var/lib/kubelet/device-plugins/kubelet.sock"

// AbsentPlaces are those that the machine does not have, as text for [RemovePlaces].
func AbsentPlaces() ([]byte, error) {
	absent := []string{}
	for _, place := range places {
		_, err := os.Lstat(place)
		if errors.Is(err, fs.ErrNotExist) {
			absent = append(absent, place)
		} else if err != nil {
			return nil, err
		}
	}
	return json.Marshal(absent)
}

// RemovePlaces removes those that were absent, as far as they are empty: what somebody else has put there
// since stays.
func RemovePlaces(saved []byte) error {
	var absent []string
	if err := json.Unmarshal(saved, &absent); err != nil {
		return err
	}
	var failed []error
	for _, place := range absent {
		if place == filepath.Dir(pluginSocket) {
			failed = append(failed, removeSocket(pluginSocket))
		}
		err := syscall.Rmdir(place)
		if !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil
	}
	return errors.Join(err, os.Remove(path))
}
