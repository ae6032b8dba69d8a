"""Make a virtual environment with pip in it: `python workflow/setup/environment.py .venv [--clear]`.

Debian and Ubuntu keep the part of Python that brings pip (`ensurepip`) in a package apart, which only an
administrator can install. Where it is missing, pip comes as a wheel from the index that pip itself would
use; its version and hash stand here. Needs the standard library only.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.request
import venv
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

WHEEL = "pip-26.3-py3-none-any.whl"
SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
INDEX = "https://pypi.org/simple"
SETTINGS = ("~/.config/pip/pip.conf", "~/.pip/pip.conf", "/etc/xdg/pip/pip.conf", "/etc/pip.conf")
WAIT_S = 15


def main(folder: str, *options: str) -> int:
    """Make the environment, or mend it; return the exit code."""
    place = Path(folder)
    venv.EnvBuilder(clear="--clear" in options, symlinks=True).create(place)
    python = place / "bin" / "python"
    if not has_pip(python):
        subprocess.run([python, "-m", "ensurepip", "--default-pip"], capture_output=True, check=False)
    if not has_pip(python):
        print(f"this Python has no ensurepip: pip comes from the package index ({WHEEL})", file=sys.stderr)
        try:
            install(python, fetch())
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
            print(
                f"error: the environment has no pip, and {WHEEL} could not be had ({error}):"
                f" install {package}, or name an index in PIP_INDEX_URL, and make it again",
                file=sys.stderr,
            )
            return 1
    return 0


def has_pip(python: Path) -> bool:
    """Return whether an environment has pip."""
    return subprocess.run([python, "-c", "import pip"], capture_output=True, check=False).returncode == 0


def fetch() -> bytes:
    """Return the wheel of pip, from a folder of PIP_FIND_LINKS or from the index.

    Raises:
        OSError: it cannot be reached.
        ValueError: it is not there, or not the file that it should be.
    """
    for folder in os.environ.get("PIP_FIND_LINKS", "").split():
        file = Path(folder.removeprefix("file://")) / WHEEL
        if file.is_file():
            return checked(file.read_bytes())
    page = f"{(setting('index-url') or INDEX).rstrip('/')}/pip/"
    text = read(page).decode("utf-8", "replace")
    links = [urldefrag(link)[0] for link in re.findall(r"""href\s*=\s*["']([^"']+)""", text)]
    found = [link for link in links if unquote(urlsplit(link).path).rpartition("/")[2] == WHEEL]
    if not found:
        raise ValueError("the index has no such file")
    link = urljoin(page, found[0])
    same = urlsplit(link).hostname == urlsplit(page).hostname
    return checked(read(_with_login(link, page) if same else link))


def checked(data: bytes) -> bytes:
    """Return the wheel if it is the one that is pinned; raises ValueError."""
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise ValueError(f"it is another file (SHA-256 {found}, not {SHA256})")
    return data


def read(address: str) -> bytes:
    """Return what an address has (https:, http: or file:), with the login that stands in it."""
    if address.startswith("file:") and address.endswith("/"):
        address += "index.html"
    parts = urlsplit(address)
    plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = urllib.request.Request(plain, headers={"Accept": "text/html, */*;q=0.1"})
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    cert = setting("cert")
    context = ssl.create_default_context(cafile=cert) if cert else None
    with urllib.request.urlopen(request, timeout=WAIT_S, context=context) as answer:
        return bytes(answer.read())


def _with_login(link: str, page: str) -> str:
    """Return a link of the index with the index's own login."""
    parts, login = urlsplit(link), urlsplit(page).netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}")) if login else link


def setting(name: str) -> str | None:
    """Return one of pip's settings: from its variable, else from its files."""
    variable = os.environ.get(f"PIP_{name.upper().replace('-', '_')}")
    if variable:
        return variable
    for file in filter(None, (os.environ.get("PIP_CONFIG_FILE"), *SETTINGS)):
        parser = configparser.RawConfigParser()
        try:
            parser.read(os.path.expanduser(file), encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("install", "global"):
            if found := parser.get(section, name, fallback=None):
                return found
    return None


def install(python: Path, wheel: bytes) -> None:
    """Let a wheel of pip install itself; no network is asked."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / WHEEL
        file.write_bytes(wheel)
        command = [python, str(file / "pip"), "install", "--quiet", "--no-index", "--no-deps", str(file)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
