package built

import (
	"fmt"
	"path/filepath"

	"holdfast.dev/e2e/cluster/controlplane"
	"holdfast.dev/e2e/cluster/pki"
	"holdfast.dev/e2e/cluster/process"
)

// programs are the folders in which the units' programs lie.
type programs struct{ kubernetes, pause, storage, names, objects string }

// parts are how all components of one cluster are started.
type parts struct {
	layout
	programs programs
	plane    controlplane.Plane
	env      []string
	// runtime is the path of containerd.
	runtime string
	// key and secret of the S3 server.
	key, secret string
}

func (p parts) spec(name string, args ...string) process.Spec {
	return process.Spec{Name: name, Args: args, Env: p.env}
}

// containerd asks for images where nobody answers: an image that was not loaded is an error at once, and
// no name is looked up outside for it.
func (p parts) containerd() process.Spec {
	spec := p.spec(containerd, p.runtime, "--config", p.runtimeConfig())
	spec.Env = append(append([]string{}, p.env...), "HTTP_PROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1")
	return spec
}

func (p parts) kubelet() process.Spec {
	return p.spec(kubelet, p.plane.Program(kubelet),
		"--config="+p.kubeletConfig(),
		"--kubeconfig="+p.plane.Kubeconfig(kubelet),
		"--root-dir="+p.kubeletRoot(),
		"--cert-dir="+filepath.Join(p.kubeletRoot(), "pki"),
		"--hostname-override="+node,
		"--node-ip="+nodeIP,
	)
}

func (p parts) proxy() process.Spec {
	return p.spec(proxy, p.plane.Program(proxy), "--config="+p.proxyConfig())
}

func (p parts) names() process.Spec {
	return p.spec(names, filepath.Join(p.programs.names, "coredns"), "-conf", p.namesConfig())
}

func (p parts) storage() process.Spec {
	spec := p.spec(storage, filepath.Join(p.programs.storage, "csi-driver"),
		"--name="+driver, "--folder="+p.volumes(), "--node="+node,
		"--socket="+p.storageSocket(), "--plugins="+p.kubeletRegistry())
	// They end with their connection to the driver. In a pod, the kubelet would start them again.
	spec.Followers = []string{provisioner, snapshotter}
	return spec
}

// sidecars stand between the API server and the driver.
func (p parts) sidecars() []process.Spec {
	admin := "--kubeconfig=" + p.plane.Kubeconfig(pki.Admin)
	socket := "--csi-address=" + p.storageSocket()
	program := func(name string) string { return filepath.Join(p.programs.storage, name) }
	return []process.Spec{
		p.spec(snapshotController, program("snapshot-controller"), admin, "--leader-election=false"),
		p.spec(provisioner, program("csi-provisioner"), admin, socket, "--leader-election=false"),
		p.spec(snapshotter, program("csi-snapshotter"), admin, socket, "--leader-election=false"),
	}
}

func (p parts) objects() process.Spec {
	spec := p.spec(objects, filepath.Join(p.programs.objects, "versitygw"),
		"--port", fmt.Sprintf("%s:%d", nodeIP, portObjects), "posix", p.objectsFolder())
	spec.Env = append(append([]string{}, p.env...), "ROOT_ACCESS_KEY="+p.key, "ROOT_SECRET_KEY="+p.secret)
	return spec
}
