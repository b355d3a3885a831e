// Every Kubernetes program that the cluster runs, in one file: linked once, they share nearly all of
// their code, and one build makes them all.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	_ "time/tzdata" // the machine may have no time zones, and CronJobs name them

	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// programs by name. Each closure makes its own command and no other: a constructor registers feature
// gates and versions in registries of the process, and two of them get into each other's way.
var programs = map[string]func() int{
	"cri-clean":               cleanRuntime,
	"etcd":                    serveEtcd,
	"kube-apiserver":          func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() int { return cli.Run(controllermanager.NewControllerManagerCommand()) },
	"kube-proxy":              func() int { return cli.Run(proxy.NewProxyCommand()) },
	"kube-scheduler":          func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
	"kubectl":                 runKubectl,
	"kubelet":                 func() int { return cli.Run(kubelet.NewKubeletCommand(context.Background())) },
}

func main() {
	name, args := choose(os.Args)
	os.Args = args
	run, known := programs[name]
	if !known {
		names := strings.Join(slices.Sorted(maps.Keys(programs)), ", ")
		fmt.Fprintf(os.Stderr, "%q is no program of this file: it has %s\n", name, names)
		os.Exit(2)
	}
	os.Exit(run())
}

// choose says which program is meant, and the arguments that it gets: a link to this file is called
// like the program, and the file itself takes the name as its first argument.
func choose(args []string) (string, []string) {
	name := filepath.Base(args[0])
	if _, known := programs[name]; !known && len(args) > 1 {
		return args[1], args[1:]
	}
	return name, args
}

func runKubectl() int {
	// Its own main raises the verbosity before the flags are parsed; without this, -v shows nothing.
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
	return 0
}
