"""How each tool is called. A tool is whichever program is found: in PATH, or where a variable says (RESTIC=/path).

All compress with zstd at level 3 or their nearest, encrypt, and keep their repository in one place (`places`).
Options are otherwise the defaults; caches are inside the work directory and begin empty.
"""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass

import places

PASSWORD = "a password for measuring"


@dataclass(frozen=True)
class Step:
    """A command and the directory that it is run in."""

    command: list
    cwd: str | None = None


class Tool:
    """One program at one work directory; a step that it does not have is None."""

    program = ""
    # What a figure of another tool is compared with, not a peer.
    is_floor = False
    # Whether what is below knows how it keeps a repository in a bucket.
    speaks_s3 = False

    def __init__(self, program, work, place):
        self.at = program
        self.work = work
        self.place = place
        self.repository = place.directory
        self.env = dict(os.environ, HOME=work, XDG_CACHE_HOME=f"{work}/cache")
        if place.endpoint:
            self.env.update(AWS_ACCESS_KEY_ID=places.KEY, AWS_SECRET_ACCESS_KEY=places.SECRET)
            self.env.update(AWS_DEFAULT_REGION=places.REGION)

    def version(self):
        """The first line of what the program says of itself."""
        said = subprocess.run([self.at, "--version"], capture_output=True, text=True, env=self.env)
        return (said.stdout or said.stderr).strip().splitlines()[0]

    def init(self):
        return []

    def backup(self, source):
        raise NotImplementedError

    def restore(self, target):
        return None

    def check(self):
        return None


class Holdfast(Tool):
    program = "holdfast"
    speaks_s3 = True

    def repo(self, *words):
        url = f"file://{self.repository}"
        if self.place.endpoint:
            url = f"s3://{places.BUCKET}/repository?endpoint={self.place.endpoint}"
        return Step([self.at, "repo", "--url", url, *words])

    def __init__(self, program, work, place):
        super().__init__(program, work, place)
        self.env["HOLDFAST_PASSWORD"] = PASSWORD

    def init(self):
        return [self.repo("init")]

    def backup(self, source):
        return self.repo("backup", source)

    def restore(self, target):
        return self.repo("restore", "latest", "--target", target)

    def check(self):
        return self.repo("check", "--read-data")


class Restic(Tool):
    program = "restic"
    speaks_s3 = True

    def __init__(self, program, work, place):
        super().__init__(program, work, place)
        self.env["RESTIC_PASSWORD"] = PASSWORD

    def version(self):
        return subprocess.run([self.at, "version"], capture_output=True, text=True).stdout.split(" compiled")[0]

    def _repo(self, *words, cwd=None):
        repository = self.repository
        if self.place.endpoint:
            repository = f"s3:{self.place.endpoint}/{places.BUCKET}/repository"
        return Step([self.at, "--repo", repository, "--quiet", *words], cwd)

    def init(self):
        return [self._repo("init")]

    def backup(self, source):
        return self._repo("backup", ".", cwd=source)

    def restore(self, target):
        return self._repo("restore", "latest", "--target", target)

    def check(self):
        return self._repo("check", "--read-data")


class Rustic(Tool):
    program = "rustic"

    def __init__(self, program, work, place):
        super().__init__(program, work, place)
        self.env["RUSTIC_PASSWORD"] = PASSWORD

    def _repo(self, *words, cwd=None):
        return Step([self.at, "--repository", self.repository, "--no-progress", "--log-level", "error", *words], cwd)

    def init(self):
        return [self._repo("init")]

    def backup(self, source):
        return self._repo("backup", ".", cwd=source)

    def restore(self, target):
        return self._repo("restore", "latest", target)

    def check(self):
        return self._repo("check", "--read-data")


class Borg(Tool):
    program = "borg"

    def __init__(self, program, work, place):
        super().__init__(program, work, place)
        self.archives = 0
        self.env.update(BORG_PASSPHRASE=PASSWORD, BORG_BASE_DIR=f"{work}/base")

    def init(self):
        return [Step([self.at, "init", "--encryption", "repokey-blake2", self.repository])]

    def backup(self, source):
        self.archives += 1
        return Step([self.at, "create", "--compression", "zstd,3", f"{self.repository}::a{self.archives}", "."], source)

    def restore(self, target):
        os.makedirs(target)
        return Step([self.at, "extract", f"{self.repository}::a{self.archives}"], target)

    def check(self):
        return Step([self.at, "check", "--verify-data", self.repository])


