package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
)

// nodeService mounts volumes where the kubelet wants them.
type nodeService struct {
	csi.UnimplementedNodeServer
	name  string
	store *store
}

// NodeGetInfo names no topology: a volume then carries no affinity, on a cluster that has one node.
func (n nodeService) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: n.name}, nil
}

func (nodeService) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	rpc := &csi.NodeServiceCapability_RPC{Type: csi.NodeServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER}
	return &csi.NodeGetCapabilitiesResponse{Capabilities: []*csi.NodeServiceCapability{
		{Type: &csi.NodeServiceCapability_Rpc{Rpc: rpc}},
	}}, nil
}

func (n nodeService) NodePublishVolume(_ context.Context, q *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	volume, err := n.store.find(volumes, q.GetVolumeId())
	if err != nil {
		return nil, coded(err)
	}
	return &csi.NodePublishVolumeResponse{}, coded(bind(n.store.path(volumes, volume.ID), q.GetTargetPath(), q.GetReadonly()))
}

func (nodeService) NodeUnpublishVolume(_ context.Context, q *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	return &csi.NodeUnpublishVolumeResponse{}, coded(unbind(q.GetTargetPath()))
}

// bind mounts a folder at a target, once.
func bind(from, to string, readOnly bool) error {
	there, err := isMounted(to)
	if err != nil || there {
		return err
	}
	if err := os.MkdirAll(to, 0o750); err != nil {
		return err
	}
	if err := syscall.Mount(from, to, "", syscall.MS_BIND, ""); err != nil {
		return os.NewSyscallError("mount "+to, err)
	}
	if !readOnly {
		return nil
	}
	// The kernel takes this flag only for a mount that exists.
	flags := uintptr(syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY)
	return os.NewSyscallError("remount "+to, syscall.Mount("", to, "", flags, ""))
}

func unbind(target string) error {
	for {
		there, err := isMounted(target)
		if err != nil {
			return err
		}
		if !there {
			break
		}
		if err := syscall.Unmount(target, 0); err != nil {
			return os.NewSyscallError("umount "+target, err)
		}
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func isMounted(target string) (bool, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == target {
			return true, nil
		}
	}
	return false, nil
}
