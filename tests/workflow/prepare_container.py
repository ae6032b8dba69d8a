"""Make a folder in which tests/workflow/test_container.py can run: Apptainer, a base image, the CPU image.

    python tests/workflow/prepare_container.py FOLDER                    # Debian, root; 4 GB, a few minutes
    XPFLOW_TEST_CONTAINERS=FOLDER pytest tests/workflow/test_container.py

No registry is needed: debootstrap makes a base like python:3.11-slim-bookworm, and `xpflow image build` puts
the locked packages on it. Packages come from where apt and pip of this machine are set up to look. Apptainer
is the one on the PATH or, since stable Debian has none, that of Debian unstable, unpacked under FOLDER with
the libraries that it needs. Outside of FOLDER only missing Debian packages are installed.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "debootstrap": "debootstrap",
    "mksquashfs": "squashfs-tools",
    "patchelf": "patchelf",
    "newuidmap": "uidmap",
    "bwrap": "bubblewrap",
}
RELEASES = (
    *("bullseye", "bookworm", "trixie", "forky", "sid"),
    *("oldoldstable", "oldstable", "stable", "testing", "unstable"),
)
SCHEMES = ("http://", "https://", "file:")  # what both apt and debootstrap read
BASE_PACKAGES = "python3,python3-venv,bubblewrap,ca-certificates"
UNSTABLE, ITS_LIBRARIES = "apptainer/sid", ("libc6/trixie", "libseccomp2/trixie", "libsqlite3-0/trixie")
LIBRARY_FOLDER = "usr/lib/x86_64-linux-gnu"
# Fast to make rather than small.
SQUASH = "-comp zstd -Xcompression-level 1"
# What bubblewrap needs as root, for installations where root starts a container without capabilities.
CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "SETPCAP", "SETUID", "SETGID", "KILL", "DAC_OVERRIDE")


def run(*command: str | Path, **options: object) -> None:
    print("+", shlex.join(map(str, command)), flush=True)
    subprocess.run([str(word) for word in command], check=True, **options)  # type: ignore[call-overload]


def mirror() -> str:
    """Return the Debian archive that this machine's apt is set up with; ends with an error where none is.

    apt says it itself, whatever the format of its sources: repository, release and component of each index.
    """
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"]
    try:
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: the Debian archive is taken from apt, and {command[0]} does not work here: {error}")
    found = archive_in(listed)
    if found is None:
        sys.exit(
            "error: apt of this machine is set up with no Debian archive (see /etc/apt/sources.list.d):"
            " add the one that you may use, as `deb URI bookworm main`"
        )
    return found


def archive_in(listed: str) -> str | None:
    """Return the first archive of whole Debian releases in what `apt-get indextargets` lists."""
    for words in map(str.split, listed.splitlines()):
        if len(words) == 3 and words[1] in RELEASES and words[2] == "main" and words[0].startswith(SCHEMES):
            return words[0].rstrip("/")
    return None


def limited() -> bool:
    """Say whether this root lacks capabilities: then Apptainer must not ask for all of them."""
    mask = int(re.search(r"CapBnd:\s+(\w+)", Path("/proc/self/status").read_text(encoding="ascii"))[1], 16)  # type: ignore[index]
    return mask != (1 << int(Path("/proc/sys/kernel/cap_last_cap").read_text(encoding="ascii")) + 1) - 1


def install_tools() -> None:
    missing = [package for command, package in PACKAGES.items() if shutil.which(command) is None]
    if missing:
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)


def install_apptainer(folder: Path) -> None:
    """Unpack Apptainer under folder/apptainer, so that it runs with libraries of its own."""
    place = folder / "apptainer"
    if shutil.which("apptainer") or (place / "usr/bin/apptainer").exists():
        return
    apt = folder / "apt"
    for name in ("state/lists/partial", "cache/archives/partial", "debs"):
        (apt / name).mkdir(parents=True, exist_ok=True)
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    lines = [f"deb [signed-by={key}] {mirror()} {suite} main\n" for suite in ("sid", "trixie")]
    (apt / "sources.list").write_text("".join(lines))
    settings = {
        "Dir::State": apt / "state",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": apt / "cache",
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "APT::Sandbox::User": "root",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    run("apt-get", "-qq", *options, "update")
    run("apt-get", "-qq", *options, "download", UNSTABLE, *ITS_LIBRARIES, cwd=apt / "debs")
    for package in sorted((apt / "debs").glob("*.deb")):
        run("dpkg", "-x", package, place if package.name.startswith("apptainer") else apt / "libraries")
    shutil.copytree(apt / "libraries" / LIBRARY_FOLDER, place / "lib", symlinks=True, dirs_exist_ok=True)
    relocate(place)


def relocate(place: Path) -> None:
    """Point the programs to the libraries beside them, and Apptainer's two prefixes to one configuration."""
    programs = [path for path in (place / "usr").rglob("*") if path.is_file() and not path.is_symlink()]
    for program in programs:
        if os.access(program, os.X_OK) and program.read_bytes()[:4] == b"\x7fELF":
            loader = ["--set-interpreter", str(place / "lib/ld-linux-x86-64.so.2")]
            rpath = ["--force-rpath", "--set-rpath", str(place / "lib")]
            subprocess.run(["patchelf", *loader, *rpath, program], check=False, capture_output=True)
    for name in ("etc", "var"):  # the command and its starter look from different depths
        (place / "usr" / name).symlink_to(f"../{name}")
        (place / "usr/lib" / name).symlink_to(f"../../{name}")
    (place / "var/lib/apptainer/mnt/session").mkdir(parents=True, exist_ok=True)
    if limited():
        file = place / "etc/apptainer/apptainer.conf"
        text = file.read_text().replace("root default capabilities = full", "root default capabilities = no")
        file.write_text(text)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment in which Apptainer is found and may start bubblewrap."""
    added = ",".join(f"CAP_{name}" for name in CAPABILITIES)
    path = f"{folder / 'apptainer/usr/bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    source = {"PYTHONPATH": str(folder / "checkout/src")}
    return {**os.environ, "PATH": path, **source, **({"APPTAINER_ADD_CAPS": added} if limited() else {})}


def make_base(folder: Path) -> None:
    """Make the folder `base`, a Debian with Python 3.11, in the place of the registry's image."""
    if (folder / "base/usr/bin/bwrap").exists():
        return
    shutil.rmtree(folder / "base", ignore_errors=True)
    options = ["--variant=minbase", f"--include={BASE_PACKAGES}", "bookworm"]
    run("debootstrap", *options, folder / "base", mirror(), stdout=subprocess.DEVNULL)
    shutil.rmtree(folder / "base/dev")
    (folder / "base/dev").mkdir()


