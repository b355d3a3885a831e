package machine

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSettingsComeBackAsTheyWere(t *testing.T) {
	s := Settings{Folder: t.TempDir()}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(s.Folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	for name, value := range map[string]string{"net/ipv4/ip_forward": "0\n", "kernel/panic": "-1\n"} {
		path := filepath.Join(s.Folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	saved, err := s.Save()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Route(); err != nil {
		t.Fatal(err)
	}
	if got := read("net/ipv4/ip_forward"); got != "1" {
		t.Errorf("forwarding is %q", got)
	}
	if err := s.Restore(saved); err != nil {
		t.Fatal(err)
	}
	if a, b := read("net/ipv4/ip_forward"), read("kernel/panic"); a != "0" || b != "-1" {
		t.Errorf("restored: %q, %q", a, b)
	}
}

func TestMountsBelowAFolderAreFoundLastFirst(t *testing.T) {
	table := `21 1 254:0 / / rw - ext4 /dev/vda rw
22 21 0:1 / /var/e2e/kubelet rw shared:1 - ext4 /dev/vda rw
23 22 0:2 / /var/e2e/kubelet/a\040b rw - tmpfs tmpfs rw
24 21 0:3 / /var/e2e-other rw - tmpfs tmpfs rw
25 21 0:4 / /var/e2e rw - tmpfs tmpfs rw
`
	got := mountsBelow(table, "/var/e2e")
	if want := []string{"/var/e2e", "/var/e2e/kubelet/a b", "/var/e2e/kubelet"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for text, want := range map[string]string{`a\134b`: `a\b`, `\04`: `\04`, `\999`: `\999`} {
		if got := unescape(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestRangesThatTheMachineUsesAreNamed(t *testing.T) {
	const routes = "default via 192.0.2.1 dev eth0\n192.0.2.0/24 dev eth0 scope link\nlocal 10.96.4.4 dev x table local\n"
	const resolvers = "# none\nnameserver 10.88.7.7\nnameserver fd00::1\nsearch example\n"
	for text, want := range map[string]string{
		"10.89.0.0/16": "", "10.88.0.0/16": "name server 10.88.7.7", "10.96.0.0/16": "10.96.4.4 dev x", "192.0.0.0/16": "192.0.2.0/24",
	} {
		err := checkFree(routes, resolvers, []netip.Prefix{netip.MustParsePrefix(text)})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSocketsAreReadFromTheKernelsTables(t *testing.T) {
	const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2EDB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1060 1 0 100 0 0 10 0
   1: 0100580A:192B 0200580A:0050 01 00000000:00000000 00:00000000 00000000     0        0 1061 1 0 100 0 0 10 0
   2: 00000000:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1062 1 0 100 0 0 10 0
`
	const udp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  9: 000080FE00000000FF00FC0201000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1063 2 0 0
  9: 0000000000000000FFFF00000100007F:0036 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1064 2 0 0
`
	var got []string
	for protocol, table := range map[string]string{"tcp": tcp, "udp6": udp6} {
		sockets, err := parseSockets(protocol, table)
		if err != nil {
			t.Fatal(err)
		}
		for _, socket := range sockets {
			got = append(got, socket.String()+" "+socket.inode)
		}
	}
	slices.Sort(got)
	want := []string{
		"tcp 0.0.0.0:53 1062", "tcp 127.0.0.1:11995 1060", "udp6 127.0.0.1:54 1064", "udp6 [fe80::2fc:ff:0:1]:53 1063",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if _, err := parseSockets("tcp", "titles\n0: xyz:1 0:0 0A 0 0 0 0 0 1 0"); err == nil {
		t.Error("what is no address was read")
	}
}

func TestASocketThatOthersReachIsFound(t *testing.T) {
	inside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	outside, err := net.ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	found, err := Sockets(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	open := Reachable(found)
	if len(found) != 2 || len(open) != 1 || open[0].Protocol != "udp" {
		t.Errorf("found %v, reachable %v", found, open)
	}
	if still := Reachable(found, netip.MustParseAddr("0.0.0.0")); len(still) != 0 {
		t.Errorf("an address of ours counts as another's: %v", still)
	}
}

func TestWhatIsNoProgramIsNotStatic(t *testing.T) {
	if isStatic("/etc/passwd") || isStatic("/no/such/file") {
		t.Error("what is no program is static")
	}
}

func TestAFolderIsEmptiedToTheLastFile(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"a/b", "marker", "z"} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Empty(folder, "marker"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
