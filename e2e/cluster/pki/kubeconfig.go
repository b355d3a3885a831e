package pki

import "encoding/json"

// kubeconfig is the file by which a client reaches the API server. It is JSON, which is YAML as well,
// and whose quoting is not ours to get wrong.
func kubeconfig(server string, authority, client *pair) ([]byte, error) {
	const name = "holdfast-e2e"
	type object map[string]any
	return json.MarshalIndent(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": name,
		"clusters": []object{{"name": name, "cluster": object{
			"server": server, "certificate-authority-data": authority.certificateFile,
		}}},
		"users": []object{{"name": client.certificate.Subject.CommonName, "user": object{
			"client-certificate-data": client.certificateFile, "client-key-data": client.keyFile,
		}}},
		"contexts": []object{{"name": name, "context": object{
			"cluster": name, "user": client.certificate.Subject.CommonName,
		}}},
	}, "", "  ")
}
