"""A model hub on the loopback: the few endpoints that the hub client needs to list and download a commit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit


@dataclass
class FakeHub:
    """Repositories by "models/owner/name": {commit: {file: bytes}}; `lfs` says what is hashed by SHA-256."""

    repos: dict[str, dict[str, dict[str, bytes]]]
    gated: set[str] = field(default_factory=set)
    lied_sha256: dict[str, str] = field(default_factory=dict)
    fail_after: dict[str, int] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    url: str = ""

    def lfs(self, name: str) -> bool:
        return name.endswith((".safetensors", ".parquet", ".bin"))

    def entry(self, name: str, data: bytes) -> dict[str, object]:
        sha256 = self.lied_sha256.get(name, hashlib.sha256(data).hexdigest())
        blob = hashlib.sha1(data).hexdigest()
        large = {"lfs": {"oid": sha256, "sha256": sha256, "size": len(data), "pointerSize": 134}}
        return {"size": len(data), "blobId": blob, "oid": blob, **(large if self.lfs(name) else {})}


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve a hub on a free port of the loopback; `hub.url` is what HF_ENDPOINT must be."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            parts = unquote(urlsplit(self.path).path).strip("/").split("/")
            if parts[0] == "api" and len(parts) < 6:
                return self.reply(404, b"{}", {})
            if parts[0] == "api":
                repo, action, commit = "/".join(parts[1:4]), parts[4], parts[5]
            else:
                parts = parts if parts[0] == "datasets" else ["models", *parts]
                repo, action, commit = "/".join(parts[:3]), parts[3], parts[4]
            if repo not in hub.repos:
                return self.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            if commit not in hub.repos[repo]:
                return self.reply(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            files = hub.repos[repo][commit]
            if action == "resolve":
                if repo in hub.gated:
                    return self.reply(403, b"{}", {"X-Error-Code": "GatedRepo"})
                return self.file(repo, commit, "/".join(parts[5:]), body)
            if repo in hub.gated:
                return self.reply(403, b"{}", {"X-Error-Code": "GatedRepo"})
            if action == "tree":
                rows = [{"type": "file", "path": n, **hub.entry(n, d)} for n, d in files.items()]
                return self.reply(200, json.dumps(rows).encode(), {"Content-Type": "application/json"})
            siblings = [{"rfilename": n, **hub.entry(n, d)} for n, d in files.items()]
            info = {"id": repo.partition("/")[2], "sha": commit, "siblings": siblings}
            info |= {
                "private": False,
                "gated": False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
            }
            return self.reply(200, json.dumps(info).encode(), {"Content-Type": "application/json"})

        def file(self, repo: str, commit: str, name: str, body: bool) -> None:
            data = hub.repos[repo][commit][name]
            entry = hub.entry(name, data)
            etag = entry["lfs"]["sha256"] if hub.lfs(name) else entry["blobId"]  # type: ignore[index]
            headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
            if body:
                hub.sent.append(name)
                if hub.fail_after.get(name, 1) <= 0:
                    return self.reply(403, b"{}", {})
                hub.fail_after.update({n: left - 1 for n, left in hub.fail_after.items() if n == name})
            return self.reply(200, data, headers, body)

        def reply(self, status: int, data: bytes, headers: dict[str, str], body: bool = True) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body and self.command != "HEAD":
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
