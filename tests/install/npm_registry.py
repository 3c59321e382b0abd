"""A registry of npm on this machine with the packages of this project, which refers to the configured registry for all others."""

import base64
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from packages import BUILT, TARGETS, Target, version


def _manifest(archive: bytes) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        file = files.extractfile("package/package.json")
        assert file is not None
        manifest: dict[str, Any] = json.loads(file.read())
        return manifest


def _empty(target: Target) -> bytes:
    """A package in the place of one that this machine did not build: a package manager must find it, and none may load it."""
    system, processor, libc = target.node
    manifest = {"name": f"assemblage-{target.name}", "version": version(), "os": [system], "cpu": [processor], "libc": [libc]}
    text = json.dumps(manifest).encode()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as files:
        member = tarfile.TarInfo("package/package.json")
        member.size = len(text)
        files.addfile(member, io.BytesIO(text))
    return made.getvalue()


@contextmanager
def npm_registry(upstream: str) -> Iterator[str]:
    """Its address."""
    archives = {"assemblage": (BUILT / f"assemblage-{version()}.tgz").read_bytes()}
    for target in TARGETS.values():
        built: Path = BUILT / f"assemblage-{target.name}-{version()}.tgz"
        archives[f"assemblage-{target.name}"] = built.read_bytes() if built.exists() else _empty(target)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path.split("?")[0]).strip("/")
            if path.startswith("files/"):
                self._answer(archives[path.removeprefix("files/").removesuffix(".tgz")], "application/octet-stream")
            elif path in archives:
                self._answer(json.dumps(self._document(path)).encode(), "application/json")
            else:
                self.send_response(302)
                self.send_header("Location", upstream.rstrip("/") + self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def _document(self, name: str) -> dict[str, Any]:
            archive = archives[name]
            distribution = {
                "tarball": f"http://{self.headers['Host']}/files/{name}.tgz",
                "shasum": hashlib.sha1(archive).hexdigest(),
                "integrity": "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode(),
            }
            described = {version(): {**_manifest(archive), "dist": distribution}}
            return {
                "name": name,
                "dist-tags": {"latest": version()},
                "versions": described,
                "time": {version(): "2020-01-01T00:00:00Z"},
            }

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
