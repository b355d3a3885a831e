package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// controller makes and removes volumes and snapshots.
type controller struct {
	csi.UnimplementedControllerServer
	store *store
}

func (*controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	answer := &csi.ControllerGetCapabilitiesResponse{}
	for _, kind := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
		// Without it the access mode ReadWriteOncePod is refused.
		csi.ControllerServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		rpc := &csi.ControllerServiceCapability_RPC{Type: kind}
		answer.Capabilities = append(answer.Capabilities,
			&csi.ControllerServiceCapability{Type: &csi.ControllerServiceCapability_Rpc{Rpc: rpc}})
	}
	return answer, nil
}

func (c *controller) CreateVolume(_ context.Context, q *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	var from *origin
	switch source := q.GetVolumeContentSource(); {
	case source.GetSnapshot() != nil:
		from = &origin{snapshots, source.GetSnapshot().GetSnapshotId()}
	case source.GetVolume() != nil:
		from = &origin{volumes, source.GetVolume().GetVolumeId()}
	}
	volume, err := c.store.make(volumes, q.GetName(), from, q.GetCapacityRange().GetRequiredBytes(), time.Now())
	if err != nil {
		return nil, coded(err)
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId: volume.ID, CapacityBytes: volume.Bytes, ContentSource: q.GetVolumeContentSource(),
	}}, nil
}

func (c *controller) DeleteVolume(_ context.Context, q *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	return &csi.DeleteVolumeResponse{}, coded(c.store.remove(volumes, q.GetVolumeId()))
}

func (c *controller) ValidateVolumeCapabilities(_ context.Context, q *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if _, err := c.store.find(volumes, q.GetVolumeId()); err != nil {
		return nil, coded(err)
	}
	for _, capability := range q.GetVolumeCapabilities() {
		if capability.GetBlock() != nil {
			return &csi.ValidateVolumeCapabilitiesResponse{Message: "a volume here is a folder, no device"}, nil
		}
	}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
		VolumeCapabilities: q.GetVolumeCapabilities(),
	}}, nil
}

func (c *controller) CreateSnapshot(_ context.Context, q *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	volume, err := c.store.find(volumes, q.GetSourceVolumeId())
	if err != nil {
		return nil, coded(err)
	}
	taken, err := c.store.make(snapshots, q.GetName(), &origin{volumes, volume.ID}, volume.Bytes, time.Now())
	if err != nil {
		return nil, coded(err)
	}
	return &csi.CreateSnapshotResponse{Snapshot: &csi.Snapshot{
		SnapshotId: taken.ID, SourceVolumeId: taken.Source, SizeBytes: taken.Bytes,
		CreationTime: timestamppb.New(taken.Created), ReadyToUse: true,
	}}, nil
}

func (c *controller) DeleteSnapshot(_ context.Context, q *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	return &csi.DeleteSnapshotResponse{}, coded(c.store.remove(snapshots, q.GetSnapshotId()))
}

// coded is the code that the callers decide by: whether to try again, and with what.
func coded(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errName):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, errSource):
		return status.Error(codes.AlreadyExists, err.Error())
	case errors.Is(err, fs.ErrNotExist):
		return status.Error(codes.NotFound, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}
