package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var cluster = Cluster{
	Server: "https://10.1.0.1:6443", Hosts: []string{"10.1.0.1", "10.2.0.1"}, Node: "node", NodeIP: "10.1.0.1",
}

func written(t *testing.T, now time.Time) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "pki")
	if err := cluster.Write(folder, now); err != nil {
		t.Fatal(err)
	}
	return folder
}

func load(t *testing.T, folder, name string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, name+".crt"), filepath.Join(folder, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func verify(t *testing.T, folder, authority, name, host string, now time.Time) error {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(load(t, folder, authority))
	_, err := load(t, folder, name).Verify(x509.VerifyOptions{
		Roots: pool, DNSName: host, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

func TestEachCertificateIsOfItsAuthorityAndForItsHosts(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	folder := written(t, now)
	for _, c := range []struct {
		authority, name, host string
		good                  bool
	}{
		{"ca", "apiserver", "10.1.0.1", true},
		{"ca", "apiserver", "10.2.0.1", true},
		{"ca", "apiserver", "kubernetes.default.svc", true},
		{"ca", "apiserver", "10.3.0.1", false},
		{"front-proxy-ca", "apiserver", "10.1.0.1", false},
		{"ca", "kubelet-server", "node", true},
		{"ca", "kube-scheduler", "localhost", true},
		{"ca", "kube-proxy", "", true},
		{"front-proxy-ca", "front-proxy-client", "", true},
		{"ca", "front-proxy-client", "", false},
	} {
		if err := verify(t, folder, c.authority, c.name, c.host, now); (err == nil) != c.good {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, instant := range []time.Time{now.Add(-2 * time.Hour), now.Add(year + time.Hour)} {
		if verify(t, folder, "ca", "admin", "", instant) == nil {
			t.Errorf("valid at %v", instant)
		}
	}
}

func TestClientsAreWhomTheRulesOfAccessName(t *testing.T) {
	folder := written(t, time.Now())
	for name, want := range map[string][2]string{
		"admin":                   {"holdfast-e2e", "system:masters"},
		"kubelet":                 {"system:node:node", "system:nodes"},
		"kube-controller-manager": {"system:kube-controller-manager", ""},
	} {
		subject := load(t, folder, name).Subject
		group := ""
		if len(subject.Organization) == 1 {
			group = subject.Organization[0]
		}
		if got := [2]string{subject.CommonName, group}; got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func TestAKubeconfigHoldsWhatItsClientNeeds(t *testing.T) {
	folder := written(t, time.Now())
	text, err := os.ReadFile(filepath.Join(folder, "admin.kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server    string
				Authority []byte `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Certificate []byte `json:"client-certificate-data"`
				Key         []byte `json:"client-key-data"`
			}
		}
	}
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	if got := config.Clusters[0].Cluster.Server; got != cluster.Server {
		t.Errorf("server %q", got)
	}
	if _, err := tls.X509KeyPair(config.Users[0].User.Certificate, config.Users[0].User.Key); err != nil {
		t.Error(err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(config.Clusters[0].Cluster.Authority) {
		t.Error("there is no authority in it")
	}
}

func TestKeysAreNobodyElsesToRead(t *testing.T) {
	folder := written(t, time.Now())
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", entry.Name(), info.Mode(), err)
		}
	}
}
