"""Where Snakemake finds `--logger xpflow`, by this package's name. All of it is in `xpflow.display`."""

from xpflow.display.handler import LogHandler

__all__ = ["LogHandler"]
