"""Run with roc-validator's own Python: fills its HTTP cache with a JSON-LD context, then validates a crate.

Arguments: a context file, the folder of a crate, a folder for the cache. The validator ships no context and
there may be no network. The context is the one inside the `rocrate` package (1.3), with the one term whose
address changed since 1.1 mapped as in 1.1.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import requests
from requests_cache import CachedSession

URL = "https://w3id.org/ro/crate/1.1/context"
NEW, OLD = (
    "https://bioschemas.org/terms/ComputationalWorkflow",
    "https://bioschemas.org/ComputationalWorkflow",
)


def main() -> int:
    """Return the validator's exit code."""
    context, crate, cache = sys.argv[1:]
    fill(Path(context).read_text().replace(NEW, OLD).encode(), f"{cache}/http")
    command = [str(Path(sys.executable).with_name("rocrate-validator")), "-y", "--disable-color", "validate"]
    options = ["--offline", "--cache-path", f"{cache}/http", "--no-paging", "-p", "workflow-run-crate", crate]
    return subprocess.run([*command, *options], check=False).returncode


def fill(context: bytes, path: str) -> None:
    """Put a context into a cache under its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/ld+json")
            self.end_headers()
            self.wfile.write(context)

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    response = requests.get(f"http://127.0.0.1:{server.server_port}/", timeout=10)
    response.request, response.url = requests.Request("GET", URL).prepare(), URL
    session = CachedSession(cache_name=path, backend="sqlite", expire_after=-1)
    session.cache.save_response(response, cache_key=session.cache.create_key(response.request))
    server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
