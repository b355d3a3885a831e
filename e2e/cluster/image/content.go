package image

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// registry is a domain that can never resolve: an image that was not loaded fails at once, and nobody
// is asked for it.
const registry = "holdfast.invalid/"

// References of the images that every cluster has.
var (
	BusyboxReference = Reference("busybox")
	PauseReference   = Reference("pause")
	ProductReference = Reference("holdfast")
	// ServerReference is the S3 server's, for scenarios that want one of their own.
	ServerReference = Reference("versitygw")
)

// Reference is the full name of an image.
func Reference(name string) string { return registry + name + ":1" }

// List is what scenarios are told of the images: `NAME=REFERENCE`, with blanks between them.
func List(references ...string) string {
	var all []string
	for _, reference := range references {
		name := strings.TrimSuffix(strings.TrimPrefix(reference, registry), ":1")
		all = append(all, name+"="+reference)
	}
	return strings.Join(all, " ")
}

// Pause is the image that holds a pod's namespaces.
func Pause(program string) Image {
	return Image{
		Reference:  PauseReference,
		Entries:    []Entry{{Path: "pause", Mode: 0o555, From: program}},
		Entrypoint: []string{"/pause"},
		User:       "65535:65535",
	}
}

// Busybox is the image of the pods that tests start: a shell and the small programs.
func Busybox(program string) (Image, error) {
	listed, err := exec.Command(program, "--list").Output()
	if err != nil {
		return Image{}, fmt.Errorf("%s --list: %w", program, err)
	}
	entries := append(users(), Entry{Path: "bin/busybox", Mode: 0o755, From: program})
	for _, name := range strings.Fields(string(listed)) {
		if name != "busybox" {
			entries = append(entries, Entry{Path: "bin/" + name, Mode: fs.ModeSymlink | 0o777, Target: "busybox"})
		}
	}
	return Image{Reference: BusyboxReference, Entries: entries}, nil
}

// Program is an image of one program and the libraries that it is linked with, and of nothing else.
func Program(reference, program string) (Image, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return Image{}, err
	}
	listed, err := exec.Command("ldd", program).CombinedOutput()
	if err != nil && !strings.Contains(string(listed), "not a dynamic executable") {
		return Image{}, fmt.Errorf("ldd %s: %w: %s", program, err, listed)
	}
	inside := "usr/bin/" + path.Base(program)
	entries := append(users(), Entry{Path: inside, Mode: 0o755, From: program})
	for _, library := range libraries(string(listed)) {
		if _, err := os.Stat(library); err != nil {
			return Image{}, err
		}
		entries = append(entries, Entry{Path: strings.TrimPrefix(library, "/"), Mode: 0o755, From: library})
	}
	return Image{Reference: reference, Entries: entries, Entrypoint: []string{"/" + inside}}, nil
}

// libraries are the paths in what ldd says: behind an arrow, or alone for the loader itself. A line
// without a path is the kernel's own.
func libraries(listed string) []string {
	var found []string
	for line := range strings.Lines(listed) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " (")
		if _, behind, arrow := strings.Cut(line, " => "); arrow {
			line = behind
		}
		if strings.HasPrefix(line, "/") {
			found = append(found, line)
		}
	}
	return found
}

// users are the files by which programs know who they are, and a folder that anybody may use.
func users() []Entry {
	return []Entry{
		{Path: "etc/passwd", Mode: 0o644, Text: "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"},
		{Path: "etc/group", Mode: 0o644, Text: "root:x:0:\nnobody:x:65534:\n"},
		{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
	}
}
