"""What is in the image besides the binary: users, services, authorities, and a folder for what passes."""

import os

from call import Failure

BINARY = "usr/bin/holdfast"
AUTHORITIES = "etc/ssl/certs/ca-certificates.crt"
MODES = {BINARY: 0o755, "tmp": 0o1777}
USER = "65534:65534"

# Debian and Alpine; Fedora; openSUSE; systems with one file for all programs.
PLACES = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
)

ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
    "etc/group": "root:x:0:\nnobody:x:65534:\n",
    # What a pod's own /etc/hosts says comes first.
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def files(binary, authorities, licence, notices):
    """All files, by path."""
    return {path: text.encode() for path, text in ACCOUNTS.items()} | {
        BINARY: binary,
        AUTHORITIES: authorities,
        "usr/share/doc/holdfast/LICENSE": licence,
        "usr/share/doc/holdfast/NOTICES": notices,
    }


def authorities(named):
    """The certificates of the authorities that servers are believed by."""
    path = named or next((place for place in PLACES if os.path.isfile(place)), None)
    if path is None:
        raise Failure("no certificates of authorities: install ca-certificates, or name a PEM file with --certificates")
    data = read(path, "--certificates names a PEM file, such as /etc/ssl/certs/ca-certificates.crt")
    if b"-----BEGIN CERTIFICATE-----" not in data:
        raise Failure(f"{path} holds no certificate in PEM: --certificates names another file")
    return data


def read(path, otherwise):
    """The bytes of a file, or what to do without it."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Failure(f"{path}: {error.strerror.lower()}: {otherwise}") from error
