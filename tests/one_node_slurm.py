"""A private SLURM of one node: this machine, loopback only, every file in one folder, no root, no systemd.

Real daemons (munged, slurmctld, slurmd) and the real commands. What differs from a cluster: no accounting
database, so states come from `squeue`; GPUs are device nodes that nothing drives; memory is watched every
second (`OverMemoryKill`), not bounded by cgroups. By hand: `python tests/one_node_slurm.py FOLDER`.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "sinfo")
PACKAGES = "munge slurmctld slurmd slurm-client"

CONFIGURATION = """
ClusterName=private
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
# A requeued job waits until its credential has expired: 2 minutes by default.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/none
MailProg=/bin/true
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=2
OverTimeLimit=0
MinJobAge=3600
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=here NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs={cpus} RealMemory={memory_mb} \
Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes=here Default=YES MaxTime=12:00:00 State=UP
PartitionName=gpu Nodes=here MaxTime=12:00:00 State=UP
"""


def missing_programs() -> list[str]:
    """Return what a private SLURM needs and this machine lacks (Debian: `apt-get install` of PACKAGES)."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


class OneNodeSlurm:
    """The daemons of one folder; `environment` is what their clients need."""

    def __init__(self, folder: Path, cpus: int = 4, memory_mb: int = 16000, gpus: int = 4) -> None:
        self.folder = folder
        self.daemons: list[tuple[str, subprocess.Popen[bytes]]] = []
        for name in ("state", "spool", "bin"):
            (folder / name).mkdir(parents=True)
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}:/usr/sbin:/sbin",
        }
        facts = {"folder": folder, "host": socket.gethostname().split(".")[0], "user": getpass.getuser()}
        sizes = {"cpus": cpus, "memory_mb": memory_mb, "gpus": gpus, "ports": _free_ports(2)}
        (folder / "slurm.conf").write_text(CONFIGURATION.format(**facts, **sizes))
        devices = [_device(folder / f"nvidia{index}") for index in range(gpus)]
        lines = ["AutoDetect=off", *(f"NodeName=here Name=gpu File={device}" for device in devices)]
        (folder / "gres.conf").write_text("\n".join(lines) + "\n")
        self._write_srun()

    def _write_srun(self) -> None:
        """A job's step starts without SLURM_ variables: the `srun` that it finds sets SLURM_CONF again."""
        script = self.folder / "bin" / "srun"
        script.write_text(
            f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n'
        )
        script.chmod(0o755)

    def start(self) -> None:
        """Start the daemons and wait for the node; raises RuntimeError with the end of a dead one's log."""
        key, socket_ = self.folder / "munge.key", self.folder / "munge.socket"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        places = {"key-file": key, "socket": socket_, "pid-file": self.folder / "munge.pid"}
        places |= {"log-file": self.folder / "munged.log", "seed-file": self.folder / "munge.seed"}
        options = [f"--{name}={path}" for name, path in places.items()]
        self._spawn("munged", "--foreground", "--force", *options)
        self._wait_for(socket_.exists)
        self._spawn("slurmctld", "-D")
        self._spawn("slurmd", "-D", "-N", "here")
        self._wait_for(lambda: self.ask("sinfo", "--noheader", "--format=%T").split() == ["idle"])

    def _spawn(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.out").open("wb") as out:
            command = [str(shutil.which(name, path=self.environment["PATH"])), *arguments]
            process = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self.daemons.append((name, process))

    def _wait_for(self, ready: Callable[[], bool], timeout_s: float = 30.0) -> None:
        end = time.monotonic() + timeout_s
        while not ready():
            dead = [name for name, process in self.daemons if process.poll() is not None]
            if dead or time.monotonic() > end:
                logs = {name: (self.folder / f"{name}.out").read_text()[-2000:] for name, _ in self.daemons}
                raise RuntimeError(f"SLURM did not start; dead: {dead}; {logs}")
            time.sleep(0.1)

    def ask(self, *command: str) -> str:
        """Return what a SLURM command prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        return done.stdout

    def jobs(self) -> list[dict[str, str]]:
        """Return what SLURM knows of every job so far: `scontrol show job`, one dictionary each."""
        lines = self.ask("scontrol", "--oneliner", "show", "job").splitlines()
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    def stop(self) -> None:
        """Cancel the jobs and end the daemons, by force if they do not listen."""
        self.ask("scancel", f"--user={getpass.getuser()}")
        for _, process in reversed(self.daemons):
            process.terminate()
        for _, process in reversed(self.daemons):
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def one_node_slurm(folder: Path) -> Iterator[OneNodeSlurm]:
    """Yield a running SLURM; it is stopped whatever happens."""
    slurm = OneNodeSlurm(folder)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _device(path: Path) -> Path:
    """Make what stands for a GPU: a clone of /dev/null, or without the right to make one a plain file."""
    try:
        os.mknod(path, 0o666 | 0o020000, os.makedev(1, 3))
    except PermissionError:
        path.touch()
    return path


if __name__ == "__main__":
    with one_node_slurm(Path(sys.argv[1]).resolve()) as running:
        print(f"export SLURM_CONF={running.folder}/slurm.conf PATH={running.folder}/bin:$PATH", flush=True)
        print("Running until Ctrl-C.", file=sys.stderr)
        with suppress(KeyboardInterrupt):
            time.sleep(1e9)
