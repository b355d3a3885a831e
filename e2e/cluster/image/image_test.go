package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func entries(from string) []Entry {
	return []Entry{
		{Path: "bin/tool", Mode: 0o755, From: from},
		{Path: "bin/other", Mode: fs.ModeSymlink | 0o777, Target: "tool"},
		{Path: "etc/deep/note", Mode: 0o600, Text: "hello"},
		{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
	}
}

func source(t *testing.T, age time.Duration) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(path, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-age)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
	return path
}

func layer(t *testing.T, entries []Entry) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := writeLayer(&out, entries); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestALayerDependsOnItsContentOnly(t *testing.T) {
	first := layer(t, entries(source(t, 0)))
	turned := entries(source(t, 48*time.Hour))
	slices.Reverse(turned)
	if !bytes.Equal(first, layer(t, turned)) {
		t.Error("order or time of the sources is in the layer")
	}
	changed := entries(source(t, 0))
	changed[2].Text = "hullo"
	if bytes.Equal(first, layer(t, changed)) {
		t.Error("the content is not in the layer")
	}
}

func TestALayerHoldsItsEntriesAndTheFoldersAboveThem(t *testing.T) {
	var got []string
	archive := tar.NewReader(bytes.NewReader(layer(t, entries(source(t, 0)))))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 || header.ModTime.Unix() != 0 {
			t.Errorf("%+v", header)
		}
		got = append(got, header.FileInfo().Mode().String()+" "+header.Name+" "+header.Linkname)
	}
	want := []string{
		"drwxr-xr-x bin/ ", "Lrwxrwxrwx bin/other tool", "-rwxr-xr-x bin/tool ", "drwxr-xr-x etc/ ",
		"drwxr-xr-x etc/deep/ ", "-rw------- etc/deep/note ", "dtrwxrwxrwx tmp/ ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// files of the archive, by name.
func files(t *testing.T, path string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for archive := tar.NewReader(bytes.NewReader(text)); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if found[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryPartOfAnArchiveIsWhereItsDigestSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image.tar")
	image := Image{Reference: "x.invalid/a:7", Entries: entries(source(t, 0)), User: "1:1"}
	if err := image.Write(path); err != nil {
		t.Fatal(err)
	}
	found := files(t, path)
	follow := func(at descriptor, into any) {
		t.Helper()
		part, there := found[blob(at)]
		sum := sha256.Sum256(part)
		if !there || at.Digest != "sha256:"+hex.EncodeToString(sum[:]) || at.Size != int64(len(part)) {
			t.Errorf("%+v leads to %d bytes", at, len(part))
		}
		if into == nil {
			return
		}
		if err := json.Unmarshal(part, into); err != nil {
			t.Fatal(err)
		}
	}
	var index struct{ Manifests []descriptor }
	if err := json.Unmarshal(found["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	if got := index.Manifests[0].Annotations["io.containerd.image.name"]; got != image.Reference {
		t.Errorf("it is called %q", got)
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	follow(index.Manifests[0], &manifest)
	var config struct {
		Config struct{ User string }
		Rootfs struct {
			Layers []string `json:"diff_ids"`
		}
	}
	follow(manifest.Config, &config)
	follow(manifest.Layers[0], nil)
	if config.Config.User != "1:1" || config.Rootfs.Layers[0] != manifest.Layers[0].Digest {
		t.Errorf("%+v", config)
	}
}

func TestADeviceIsRefused(t *testing.T) {
	err := writeLayer(io.Discard, []Entry{{Path: "dev/null", Mode: fs.ModeDevice}})
	if err == nil || !strings.Contains(err.Error(), "dev/null") {
		t.Error(err)
	}
}

func TestLibrariesAreReadFromWhatTheLoaderLists(t *testing.T) {
	listed := "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x00007f)\n\t/lib64/ld.so.2 (0x00007f)\n"
	if got := libraries(listed); !slices.Equal(got, []string{"/lib/x/libc.so.6", "/lib64/ld.so.2"}) {
		t.Errorf("%q", got)
	}
	if got := libraries("\tnot a dynamic executable\n"); got != nil {
		t.Errorf("%q", got)
	}
}
