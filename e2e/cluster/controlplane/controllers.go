package controlplane

import "holdfast.dev/e2e/cluster/process"

// Names of the components.
const (
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
)

// ControllerManager is how the controllers are started. Pods get their addresses from the runtime's
// network, so no ranges are dealt out to nodes.
func (p Plane) ControllerManager(plugins string) process.Spec {
	args := append(p.controller(ControllerManager),
		"--root-ca-file="+p.key("ca.crt"),
		"--cluster-signing-cert-file="+p.key("ca.crt"),
		"--cluster-signing-key-file="+p.key("ca.key"),
		"--service-account-private-key-file="+p.key("sa.key"),
		"--use-service-account-credentials=true",
		"--cert-dir="+p.Scratch,
		"--flex-volume-plugin-dir="+plugins,
	)
	return process.Spec{Name: ControllerManager, Env: p.Env, Args: args}
}

// Scheduler is how the scheduler is started.
func (p Plane) Scheduler() process.Spec {
	return process.Spec{Name: Scheduler, Env: p.Env, Args: p.controller(Scheduler)}
}

// controller is what both have in common: their own client, their own certificate, and no election, as
// there is one of each.
func (p Plane) controller(name string) []string {
	own := p.Kubeconfig(name)
	return []string{
		p.Program(name),
		"--kubeconfig=" + own, "--authentication-kubeconfig=" + own, "--authorization-kubeconfig=" + own,
		"--bind-address=127.0.0.1",
		"--tls-cert-file=" + p.key(name+".crt"), "--tls-private-key-file=" + p.key(name+".key"),
		"--client-ca-file=" + p.key("ca.crt"),
		"--requestheader-client-ca-file=" + p.key("front-proxy-ca.crt"),
		"--leader-elect=false",
	}
}
