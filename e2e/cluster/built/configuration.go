package built

import (
	"encoding/json"
	"fmt"
	"strings"

	"holdfast.dev/e2e/cluster/image"
	"holdfast.dev/e2e/cluster/machine"
)

type object map[string]any

// configure writes the files that components read. JSON is YAML as well, and nobody has to quote.
func (l layout) configure() error {
	for name, content := range map[string]object{
		"kubelet.json":                  l.kubeletObject(),
		"kube-proxy.json":               l.proxyObject(),
		"cni/conf/10-holdfast.conflist": l.networkObject(),
	} {
		text, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return err
		}
		if err := l.Put(name, text); err != nil {
			return err
		}
	}
	if err := l.Put("containerd.toml", []byte(l.runtimeText())); err != nil {
		return err
	}
	return l.Put("Corefile", []byte(l.namesText()))
}

func (l layout) kubeletObject() object {
	nothing := object{}
	for _, signal := range []string{
		"memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree",
	} {
		nothing[signal] = "0%"
	}
	return object{
		"apiVersion":         "kubelet.config.k8s.io/v1beta1",
		"kind":               "KubeletConfiguration",
		"address":            nodeIP,
		"port":               portKubelet,
		"readOnlyPort":       0,
		"healthzBindAddress": "127.0.0.1",
		"authentication": object{
			"anonymous": object{"enabled": false},
			"webhook":   object{"enabled": true},
			"x509":      object{"clientCAFile": l.keys() + "/ca.crt"},
		},
		"authorization":            object{"mode": "Webhook"},
		"tlsCertFile":              l.keys() + "/kubelet-server.crt",
		"tlsPrivateKeyFile":        l.keys() + "/kubelet-server.key",
		"containerRuntimeEndpoint": "unix://" + l.runtimeSocket(),
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               "/",
		// Machines for tests often have version 1 of control groups, and swap.
		"failCgroupV1": false,
		"failSwapOn":   false,
		// There may be no iptables.
		"makeIPTablesUtilChains": false,
		"serializeImagePulls":    false,
		// A full disk is the business of tests. And images that were removed to make room could not be had
		// again.
		"evictionHard":                nothing,
		"imageGCHighThresholdPercent": 100,
		"imageGCLowThresholdPercent":  99,
		// Else pods ask the machine's own name server for what the cluster's does not know.
		"resolvConf":    "",
		"clusterDNS":    []string{nodeIP},
		"clusterDomain": domain,
		// By default these two are not below the root of the kubelet.
		"podLogsDir":                l.podLogs(),
		"volumePluginDir":           l.kubeletPlugins(),
		"syncFrequency":             "10s",
		"nodeStatusUpdateFrequency": "5s",
	}
}

func (l layout) proxyObject() object {
	return object{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"bindAddress":        nodeIP,
		"healthzBindAddress": "127.0.0.1:10256",
		"metricsBindAddress": "127.0.0.1:10249",
		"clientConnection":   object{"kubeconfig": l.keys() + "/kube-proxy.kubeconfig"},
		"hostnameOverride":   node,
		// Else the port of a service is open on every address that the machine has.
		"nodePortAddresses": []string{nodeIP + "/32"},
		// iptables would leave tables behind.
		"mode":        "nftables",
		"clusterCIDR": podRange,
		// Zero leaves the machine's settings as they are.
		"conntrack": object{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
	}
}

// networkObject connects pods by the bridge. No address is translated on the way out, since there is none.
func (l layout) networkObject() object {
	return object{
		"cniVersion": "1.0.0",
		"name":       "holdfast",
		"plugins": []object{{
			"type": "bridge", "bridge": bridge.Name, "isGateway": true, "ipMasq": false, "hairpinMode": true,
			"ipam": object{
				"type":    "host-local",
				"dataDir": l.networkLeases(),
				"ranges":  [][]object{{{"subnet": podRange, "rangeStart": podFirst, "gateway": nodeIP}}},
				"routes":  []object{{"dst": "0.0.0.0/0"}},
			},
		}},
	}
}

// runtimeText configures containerd from 1.6 on. The path of the home needs no quotes of its own: see
// [home.At].
func (l layout) runtimeText() string {
	const cri = `plugins."io.containerd.grpc.v1.cri"`
	lines := []string{
		`version = 2`,
		`root = "` + l.runtimeRoot() + `"`,
		`state = "` + l.runtimeState() + `"`,
		`disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",`,
		`  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",`,
		`  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]`,
		`[grpc]`,
		`address = "` + l.runtimeSocket() + `"`,
		`[plugins."io.containerd.internal.v1.opt"]`,
		`path = "` + l.Path("containerd", "opt") + `"`,
		`[` + cri + `]`,
		`sandbox_image = "` + image.PauseReference + `"`,
		`netns_mounts_under_state_dir = true`,
		// Without CAP_SYS_RESOURCE, which containers often lack, no score can be lowered, and every pod would
		// fail to start.
		`restrict_oom_score_adj = true`,
		`disable_tcp_service = true`,
		`stream_server_address = "127.0.0.1"`,
		`stream_server_port = "0"`,
		`enable_selinux = false`,
		`disable_apparmor = true`,
		`[` + cri + `.cni]`,
		`bin_dir = "` + machine.Plugins + `"`,
		`conf_dir = "` + l.networkConfig() + `"`,
		`[` + cri + `.containerd]`,
		`snapshotter = "overlayfs"`,
		`default_runtime_name = "runc"`,
		`[` + cri + `.containerd.runtimes.runc]`,
		`runtime_type = "io.containerd.runc.v2"`,
		`[` + cri + `.containerd.runtimes.runc.options]`,
		`SystemdCgroup = false`,
		`Root = "` + l.Path("containerd", "runc") + `"`,
	}
	return strings.Join(lines, "\n") + "\n"
}

// namesText configures the name server. What it does not know does not exist: a program that asks for a
// name outside must not wait for an answer that never comes.
func (l layout) namesText() string {
	return fmt.Sprintf(`.:%d {
  bind %s
  errors
  ready 127.0.0.1:%d
  kubernetes %s in-addr.arpa ip6.arpa {
    kubeconfig %s/admin.kubeconfig
    pods insecure
    ttl 5
  }
  template ANY ANY . {
    rcode NXDOMAIN
  }
}
`, portNames, nodeIP, portNamesReady, domain, l.keys())
}
