package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	criclient "k8s.io/cri-client/pkg"
	"k8s.io/klog/v2"
)

// How long one call to the runtime may take.
const runtimeCall = 60 * time.Second

// cleanRuntime stops and removes every pod of a container runtime. The runtime itself then ends their
// processes and gives back namespaces, addresses, mounts and control groups: nobody else knows them all.
func cleanRuntime() int {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: cri-clean ENDPOINT")
		return 2
	}
	removed, err := removePods(context.Background(), os.Args[1])
	fmt.Printf("removed %d pods\n", removed)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// removePods goes on after a pod that does not go, and names each of them.
func removePods(ctx context.Context, endpoint string) (int, error) {
	logger := klog.Background()
	runtime, err := criclient.NewRemoteRuntimeService(endpoint, runtimeCall, nil, &logger)
	if err != nil {
		return 0, err
	}
	pods, err := runtime.ListPodSandbox(ctx, nil)
	if err != nil {
		return 0, err
	}
	removed, failed := 0, []error(nil)
	for _, pod := range pods {
		err := runtime.StopPodSandbox(ctx, pod.Id)
		if err == nil {
			err = runtime.RemovePodSandbox(ctx, pod.Id)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("pod %s: %w", pod.Metadata.Name, err))
			continue
		}
		removed++
	}
	return removed, errors.Join(failed...)
}
