package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// Image is what is packed.
type Image struct {
	// Reference is the full name: a domain that never resolves, a path, and a tag that is not `latest`,
	// which a pod would want to pull each time.
	Reference  string
	Entries    []Entry
	Entrypoint []string
	// User that its processes run as: numbers, as nothing else can be checked by a pod's rules.
	User string
}

// Media types of the OCI image layout.
const (
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
)

type object map[string]any

// descriptor points from one part of an image to another.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Write writes the image as a tar in the OCI layout. The layer passes through a file beside it, since
// its digest stands before it.
func (i Image) Write(path string) error {
	layer, err := os.CreateTemp("", "layer")
	if err != nil {
		return err
	}
	defer os.Remove(layer.Name())
	defer layer.Close()
	sum := sha256.New()
	if err := writeLayer(io.MultiWriter(layer, sum), i.Entries); err != nil {
		return err
	}
	size, err := layer.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := layer.Seek(0, io.SeekStart); err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	written := i.writeLayout(out, layer, descriptor{MediaType: typeLayer, Digest: digest(sum), Size: size})
	return errors.Join(written, out.Close())
}

func (i Image) writeLayout(out io.Writer, layer io.Reader, layerAt descriptor) error {
	archive := tar.NewWriter(out)
	config, configAt, err := part(typeConfig, object{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config": object{
			"Entrypoint": i.Entrypoint, "User": i.User,
			"Env": []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		},
		"rootfs": object{"type": "layers", "diff_ids": []string{layerAt.Digest}},
	})
	if err != nil {
		return err
	}
	manifest, manifestAt, err := part(typeManifest, object{
		"schemaVersion": 2, "mediaType": typeManifest, "config": configAt, "layers": []descriptor{layerAt},
	})
	if err != nil {
		return err
	}
	// containerd takes the first as the image's name, other programs the second as its tag.
	manifestAt.Annotations = map[string]string{
		"io.containerd.image.name":          i.Reference,
		"org.opencontainers.image.ref.name": i.Reference[strings.LastIndexByte(i.Reference, ':')+1:],
	}
	index, err := json.Marshal(object{"schemaVersion": 2, "manifests": []descriptor{manifestAt}})
	if err != nil {
		return err
	}
	for _, file := range []struct{ name, text string }{
		{"oci-layout", `{"imageLayoutVersion":"1.0.0"}`},
		{"index.json", string(index)},
		{blob(configAt), config},
		{blob(manifestAt), manifest},
	} {
		if err := put(archive, file.name, int64(len(file.text)), strings.NewReader(file.text)); err != nil {
			return err
		}
	}
	if err := put(archive, blob(layerAt), layerAt.Size, layer); err != nil {
		return err
	}
	return archive.Close()
}

// part is one JSON file of the layout, and where it is.
func part(mediaType string, content object) (string, descriptor, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return "", descriptor{}, err
	}
	sum := sha256.New()
	sum.Write(text)
	return string(text), descriptor{MediaType: mediaType, Digest: digest(sum), Size: int64(len(text))}, nil
}

func digest(sum hash.Hash) string { return "sha256:" + hex.EncodeToString(sum.Sum(nil)) }

func blob(at descriptor) string { return "blobs/" + strings.Replace(at.Digest, ":", "/", 1) }

func put(archive *tar.Writer, name string, size int64, content io.Reader) error {
	header := &tar.Header{Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if err := archive.WriteHeader(header); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err := io.Copy(archive, content)
	return err
}
