// Package image packs files as an image that a container runtime reads from a file: no registry is
// asked, and none is there.
package image

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Entry is one file of an image. Folders above it need no entry of their own.
type Entry struct {
	// Path in the image, without a slash before it.
	Path string
	// Mode is the type (regular, folder or link) and the permissions.
	Mode fs.FileMode
	// From is the file whose content it has; Text is the content where From is empty.
	From, Text string
	// Target of a link.
	Target string
}

// writeLayer writes the entries as a tar that depends on nothing else: in the order of their paths,
// owned by root, of the first instant there is.
func writeLayer(to io.Writer, entries []Entry) error {
	all := map[string]Entry{}
	for _, entry := range entries {
		for above := path.Dir(entry.Path); above != "."; above = path.Dir(above) {
			if _, there := all[above]; !there {
				all[above] = Entry{Path: above, Mode: fs.ModeDir | 0o755}
			}
		}
		all[entry.Path] = entry
	}
	archive := tar.NewWriter(to)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := writeEntry(archive, all[name]); err != nil {
			return fmt.Errorf("%s in the image: %w", name, err)
		}
	}
	return archive.Close()
}

func writeEntry(archive *tar.Writer, entry Entry) error {
	header := &tar.Header{
		Name: entry.Path, Mode: int64(entry.Mode.Perm()), ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
	}
	if entry.Mode&fs.ModeSticky != 0 {
		header.Mode |= 0o1000
	}
	switch entry.Mode.Type() {
	case fs.ModeDir:
		header.Typeflag, header.Name = tar.TypeDir, entry.Path+"/"
		return archive.WriteHeader(header)
	case fs.ModeSymlink:
		header.Typeflag, header.Linkname = tar.TypeSymlink, entry.Target
		return archive.WriteHeader(header)
	case 0:
		header.Typeflag = tar.TypeReg
	default:
		return fmt.Errorf("an image here has no %v", entry.Mode.Type())
	}
	content, size, err := entry.open()
	if err != nil {
		return err
	}
	defer content.Close()
	header.Size = size
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, content)
	return err
}

func (e Entry) open() (io.ReadCloser, int64, error) {
	if e.From == "" {
		return io.NopCloser(strings.NewReader(e.Text)), int64(len(e.Text)), nil
	}
	file, err := os.Open(e.From)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	return file, info.Size(), nil
}
