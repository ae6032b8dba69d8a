"""What one program may use."""

from __future__ import annotations

from dataclasses import dataclass

from xpflow.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one program, enforced inside the jail.

    CPU time is the limit that decides in practice: it does not depend on how busy the machine is. Wall time
    only ends programs that wait, and is wide, so that load never turns a good program into a timeout.
    Both are totals over all calls of one program. A program that reaches one is tried once more alone, with
    ten times its canonical solution's CPU time if that is more. Standard output and error go nowhere;
    `output_mib` bounds its answers together, `file_mib` each file and the private /tmp, `processes` counts
    threads too.
    """

    cpu_s: float = 5.0
    wall_s: float = 30.0
    memory_mib: int = 512
    file_mib: int = 16
    open_files: int = 64
    processes: int = 32
    output_mib: int = 64
    retries: int = 2

    def __post_init__(self) -> None:
        for name in ("cpu_s", "wall_s", "memory_mib", "file_mib", "open_files", "processes", "output_mib"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"grading limit {name} must be above 0, found {getattr(self, name)}")
        if self.retries < 0:
            raise ConfigError(f"grading limit retries must not be negative, found {self.retries}")
