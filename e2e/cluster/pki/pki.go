// Package pki makes the keys of a cluster: its two authorities, a certificate for each component, and
// the files by which clients reach the API server.
package pki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Names by which the API server knows its clients are fixed in its own rules of access.
const (
	masters = "system:masters"
	nodes   = "system:nodes"
)

// Admin is the client that may do everything.
const Admin = "admin"

// Cluster is what the certificates have to name.
type Cluster struct {
	// Server is the URL of the API server.
	Server string
	// Addresses and names at which the API server is asked.
	Hosts []string
	// Node is the name of the node, NodeIP its address.
	Node, NodeIP string
}

// leaf is one certificate with its key.
type leaf struct {
	file  string
	name  string
	group string
	hosts []string
	// front is whether it is signed by the authority of proxies in front of the API server.
	front bool
	// client is whether it also gets a file that clients read.
	client bool
}

func (c Cluster) leaves() []leaf {
	local := []string{"localhost", "127.0.0.1"}
	node := "system:node:" + c.Node
	kubernetes := []string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	}
	return []leaf{
		{file: "apiserver", name: "kube-apiserver", hosts: append(append(kubernetes, local...), c.Hosts...)},
		{file: "apiserver-kubelet-client", name: "kube-apiserver-kubelet-client", group: masters},
		{file: "front-proxy-client", name: "front-proxy-client", front: true},
		{file: "kubelet-server", name: node, group: nodes, hosts: append([]string{c.Node, c.NodeIP}, local...)},
		{file: Admin, name: "holdfast-e2e", group: masters, client: true},
		{file: "kubelet", name: node, group: nodes, client: true},
		{file: "kube-controller-manager", name: "system:kube-controller-manager", hosts: local, client: true},
		{file: "kube-scheduler", name: "system:kube-scheduler", hosts: local, client: true},
		{file: "kube-proxy", name: "system:kube-proxy", client: true},
	}
}

// Write makes all of it anew below a folder that it makes. Certificates are valid for a year, from an
// hour ago, as clocks differ.
func (c Cluster) Write(folder string, now time.Time) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	put := func(name string, text []byte) error { return os.WriteFile(filepath.Join(folder, name), text, 0o600) }
	cluster, err := newAuthority("holdfast-e2e", now)
	if err != nil {
		return err
	}
	front, err := newAuthority("holdfast-e2e-front-proxy", now)
	if err != nil {
		return err
	}
	for name, authority := range map[string]*pair{"ca": cluster, "front-proxy-ca": front} {
		if err := authority.save(put, name); err != nil {
			return err
		}
	}
	for _, l := range c.leaves() {
		authority := cluster
		if l.front {
			authority = front
		}
		made, err := authority.sign(l, now)
		if err != nil {
			return fmt.Errorf("certificate %s: %w", l.file, err)
		}
		if err := made.save(put, l.file); err != nil {
			return err
		}
		if !l.client {
			continue
		}
		config, err := kubeconfig(c.Server, cluster, made)
		if err != nil {
			return err
		}
		if err := put(l.file+".kubeconfig", config); err != nil {
			return err
		}
	}
	return writeTokenKey(put)
}

// writeTokenKey makes the key that signs the tokens of ServiceAccounts.
func writeTokenKey(put func(string, []byte) error) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	private := pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := put("sa.key", pem.EncodeToMemory(&private)); err != nil {
		return err
	}
	return put("sa.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
}
