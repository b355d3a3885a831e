// The clusters of the end-to-end tests: starts one, tests it, breaks it on request, and ends it. It is
// called by `e2e/run`, which builds it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"holdfast.dev/e2e/cluster/process"
)

const usage = `usage: e2e/run [VERB] [--provider NAME] [--state DIR] [--failed DIR] [ARGUMENT...]

  (none)              up, all scenarios, down
  up                  start a cluster; prints the path of its kubeconfig
  test [NAME]         run all scenarios, or those with NAME in their name, on the cluster that is up
  down                end the cluster and give back all that it took
  status              what runs
  kill COMPONENT      end one at once, as a crash would
  restart COMPONENT   start one again as it was started, and those that end with it
  load PROGRAM        pack a program with its libraries as an image, and give it to the cluster
  kubectl ARGUMENT... speak to the cluster
  build               only build the programs of a cluster

providers:
  built               one node on this machine, of programs that are built here (the default)
  apiserver           etcd and an API server only; needs no root, several at once
  kind                by Docker; the default where HOLDFAST_E2E_NODE_IMAGE names an image of a node
`

// errUsage is in an error after which the usage helps.
var errUsage = errors.New("see the usage")

// verbs by name.
var verbs = map[string]func(context.Context, options) error{
	"all": all, "up": up, "test": test, "down": down, "status": status,
	"kill": kill, "restart": restart, "load": load, "kubectl": callKubectl, "build": buildAll,
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "launch" {
		fmt.Fprintln(os.Stderr, process.Launch(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	// The first signal ends in good order, a second one at once.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:])
	var ended *exec.ExitError
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "e2e/run: %v\n\n%s", err, usage)
		os.Exit(2)
	case errors.As(err, &ended) && ended.ExitCode() > 0:
		fmt.Fprintln(os.Stderr, "e2e/run:", err)
		os.Exit(ended.ExitCode())
	default:
		fmt.Fprintln(os.Stderr, "e2e/run:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	// Who is root by other means than a login may not have these.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin"); err != nil {
		return err
	}
	name, args := "all", args
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		name, args = args[0], args[1:]
	}
	verb, known := verbs[name]
	if !known {
		return fmt.Errorf("there is no verb %q: %w", name, errUsage)
	}
	o, err := parse(name, args)
	if err != nil {
		return err
	}
	return verb(ctx, o)
}
