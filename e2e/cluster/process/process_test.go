package process

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A program whose first thread has ended while another still listens: it prints where.
func init() {
	if len(os.Args) != 2 || os.Args[1] != "headless" {
		return
	}
	runtime.LockOSThread() // The first one, as long as init runs.
	go func() {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Printf("listens at %s.\n", listener.Addr())
		select {}
	}()
	_, _, _ = syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0)
}

// The test's own program is the launcher of its tables.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "launch" {
		_, _ = os.Stderr.WriteString(Launch(os.Args[2], os.Args[3]).Error())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func table(t *testing.T) Table {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	made := Table{Folder: t.TempDir(), Logs: t.TempDir(), Launcher: self}
	t.Cleanup(func() {
		names, _ := made.Names()
		_, _ = made.Stop(0, names...)
	})
	return made
}

func start(t *testing.T, in Table, name, script string) Identity {
	t.Helper()
	spec := Spec{Name: name, Args: []string{"/bin/sh", "-c", script}, Env: []string{"MARK=of the test", "PATH=/bin:/usr/bin"}}
	if err := in.Start(spec); err != nil {
		t.Fatal(err)
	}
	found, err := in.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func alive(t *testing.T, i Identity) bool {
	t.Helper()
	is, err := i.Alive()
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// until waits for what another process does; it fails when that does not happen at all.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(look) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func said(in Table, name, text string) func() bool {
	return func() bool {
		log, err := os.ReadFile(filepath.Join(in.Logs, name+".log"))
		return err == nil && strings.Contains(string(log), text)
	}
}

func TestAComponentIsKilledAndStartedAgainFromItsRecord(t *testing.T) {
	in := table(t)
	first := start(t, in, "sleeper", `trap 'echo asked to end; exit' TERM; echo "started $0 $MARK"; while :; do sleep 0.01; done`)
	until(t, "the first says so", said(in, "sleeper", "started /bin/sh of the test"))
	if err := in.Kill("sleeper"); err != nil {
		t.Fatal(err)
	}
	if alive(t, first) {
		t.Fatal("killed and alive")
	}
	if said(in, "sleeper", "asked to end")() {
		t.Error("a crash is announced to nobody")
	}
	if err := in.Kill("sleeper"); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("killed twice: %v", err)
	}
	if err := in.Restart("sleeper", time.Minute); err != nil {
		t.Fatal(err)
	}
	second, err := in.Find("sleeper")
	if err != nil || second == first || !alive(t, second) {
		t.Errorf("%v after %v: %v", second, first, err)
	}
	if err := in.Restart("sleeper", time.Minute); err != nil {
		t.Fatal(err)
	}
	if alive(t, second) {
		t.Error("two of them run")
	}
}

func TestFollowersAreStartedAgainAfterTheOneThatTheyFollow(t *testing.T) {
	in := table(t)
	follower := start(t, in, "follower", "exec sleep 1000")
	other := start(t, in, "other", "exec sleep 1000")
	spec := Spec{Name: "first", Args: []string{"/bin/sh", "-c", "exec sleep 1000"}, Env: []string{"PATH=/bin:/usr/bin"}, Followers: []string{"follower"}}
	if err := in.Start(spec); err != nil {
		t.Fatal(err)
	}
	if err := in.Restart("first", time.Minute); err != nil {
		t.Fatal(err)
	}
	again, err := in.Find("follower")
	if err != nil || alive(t, follower) || !alive(t, again) || !alive(t, other) {
		t.Errorf("%v after %v: %v", again, follower, err)
	}
}

func TestWhatDoesNotListenIsKilledAfterItsGrace(t *testing.T) {
	in := table(t)
	deaf := start(t, in, "deaf", `trap "" TERM; echo ready; while :; do sleep 1; done`)
	until(t, "it is deaf", said(in, "deaf", "ready"))
	polite := start(t, in, "polite", `exec sleep 1000`)
	killed, err := in.Stop(200*time.Millisecond, "polite", "deaf", "never started")
	if err != nil || !slices.Equal(killed, []string{"deaf"}) {
		t.Errorf("killed %q, %v", killed, err)
	}
	if alive(t, deaf) || alive(t, polite) {
		t.Error("stopped and alive")
	}
}

