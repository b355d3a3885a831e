// The storage of the cluster: a CSI driver for one node, whose volumes are subvolumes of a btrfs and
// whose snapshots are therefore atomic, also under a program that writes.
//
// It registers itself with the kubelet, so that no registrar has to run beside it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

func main() {
	name := flag.String("name", "", "name of the driver, as a StorageClass calls it")
	folder := flag.String("folder", "", "a btrfs, or a folder in one: where the volumes are kept")
	node := flag.String("node", "", "name of the node")
	socket := flag.String("socket", "", "where the driver listens")
	plugins := flag.String("plugins", "", "the kubelet's folder of plugins' sockets")
	flag.Parse()
	if err := serve(*name, *folder, *node, *socket, *plugins); err != nil {
		log.Fatal(err)
	}
}

func serve(name, folder, node, socket, plugins string) error {
	if err := requireBtrfs(folder); err != nil {
		return err
	}
	kept, err := openStore(folder, btrfs{})
	if err != nil {
		return err
	}
	driver := grpc.NewServer()
	csi.RegisterIdentityServer(driver, identity{name: name})
	csi.RegisterControllerServer(driver, &controller{store: kept})
	csi.RegisterNodeServer(driver, nodeService{name: node, store: kept})
	announce := grpc.NewServer()
	registration.RegisterRegistrationServer(announce, announcement{name: name, endpoint: socket})

	ended := make(chan error, 2)
	if err := listen(driver, socket, ended); err != nil {
		return err
	}
	// The kubelet calls as soon as this socket appears: the driver must listen before.
	announced := filepath.Join(plugins, name+"-reg.sock")
	if err := listen(announce, announced, ended); err != nil {
		return err
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-asked:
		announce.Stop()
		driver.GracefulStop()
		return nil
	case err := <-ended:
		return err
	}
}

// listen serves on a socket in the file system, in the place of one that a killed driver left.
func listen(server *grpc.Server, socket string, ended chan<- error) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(socket), 0o750); err != nil {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", socket, err)
	}
	go func() { ended <- server.Serve(listener) }()
	return nil
}
