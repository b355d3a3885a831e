"""Programs that are called, and what is said when one is missing or fails."""

import subprocess


class Failure(Exception):
    """What went wrong and what to do, as its reader sees it."""


def output(command, env=None, cwd=None):
    """What a program prints; its complaints pass through."""
    return _run(command, env, cwd, subprocess.PIPE).stdout


def run(command, env=None, cwd=None):
    """Runs a program for what it does. Its output goes where complaints go: ours is for programs to read."""
    _run(command, env, cwd, 2)


def _run(command, env, cwd, stdout):
    try:
        return subprocess.run(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stdout, check=True, text=True)
    except FileNotFoundError as missing:
        raise Failure(f"{command[0]} is not installed: docs/image.md names what the image is built with") from missing
    except subprocess.CalledProcessError as failed:
        raise Failure(f"{' '.join(command[:2])} ended with {failed.returncode}") from failed
