package main

import (
	"reflect"
	"testing"
)

func TestAProgramIsChosenByLinkOrByFirstArgument(t *testing.T) {
	for _, c := range []struct {
		args, rest []string
		name       string
	}{
		{[]string{"/bin/kubectl", "get"}, []string{"/bin/kubectl", "get"}, "kubectl"},
		{[]string{"/bin/kubernetes", "kubelet", "-v=2"}, []string{"kubelet", "-v=2"}, "kubelet"},
		{[]string{"/bin/kubernetes"}, []string{"/bin/kubernetes"}, "kubernetes"},
	} {
		if name, rest := choose(c.args); name != c.name || !reflect.DeepEqual(rest, c.rest) {
			t.Errorf("choose(%q) = %q, %q", c.args, name, rest)
		}
	}
}

func TestEtcdTakesTheAddressesThatItIsGiven(t *testing.T) {
	config, err := etcdConfig("data", "http://127.0.0.1:1", "http://127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	if got := config.InitialCluster; got != "default=http://127.0.0.1:2" {
		t.Errorf("initial cluster %q", got)
	}
	if _, err := etcdConfig("data", "http://127.0.0.1:1", ":"); err == nil {
		t.Error("a URL that is none was taken")
	}
}
