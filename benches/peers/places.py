"""Where a repository lies: in a directory, or in a bucket of an S3 server that is some milliseconds away.

The server is of this machine (versitygw, which `e2e/run build` makes), so that all tools meet the same one. What
makes it distant is a program between them, which holds back the first byte of every answer.
"""

import glob
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

import measure

BUCKET = "bucket"
KEY = "key-of-a-measurement"
SECRET = "secret-of-a-measurement"
REGION = "us-east-1"


@dataclass(frozen=True)
class Place:
    """A repository's place: where its bytes are on this machine, and the server's address if there is one."""

    directory: str
    endpoint: str | None = None


class Directories:
    """Every repository in a directory of its own work directory."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def below(self, work):
        return Place(f"{work}/repository")


class Distant:
    """Every repository in a bucket; within it the server runs, and its bytes are below `work`."""

    def __init__(self, work, milliseconds):
        self.data, self.milliseconds = f"{work}/served", milliseconds
        self.running = []

    def __enter__(self):
        program = server()
        measure.remove(self.data)
        os.makedirs(f"{self.data}/{BUCKET}")
        port, self.port = _free(), _free()
        env = dict(os.environ, ROOT_ACCESS_KEY=KEY, ROOT_SECRET_KEY=SECRET)
        self._start([program, "--port", f"127.0.0.1:{port}", "posix", self.data], env, port)
        far = os.path.join(os.path.dirname(__file__), "far.py")
        self._start([sys.executable, far, str(self.port), str(port), str(self.milliseconds)], None, self.port)
        return self

    def _start(self, command, env, port):
        quiet = subprocess.DEVNULL
        self.running.append(subprocess.Popen(command, env=env, stdin=quiet, stdout=quiet, stderr=quiet))
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as asks:
                if asks.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        self.__exit__()
        raise measure.Failed(f"{command[0]} does not listen at port {port}")

    def __exit__(self, *_):
        for process in reversed(self.running):
            process.kill()
            process.wait()
        self.running.clear()
        measure.remove(self.data)

    def below(self, _work):
        # One at a time is measured, so one name is enough; what the one before has left goes.
        directory = f"{self.data}/{BUCKET}/repository"
        measure.remove(directory)
        return Place(directory, f"http://127.0.0.1:{self.port}")


def server():
    """The S3 server's program: what HOLDFAST_VERSITYGW says, or the last that `e2e/run build` has made."""
    if given := os.environ.get("HOLDFAST_VERSITYGW"):
        return given
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    built = glob.glob(f"{cache}/holdfast/e2e/*/versitygw")
    if not built:
        raise measure.Failed("there is no S3 server: run `e2e/run build`, or set HOLDFAST_VERSITYGW")
    return max(built, key=os.path.getmtime)


def _free():
    with socket.socket() as listens:
        listens.bind(("127.0.0.1", 0))
        return listens.getsockname()[1]
