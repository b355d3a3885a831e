package built

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast.dev/e2e/cluster/home"
	"holdfast.dev/e2e/cluster/process"
)

// written is a cluster whose keys and configuration are there, and of which nothing runs.
func written(t *testing.T) parts {
	t.Helper()
	path, err := os.MkdirTemp("", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(path) })
	h, err := home.At(path)
	if err != nil {
		t.Fatal(err)
	}
	p := parts{
		layout: layout{h}, env: []string{"PATH=/bin"}, runtime: "/usr/bin/containerd", key: "k", secret: "s",
		programs: programs{kubernetes: "/p/kubernetes", storage: "/p/csi", names: "/p/dns", objects: "/p/s3"},
	}
	p.plane = p.layout.plane(p.programs.kubernetes, p.env)
	if err := p.Make(p.folders()...); err != nil {
		t.Fatal(err)
	}
	if err := p.plane.WriteKeys(time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := p.configure(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p parts) all() []process.Spec {
	return append([]process.Spec{
		p.containerd(), p.plane.Etcd(), p.plane.APIServer(), p.plane.ControllerManager(p.kubeletPlugins()),
		p.plane.Scheduler(), p.kubelet(), p.proxy(), p.names(), p.storage(), p.objects(),
	}, p.sidecars()...)
}

// texts are all arguments and all configuration, by where they stand.
func (p parts) texts(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, spec := range p.all() {
		found[spec.Name] = strings.Join(spec.Args[1:], "\n")
	}
	for _, file := range []string{
		p.runtimeConfig(), p.kubeletConfig(), p.proxyConfig(), p.namesConfig(), filepath.Join(p.networkConfig(), "10-holdfast.conflist"),
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found[filepath.Base(file)] = string(text)
	}
	return found
}

func TestEveryKeyThatAComponentReadsIsMade(t *testing.T) {
	p := written(t)
	inKeys := regexp.MustCompile(regexp.QuoteMeta(p.keys()) + `/[a-z.-]+`)
	seen := 0
	for name, text := range p.texts(t) {
		for _, path := range inKeys.FindAllString(text, -1) {
			seen++
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d keys are named: the pattern does not find them", seen)
	}
}

func TestNothingIsWrittenOutsideOfTheHome(t *testing.T) {
	p := written(t)
	path := regexp.MustCompile(`[="]/[^"\s,]+`)
	outside := []string{"/usr/lib/cni"}
	for name, text := range p.texts(t) {
		for _, found := range path.FindAllString(text, -1) {
			found = found[1:]
			if !strings.HasPrefix(found, p.Path()+"/") && !slices.Contains(outside, found) {
				t.Errorf("%s names %s", name, found)
			}
		}
	}
}

func TestComponentsKnowOnlyAddressesOfTheCluster(t *testing.T) {
	p := written(t)
	address := regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+\b`)
	for name, text := range p.texts(t) {
		for _, found := range address.FindAllString(text, -1) {
			at := netip.MustParseAddr(found)
			ours := netip.MustParsePrefix(podRange).Contains(at) || netip.MustParsePrefix(serviceRange).Contains(at)
			// The route of a pod to everywhere leads to the node, whose firewall holds it back.
			everywhere := name == "10-holdfast.conflist" && found == "0.0.0.0"
			if !ours && !at.IsLoopback() && !everywhere {
				t.Errorf("%s names %s", name, found)
			}
		}
	}
	if strings.Contains(p.texts(t)["containerd.toml"], "0.0.0.0") {
		t.Error("containerd would listen everywhere")
	}
}

func TestConfigurationIsJSONWhereItShouldBe(t *testing.T) {
	for name, text := range written(t).texts(t) {
		if !strings.HasSuffix(name, ".json") && !strings.HasSuffix(name, ".conflist") {
			continue
		}
		if !json.Valid([]byte(text)) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestComponentsHaveNamesOfTheirOwn(t *testing.T) {
	var names []string
	for _, spec := range written(t).all() {
		names = append(names, spec.Name)
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("%q", names)
	}
}

func TestTheSecretOfTheStoreIsInNoArgument(t *testing.T) {
	p := written(t)
	p.secret = "a secret"
	spec := p.objects()
	if strings.Contains(strings.Join(spec.Args, " "), p.secret) || !slices.Contains(spec.Env, "ROOT_SECRET_KEY=a secret") {
		t.Errorf("%q", spec)
	}
	if len(p.env) != 1 {
		t.Errorf("others get it, too: %q", p.env)
	}
}

func TestPodsAreReadFromTheRuntimesNotes(t *testing.T) {
	state := t.TempDir()
	folder := filepath.Join(state, "io.containerd.runtime.v2.task", "k8s.io", "0af")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "address"), []byte("unix:///run/containerd/s/77\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := podsOf(state)
	if err != nil || !slices.Equal(got, []pod{{id: "0af", socket: "/run/containerd/s/77"}}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOnlyLinksThatLeadToUsAreRemoved(t *testing.T) {
	from, ours := t.TempDir(), "/var/e2e"
	for name, target := range map[string]string{"a.log": ours + "/pods/a", "b.log": ours + "-other/b", "c.txt": ours + "/c"} {
		if err := os.Symlink(target, filepath.Join(from, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeLinks(from, ours); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil || len(entries) != 2 || entries[0].Name() != "b.log" {
		t.Errorf("left: %v, %v", entries, err)
	}
}
