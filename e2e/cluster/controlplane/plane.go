// Package controlplane is etcd and the API server: what every cluster begins with.
package controlplane

import (
	"fmt"
	"path/filepath"
	"time"

	"holdfast.dev/e2e/cluster/pki"
	"holdfast.dev/e2e/cluster/process"
)

// Names of the components.
const (
	Etcd      = "etcd"
	APIServer = "kube-apiserver"
)

// Plane is where the two keep their things, and where they listen.
type Plane struct {
	// Programs is the folder of Kubernetes' programs.
	Programs string
	// Keys is the folder of [pki.Cluster], Data that of etcd, Scratch one that may be anything.
	Keys, Data, Scratch string
	// Address of the API server, and its port.
	Address string
	Port    int
	// EtcdPort and PeerPort are etcd's, on the loopback.
	EtcdPort, PeerPort int
	// ServiceRange is where services get their addresses; ServiceIP is its first, the API server's own.
	ServiceRange, ServiceIP string
	// Node is the name of the node, NodeIP its address.
	Node, NodeIP string
	// Env of both.
	Env []string
	// Flags are more of the API server's.
	Flags []string
}

// WriteKeys makes all keys and certificates of the cluster.
func (p Plane) WriteKeys(now time.Time) error {
	return pki.Cluster{
		Server: p.URL(), Hosts: []string{p.Address, p.ServiceIP}, Node: p.Node, NodeIP: p.NodeIP,
	}.Write(p.Keys, now)
}

// URL of the API server.
func (p Plane) URL() string { return fmt.Sprintf("https://%s:%d", p.Address, p.Port) }

// Kubeconfig is the file of a client.
func (p Plane) Kubeconfig(client string) string { return p.key(client + ".kubeconfig") }

// Program is the path of one of Kubernetes' programs.
func (p Plane) Program(name string) string { return filepath.Join(p.Programs, name) }

func (p Plane) key(name string) string { return filepath.Join(p.Keys, name) }

func (p Plane) etcdURL(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }

// Etcd is how the store is started.
func (p Plane) Etcd() process.Spec {
	return process.Spec{Name: Etcd, Env: p.Env, Args: []string{
		p.Program(Etcd), "--data-dir=" + p.Data,
		"--listen-client=" + p.etcdURL(p.EtcdPort), "--listen-peer=" + p.etcdURL(p.PeerPort),
	}}
}

// APIServer is how the API server is started. It listens on one address alone, and tells pods that same
// one as the end of the service `kubernetes`.
func (p Plane) APIServer() process.Spec {
	args := []string{
		p.Program(APIServer),
		"--etcd-servers=" + p.etcdURL(p.EtcdPort),
		"--bind-address=" + p.Address,
		"--advertise-address=" + p.Address,
		fmt.Sprintf("--secure-port=%d", p.Port),
		"--service-cluster-ip-range=" + p.ServiceRange,
		"--allow-privileged=true",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--client-ca-file=" + p.key("ca.crt"),
		"--tls-cert-file=" + p.key("apiserver.crt"),
		"--tls-private-key-file=" + p.key("apiserver.key"),
		"--cert-dir=" + p.Scratch,
		"--kubelet-client-certificate=" + p.key("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + p.key("apiserver-kubelet-client.key"),
		"--kubelet-certificate-authority=" + p.key("ca.crt"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + p.key("sa.pub"),
		"--service-account-signing-key-file=" + p.key("sa.key"),
		"--requestheader-client-ca-file=" + p.key("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--proxy-client-cert-file=" + p.key("front-proxy-client.crt"),
		"--proxy-client-key-file=" + p.key("front-proxy-client.key"),
	}
	return process.Spec{Name: APIServer, Env: p.Env, Args: append(args, p.Flags...)}
}
