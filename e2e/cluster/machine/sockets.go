package machine

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Socket is one at which the machine can be reached.
type Socket struct {
	Protocol string
	At       netip.AddrPort
	inode    string
}

// String is how a message names it.
func (s Socket) String() string { return s.Protocol + " " + s.At.String() }

// The states of a socket that waits for others, as /proc/net has them: TCP's LISTEN, and an UDP socket
// that is connected to nobody.
var waits = map[string]string{"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}

// Sockets are those at which a process waits for others.
func Sockets(pid int) ([]Socket, error) {
	mine, err := socketInodes(pid)
	if err != nil {
		return nil, err
	}
	var found []Socket
	for protocol := range waits {
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, protocol))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all, err := parseSockets(protocol, string(table))
		if err != nil {
			return nil, err
		}
		for _, socket := range all {
			if mine[socket.inode] {
				found = append(found, socket)
			}
		}
	}
	return found, nil
}

func socketInodes(pid int) (map[string]bool, error) {
	folder := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	inodes := map[string]bool{}
	for _, entry := range entries {
		// One that was closed meanwhile waits for nobody.
		target, _ := os.Readlink(filepath.Join(folder, entry.Name()))
		if inode, is := strings.CutPrefix(target, "socket:["); is {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return inodes, nil
}

// parseSockets reads /proc/net/tcp and its like: a line of titles, then a line a socket.
func parseSockets(protocol, table string) ([]Socket, error) {
	var found []Socket
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		fields := strings.Fields(line)
		if i == 0 || len(fields) < 10 || fields[3] != waits[protocol] {
			continue
		}
		at, err := parseAddress(fields[1])
		if err != nil {
			return nil, fmt.Errorf("/proc/net/%s: %q: %w", protocol, line, err)
		}
		found = append(found, Socket{Protocol: protocol, At: at, inode: fields[9]})
	}
	return found, nil
}

// parseAddress reads an address as the kernel prints it: words of four bytes, each the wrong way round on
// a machine whose bytes are.
func parseAddress(text string) (netip.AddrPort, error) {
	words, port, found := strings.Cut(text, ":")
	bytes, err := hex.DecodeString(words)
	if err != nil || !found || len(bytes)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", text)
	}
	for i := 0; i < len(bytes); i += 4 {
		bytes[i], bytes[i+1], bytes[i+2], bytes[i+3] = bytes[i+3], bytes[i+2], bytes[i+1], bytes[i]
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	address, ok := netip.AddrFromSlice(bytes)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", text)
	}
	return netip.AddrPortFrom(address.Unmap(), uint16(number)), nil
}

// Reachable are the sockets that others than this machine may reach: those that wait anywhere but on the
// loopback and on the addresses of the cluster.
func Reachable(sockets []Socket, ours ...netip.Addr) []Socket {
	var found []Socket
next:
	for _, socket := range sockets {
		for _, address := range ours {
			if socket.At.Addr() == address {
				continue next
			}
		}
		if !socket.At.Addr().IsLoopback() {
			found = append(found, socket)
		}
	}
	return found
}