func TestAProgramRunsUntilItsLastThreadHasEnded(t *testing.T) {
	in := table(t)
	spec := Spec{Name: "headless", Args: []string{in.Launcher, "headless"}}
	if err := in.Start(spec); err != nil {
		t.Fatal(err)
	}
	until(t, "it listens", said(in, "headless", "listens at "))
	found, err := in.Find("headless")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "its first thread ends", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", found.Pid))
		return err == nil && strings.Contains(string(text), ") Z ")
	})
	if !alive(t, found) {
		t.Error("it has ended while it listens")
	}
	if err := in.Kill("headless"); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(in.Logs, "headless.log"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(log), "listens at ")
	address, _, _ := strings.Cut(rest, ".\n")
	again, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("its port is still taken: %v", err)
	}
	_ = again.Close()
}

func TestANumberThatSomebodyElseHasNowIsLeftAlone(t *testing.T) {
	in := table(t)
	other := start(t, in, "other", `exec sleep 1000`)
	mistaken := Identity{Pid: other.Pid, Start: other.Start - 1}
	if alive(t, mistaken) {
		t.Error("another process was taken for ours")
	}
	if err := mistaken.signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !alive(t, other) {
		t.Error("somebody else's process was killed")
	}
}

func TestAProgramThatIsNotThereIsAnErrorWithItsLog(t *testing.T) {
	in := table(t)
	// The launcher has written its number by then: the component was started, and has ended.
	if err := in.Start(Spec{Name: "none", Args: []string{"/no/such/program"}}); err != nil && !strings.Contains(err.Error(), "none.log") {
		t.Fatal(err)
	}
	until(t, "the log says why", said(in, "none", "/no/such/program"))
	until(t, "it has ended", func() bool { is, err := in.Alive("none"); return err == nil && !is })
	if _, err := in.Spec("unknown"); err == nil || !strings.Contains(err.Error(), "there are none") {
		t.Errorf("an unknown name: %v", err)
	}
	if _, err := in.Find("unknown"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a process of an unknown name: %v", err)
	}
}

// becomes waits until a process is the program that it was started as: before, it is the launcher.
func becomes(t *testing.T, process Identity, program string) {
	t.Helper()
	until(t, "it becomes "+program, func() bool {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", process.Pid))
		return err == nil && strings.HasPrefix(string(line), program+"\x00")
	})
}

func TestOnlyWhatIsChosenByItsArgumentsIsKilled(t *testing.T) {
	in := table(t)
	mark := t.TempDir()
	// The argument of the first is gone when it has become another program.
	was := start(t, in, "was", "exec sleep 1000 # "+mark)
	other := start(t, in, "other", "exec sleep 1000")
	is := start(t, in, "is", "while :; do sleep 1; done # "+mark)
	becomes(t, was, "sleep")
	becomes(t, is, "/bin/sh")
	if err := KillWhere(func(args []string) bool { return len(args) > 2 && strings.HasSuffix(args[2], mark) }); err != nil {
		t.Fatal(err)
	}
	if alive(t, is) || !alive(t, was) || !alive(t, other) {
		t.Error("not the one that has it among its arguments")
	}
}

func TestTheStateOfAProcessIsReadBehindItsName(t *testing.T) {
	rest := " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 12345 20 21\n"
	for _, name := range []string{"(sh)", "(a b)", "(x) Z 1)", "()"} {
		state, start, err := parseStat("77 " + name + rest)
		if err != nil || state != "S" || start != 12345 {
			t.Errorf("%s: %q %d %v", name, state, start, err)
		}
	}
	for _, broken := range []string{"", "1 (sh", "1 (sh) S 1"} {
		if _, _, err := parseStat(broken); err == nil {
			t.Errorf("%q was read", broken)
		}
	}
	if i, err := ParseIdentity(Identity{Pid: 3, Start: 9}.String()); err != nil || i != (Identity{Pid: 3, Start: 9}) {
		t.Error(i, err)
	}
}
