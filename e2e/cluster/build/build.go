package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Old is how long a build stays that nobody uses: long enough for two branches to take turns.
const Old = 14 * 24 * time.Hour

// Builder builds units from sources into a cache.
type Builder struct {
	// Sources is the folder in which each unit has a folder of its name.
	Sources string
	// Cache gets one folder for each state of each unit.
	Cache string
	// Say gets what the compiler says.
	Say io.Writer
}

// Folder is where the programs of a unit lie. It builds them when they are not there yet, and says
// whether it did.
func (b Builder) Folder(ctx context.Context, unit Unit) (string, bool, error) {
	sources := filepath.Join(b.Sources, unit.Name)
	compiler, err := b.output(ctx, sources, "version")
	if err != nil {
		return "", false, fmt.Errorf("the programs are built by go, which does not run here: %w", err)
	}
	state, err := key(unit, sources, compiler)
	if err != nil {
		return "", false, err
	}
	folder := filepath.Join(b.Cache, unit.Name+"-"+state)
	unlock, err := b.lock(unit)
	if err != nil {
		return "", false, err
	}
	defer unlock()
	now := time.Now()
	if err := os.Chtimes(folder, now, now); err == nil {
		return folder, false, nil
	}
	if err := b.prune(unit, now); err != nil {
		return "", false, err
	}
	return folder, true, b.build(ctx, unit, sources, folder)
}

// build builds beside the folder and renames: a folder that is there is complete.
func (b Builder) build(ctx context.Context, unit Unit, sources, folder string) error {
	half := folder + ".half"
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	if err := os.MkdirAll(half, 0o755); err != nil {
		return err
	}
	for _, program := range unit.Programs {
		if err := b.compile(ctx, sources, arguments(program, half)); err != nil {
			return fmt.Errorf("cannot build %s: %w", unit.Name, err)
		}
	}
	for _, link := range unit.Links {
		if err := os.Symlink(unit.Programs[0].Output, filepath.Join(half, link)); err != nil {
			return err
		}
	}
	for _, file := range unit.Files {
		if err := b.take(ctx, sources, half, file); err != nil {
			return err
		}
	}
	return os.Rename(half, folder)
}

// arguments of one call of the compiler. Paths of this machine do not get into the program, and a
// checkout in which something is being edited builds the same as a clean one.
func arguments(program Program, folder string) []string {
	flags := []string{"-s", "-w"}
	for _, variable := range program.Set {
		flags = append(flags, "-X", variable)
	}
	return []string{
		"build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", strings.Join(flags, " "),
		"-o", folder + "/" + program.Output, program.Package,
	}
}

func (b Builder) compile(ctx context.Context, sources string, args []string) error {
	command := compiler(ctx, sources, args...)
	command.Stdout, command.Stderr = b.Say, b.Say
	return command.Run()
}

func (b Builder) take(ctx context.Context, sources, folder string, file File) error {
	from, err := b.output(ctx, sources, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", file.Module)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(from, file.Path))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, filepath.Base(file.Path)), text, 0o644)
}

func (b Builder) output(ctx context.Context, sources string, args ...string) (string, error) {
	command := compiler(ctx, sources, args...)
	command.Stderr = b.Say
	said, err := command.Output()
	return strings.TrimSpace(string(said)), err
}

// compiler is a call of go that makes programs which run on any Linux, also in an empty image.
func compiler(ctx context.Context, sources string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = sources
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	return command
}

// lock lets one build of a unit happen at a time: a second one then finds what the first has built. It
// ends with the process that holds it.
func (b Builder) lock(unit Unit) (func(), error) {
	if err := os.MkdirAll(b.Cache, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(b.Cache, unit.Name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil
}

// prune removes what was built of a unit and was not used for long.
func (b Builder) prune(unit Unit, now time.Time) error {
	entries, err := os.ReadDir(b.Cache)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(entry.Name(), unit.Name+"-") {
			continue
		}
		if err != nil {
			return err
		}
		if now.Sub(info.ModTime()) > Old {
			if err := os.RemoveAll(filepath.Join(b.Cache, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