def pip_settings(folder: Path) -> list[str]:
    """Write this machine's pip settings to pip.conf; return the binds that let a build see what they name."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    values = dict(re.findall(r"^(?:global|:env:|install)\.([a-z-]+)='(.*)'$", listed, re.MULTILINE))
    (folder / "pip.conf").write_text("[global]\n" + "".join(f"{k} = {v}\n" for k, v in values.items()))
    places = [word.removeprefix("file://") for value in values.values() for word in value.split()]
    binds = [(str(folder / "pip.conf"), "/etc/pip.conf")]
    for place in map(Path, places):
        if place.is_absolute() and place.exists():  # an index named .../simple has its files beside it
            shown = place.parent if place.name == "simple" or place.is_file() else place
            binds.append((str(shown), str(shown)))
    for _, inside in binds:
        there = folder / "base" / inside.lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.touch() if inside.endswith(".conf") else there.mkdir(parents=True, exist_ok=True)
    return [word for pair in dict.fromkeys(binds) for word in ("--bind", ":".join(pair))]


def copy_checkout(folder: Path) -> Path:
    """Copy the files of the repository to folder/checkout, as a fresh clone would have them."""
    target = folder / "checkout"
    for name in ("src", "Snakefile", "workflow", "config", "containers/install.sh"):
        path = target / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(lambda name: (ROOT / name).is_file(), names):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)
    return target


def build_image(folder: Path) -> None:
    """Build the CPU image in folder/checkout, unless the one there is of these sources."""
    from xpflow.images import read_local, source_digest

    checkout = copy_checkout(folder)
    local = read_local(checkout)
    if local is not None and local.source == source_digest(checkout):
        return
    command = [sys.executable, "-m", "xpflow", "image", "build", "--engine", "apptainer"]
    command += ["--base", str(folder / "base"), "--torch-index", "", "--", "--mksquashfs-args", SQUASH]
    command += pip_settings(folder)
    if limited():  # a build is then in a user namespace, and needs users to map, for this command alone
        command.insert(command.index("--") + 1, "--fakeroot")
        (folder / "subids").write_text("root:100000:65536\n")
        mounts = "".join(f"mount --bind {folder}/subids /etc/sub{kind}id && " for kind in "ug")
        command = ["unshare", "--mount", "sh", "-c", f'{mounts}exec "$@"', "sh", *command]
    run(*command, cwd=checkout, env=environment(folder))


def main(folder: Path) -> None:
    if not (folder / "base/usr/bin/bwrap").exists():
        mirror()  # before anything is made
    folder.mkdir(parents=True, exist_ok=True)
    install_tools()
    install_apptainer(folder)
    make_base(folder)
    build_image(folder)
    print(f"ready: XPFLOW_TEST_CONTAINERS={folder} pytest tests/workflow/test_container.py")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
