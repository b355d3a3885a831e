// Package built is a cluster of one node on this machine, out of programs that were built here, as plain
// processes: for machines on which no image can be pulled.
package built

import (
	"net/netip"

	"holdfast.dev/e2e/cluster/controlplane"
	"holdfast.dev/e2e/cluster/home"
	"holdfast.dev/e2e/cluster/machine"
)

// Names and addresses of the cluster. They are the same each time, and there is one cluster at a time: the
// runtime and the kubelet have places on a machine that cannot be moved.
const (
	node         = "holdfast-node"
	podRange     = "10.88.0.0/16"
	podFirst     = "10.88.1.1"
	nodeIP       = "10.88.0.1"
	serviceRange = "10.96.0.0/16"
	serviceIP    = "10.96.0.1"
	domain       = "cluster.local"
)

// bridge carries the address of the node, and is the gateway of its pods: the kubelet takes no address of
// the loopback for a node, and so nothing has to listen where others could reach it.
var bridge = machine.Bridge{Name: "holdfast0", Address: netip.MustParsePrefix(nodeIP + "/16")}

// Ports on the address of the node.
const (
	portNames      = 53
	portAPI        = 6443
	portObjects    = 7070
	portKubelet    = 10250
	portEtcd       = 12379
	portPeer       = 12380
	portNamesReady = 18181
)

// Classes, and the driver behind them.
const (
	driver        = "volumes.holdfast.invalid"
	storageClass  = "volumes"
	snapshotClass = "snapshots"
)

// Components beside those of the control plane.
const (
	containerd         = "containerd"
	kubelet            = "kubelet"
	proxy              = "kube-proxy"
	names              = "coredns"
	storage            = "csi-driver"
	provisioner        = "csi-provisioner"
	snapshotter        = "csi-snapshotter"
	snapshotController = "snapshot-controller"
	objects            = "versitygw"
)

// How much the volumes can hold together. The file behind them takes what is written.
const diskBytes = 8 << 30

// Files in which stands how the machine was before.
const (
	settingsFile = "settings.json"
	placesFile   = "places.json"
)

// layout is where things are below the home.
type layout struct{ *home.Home }

func (l layout) keys() string            { return l.Path("pki") }
func (l layout) scratch() string         { return l.Path("scratch") }
func (l layout) runtimeRoot() string     { return l.Path("containerd", "root") }
func (l layout) runtimeState() string    { return l.Path("containerd", "state") }
func (l layout) runtimeSocket() string   { return l.Path("containerd.sock") }
func (l layout) runtimeConfig() string   { return l.Path("containerd.toml") }
func (l layout) networkConfig() string   { return l.Path("cni", "conf") }
func (l layout) networkLeases() string   { return l.Path("cni", "leases") }
func (l layout) kubeletRoot() string     { return l.Path("kubelet") }
func (l layout) kubeletConfig() string   { return l.Path("kubelet.json") }
func (l layout) kubeletPlugins() string  { return l.Path("kubelet", "volumeplugins") }
func (l layout) kubeletRegistry() string { return l.Path("kubelet", "plugins_registry") }
func (l layout) podLogs() string         { return l.Path("pods") }
func (l layout) proxyConfig() string     { return l.Path("kube-proxy.json") }
func (l layout) namesConfig() string     { return l.Path("Corefile") }
func (l layout) disk() string            { return l.Path("volumes.btrfs") }
func (l layout) volumes() string         { return l.Path("volumes") }
func (l layout) storageSocket() string   { return l.Path("csi", "csi.sock") }
func (l layout) objectsFolder() string   { return l.Path("s3") }
func (l layout) kubectlCache() string    { return l.Path("home", "kubectl") }
func (l layout) settings() string        { return l.Path(settingsFile) }
func (l layout) places() string          { return l.Path(placesFile) }

// folders are made before anything starts.
func (l layout) folders() []string {
	return []string{
		"home", "scratch", "images", "cni/conf", "cni/leases", "kubelet", "pods", "volumes", "csi", "s3/" + bucket,
	}
}

// plane is the control plane of this cluster.
func (l layout) plane(programs string, env []string) controlplane.Plane {
	return controlplane.Plane{
		Programs: programs, Keys: l.keys(), Data: l.Path("etcd"), Scratch: l.scratch(),
		Address: nodeIP, Port: portAPI, EtcdPort: portEtcd, PeerPort: portPeer,
		ServiceRange: serviceRange, ServiceIP: serviceIP, Node: node, NodeIP: nodeIP, Env: env,
	}
}
