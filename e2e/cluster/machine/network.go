package machine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Bridge is the node's own network: it carries the address of the node, and pods join it.
type Bridge struct {
	Name string
	// Address of the node, with the length of the network's prefix.
	Address netip.Prefix
}

// Owner is what the bridge says whose it is, or nothing where there is no bridge.
func (b Bridge) Owner() (string, error) {
	text, err := os.ReadFile(filepath.Join("/sys/class/net", b.Name, "ifalias"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// Up makes the bridge, marks it with its owner, and switches on the firewall around it.
func (b Bridge) Up(ctx context.Context, owner string) error {
	for _, args := range [][]string{
		{"link", "add", b.Name, "type", "bridge"},
		{"link", "set", b.Name, "alias", owner},
		{"addr", "add", b.Address.String(), "dev", b.Name},
	} {
		if _, err := Run(ctx, "ip", args...); err != nil {
			return err
		}
	}
	// No packet passes before the firewall is there.
	if _, err := RunWith(ctx, b.rules(), "nft", "-f", "-"); err != nil {
		return err
	}
	_, err := Run(ctx, "ip", "link", "set", b.Name, "up")
	return err
}

// rules keep the cluster to itself: nothing is forwarded from the bridge to another interface, nor from
// one to the bridge. The node itself is reached, as it is no other interface.
func (b Bridge) rules() string {
	return fmt.Sprintf(`table inet %[1]s {
	counter out { }
	counter in { }
	chain forward {
		type filter hook forward priority -10; policy accept;
		iifname "%[1]s" oifname != "%[1]s" counter name out drop
		iifname != "%[1]s" oifname "%[1]s" counter name in drop
	}
}
`, b.Name)
}

// Held is how many packets from the bridge the firewall has held back.
func (b Bridge) Held(ctx context.Context) (int, error) {
	said, err := Run(ctx, "nft", "list", "counter", "inet", b.Name, "out")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(said)
	for i, field := range fields {
		if field == "packets" && i+1 < len(fields) {
			var packets int
			_, err := fmt.Sscan(fields[i+1], &packets)
			return packets, err
		}
	}
	return 0, fmt.Errorf("nft names no packets: %q", said)
}

// Down takes away what [Bridge.Up] made, as far as it is there.
func (b Bridge) Down(ctx context.Context) error {
	failed := []error{DeleteTables(ctx, "inet "+b.Name)}
	if _, err := os.Stat(filepath.Join("/sys/class/net", b.Name)); err == nil {
		_, err := Run(ctx, "ip", "link", "delete", b.Name)
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// DeleteTables deletes tables of the firewall, by family and name, as far as they are there.
func DeleteTables(ctx context.Context, tables ...string) error {
	there, err := Run(ctx, "nft", "list", "tables")
	failed := []error{err}
	for line := range strings.Lines(there) {
		table, _ := strings.CutPrefix(strings.TrimSpace(line), "table ")
		if slices.Contains(tables, table) {
			_, err := Run(ctx, "nft", append([]string{"delete", "table"}, strings.Fields(table)...)...)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// CheckFree says which of the machine's routes or name servers lie in a range that the cluster wants. What
// is routed to the cluster would not be reached any more.
func CheckFree(ctx context.Context, wanted ...netip.Prefix) error {
	routes, err := Run(ctx, "ip", "-4", "route", "show", "table", "all")
	if err != nil {
		return err
	}
	resolvers, err := os.ReadFile("/etc/resolv.conf")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return checkFree(routes, string(resolvers), wanted)
}

func checkFree(routes, resolvers string, wanted []netip.Prefix) error {
	taken := map[string]netip.Prefix{}
	for line := range strings.Lines(routes) {
		// The network stands first, or behind the kind of the route. The default is no network.
		fields := strings.Fields(line)
		for _, field := range fields[:min(2, len(fields))] {
			if prefix, err := parsePrefix(field); err == nil && fields[0] != "default" {
				taken["a route ("+strings.TrimSpace(line)+")"] = prefix
			}
		}
	}
	for line := range strings.Lines(resolvers) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if address, err := netip.ParseAddr(fields[1]); err == nil {
			taken["the name server "+fields[1]] = netip.PrefixFrom(address, address.BitLen())
		}
	}
	for who, used := range taken {
		for _, range_ := range wanted {
			if used.Overlaps(range_) {
				return fmt.Errorf("the cluster would take %s, in which this machine has %s", range_, who)
			}
		}
	}
	return nil
}

// parsePrefix reads what ip writes: a network, or one address of it.
func parsePrefix(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}