class Kopia(Tool):
    program = "kopia"
    speaks_s3 = True

    def __init__(self, program, work, place):
        super().__init__(program, work, place)
        self.env.update(KOPIA_PASSWORD=PASSWORD, KOPIA_CHECK_FOR_UPDATES="false")

    def _do(self, *words):
        config = [f"--config-file={self.work}/kopia.config", f"--log-dir={self.work}/log", "--no-progress"]
        return Step([self.at, *config, *words])

    def init(self):
        cache = f"--cache-directory={self.work}/cache"
        where = ["filesystem", f"--path={self.repository}"]
        if self.place.endpoint:
            host = self.place.endpoint.removeprefix("http://")
            where = ["s3", f"--bucket={places.BUCKET}", "--prefix=repository/", f"--endpoint={host}", "--disable-tls"]
        create = self._do("repository", "create", *where, cache)
        return [create, self._do("policy", "set", "--global", "--compression=zstd")]

    def backup(self, source):
        return self._do("snapshot", "create", source)

    def restore(self, target):
        listed = subprocess.run(self._do("snapshot", "list", "--json").command, capture_output=True, env=self.env)
        newest = max(json.loads(listed.stdout), key=lambda snapshot: snapshot["startTime"])
        return self._do("restore", newest["rootEntry"]["obj"], target)

    def check(self):
        return self._do("snapshot", "verify", "--verify-files-percent=100")


class Vykar(Tool):
    program = "vykar"
    speaks_s3 = True

    def _do(self, *words, source="/nonexistent"):
        config = f"{self.work}/vykar.yaml"
        with open(config, "w") as file:
            file.write(
                f'cache_dir: "{self.work}/cache"\n'
                "encryption: {mode: aes256gcm}\n"
                "compression: {algorithm: zstd, zstd_level: 3}\n"
                f"repositories: [{{label: r, {self._where()}}}]\n"
                f'sources: ["{source}"]\n'
            )
        return Step([self.at, "-c", config, *words])

    def _where(self):
        if not self.place.endpoint:
            return f'url: "{self.repository}"'
        url = f"s3+{self.place.endpoint}/{places.BUCKET}/repository"
        opens = f'access_key_id: "{places.KEY}", secret_access_key: "{places.SECRET}", region: "{places.REGION}"'
        return f'url: "{url}", allow_insecure_http: true, {opens}'

    def __init__(self, program, work, place):
        super().__init__(program, work, place)
        self.env["VYKAR_PASSPHRASE"] = PASSWORD

    def init(self):
        return [self._do("init")]

    def backup(self, source):
        return self._do("backup", source=source)

    def restore(self, target):
        return self._do("restore", "latest", target)

    def check(self):
        return self._do("check", "--verify-data")


class Stream(Tool):
    """What the machine can do: one zstd stream of a tar, and back. It hashes, finds and encrypts nothing."""

    program = "tar"
    is_floor = True

    def init(self):
        return [Step(["mkdir", "-p", self.repository])]

    def backup(self, source):
        return Step(["sh", "-c", 'tar -cf - . | zstd -3 -T2 -q -f -o "$0"', f"{self.repository}/z"], source)

    def restore(self, target):
        os.makedirs(target)
        return Step(["sh", "-c", 'zstd -dc "$0" | tar -xf -', f"{self.repository}/z"], target)

    def check(self):
        return Step(["zstd", "-tq", f"{self.repository}/z"])


class Walk(Tool):
    """The least that an unchanged run has to do: ask for every entry's metadata, once."""

    program = "find"
    is_floor = True

    def backup(self, source):
        return Step(["find", source, "-printf", "%s %T@ %C@ %i %m %U %G\n"])


ALL = {
    "holdfast": Holdfast,
    "restic": Restic,
    "rustic": Rustic,
    "borg": Borg,
    "vykar": Vykar,
    "kopia": Kopia,
    "stream": Stream,
    "walk": Walk,
}


def find(name):
    """The program of a tool: what the variable of its name says (HOLDFAST, RESTIC, …), else PATH; or None."""
    program = ALL[name].program
    return shutil.which(os.environ.get(program.upper(), program))
