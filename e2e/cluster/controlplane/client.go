package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"holdfast.dev/e2e/cluster/pki"
	"holdfast.dev/e2e/cluster/process"
	"holdfast.dev/e2e/cluster/wait"
)

// How long one answer may take.
const answer = 10 * time.Second

// Client asks the API server. Nothing is said while it starts, and starting a program for each question
// would take longer than the answer.
type Client struct {
	url  string
	http *http.Client
}

// Client is one that may do everything.
func (p Plane) Client() (Client, error) {
	own, err := tls.LoadX509KeyPair(p.key(pki.Admin+".crt"), p.key(pki.Admin+".key"))
	if err != nil {
		return Client{}, err
	}
	authority, err := os.ReadFile(p.key("ca.crt"))
	if err != nil {
		return Client{}, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	// Without the proxy of the environment: the cluster is on this machine.
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: pool, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12,
	}}
	return Client{url: p.URL(), http: &http.Client{Transport: transport, Timeout: answer}}, nil
}

// Get reads one object.
func (c Client) Get(ctx context.Context, path string, into any) error {
	text, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func (c Client) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s: %s", path, response.Status, text)
	}
	return text, nil
}

// True says why a condition of an object is not true, if it is not.
func (c Client) True(ctx context.Context, path, condition string) error {
	var found struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := c.Get(ctx, path, &found); err != nil {
		return err
	}
	for _, has := range found.Status.Conditions {
		if has.Type == condition && has.Status == "True" {
			return nil
		}
		if has.Type == condition {
			return fmt.Errorf("%s: %s is %s: %s", path, condition, has.Status, has.Message)
		}
	}
	return fmt.Errorf("%s: it has no condition %s yet", path, condition)
}

// Ready waits until the API server serves all that it has, as long as the two components run.
func (c Client) Ready(ctx context.Context, table process.Table, most time.Duration) error {
	return wait.Until(ctx, "the API server is not ready", most, func(ctx context.Context) error {
		for _, name := range []string{Etcd, APIServer} {
			if alive, err := table.Alive(name); err != nil || !alive {
				return fmt.Errorf("%s has ended (%v), %s.log says why: %w", name, err, name, wait.ErrNever)
			}
		}
		_, err := c.get(ctx, "/readyz")
		return err
	})
}
