package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// How long etcd may take until it serves. It takes under a second; a disk that others use makes it more.
const etcdStart = 60 * time.Second

// serveEtcd is one member on its own. It does not wait for the disk: what a cluster for tests loses
// when the machine loses power, nobody needs. A killed process loses nothing.
func serveEtcd() int {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	data := flags.String("data-dir", "", "where the data is kept")
	client := flags.String("listen-client", "", "URL for clients")
	peer := flags.String("listen-peer", "", "URL for other members")
	// Ends the process where it fails.
	_ = flags.Parse(os.Args[1:])
	config, err := etcdConfig(*data, *client, *peer)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if err := runEtcd(config); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func etcdConfig(data, client, peer string) (*embed.Config, error) {
	clientURL, err := url.Parse(client)
	if err != nil {
		return nil, fmt.Errorf("--listen-client: %w", err)
	}
	peerURL, err := url.Parse(peer)
	if err != nil {
		return nil, fmt.Errorf("--listen-peer: %w", err)
	}
	config := embed.NewConfig()
	config.Dir = data
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*clientURL}, []url.URL{*clientURL}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peerURL}, []url.URL{*peerURL}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	config.LogOutputs = []string{"stderr"}
	return config, nil
}

func runEtcd(config *embed.Config) error {
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-server.Server.ReadyNotify():
	case <-asked:
		return nil
	case <-time.After(etcdStart):
		return fmt.Errorf("etcd does not serve after %v", etcdStart)
	}
	select {
	case <-asked:
		return nil
	case err := <-server.Err():
		return err
	}
}
