# SPDX-License-Identifier: GPL-3.0-or-later
"""A package index on the loopback interface that can cut, corrupt and refuse as real networks do."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pixel3dmm_blender.client.index import IndexSettings


@dataclass
class FakeIndex:
    """What the index offers and how it misbehaves; ``asked`` is every path with its Range header."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    """One number per coming answer: how many bytes of the body are sent before the line is cut."""
    as_json: bool = False
    as_web_page: bool = False
    knows_ranges: bool = True
    password: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    @property
    def settings(self) -> IndexSettings:
        """What pip would be set to for this index."""
        return IndexSettings(indexes=(f"{self.url}/simple",))

    def downloads(self) -> list[str]:
        """Return the Range header of each request for a file, '' where it had none."""
        return [span for path, span in self.asked if path.startswith("/files/")]


@contextmanager
def serve_index(index: FakeIndex) -> Iterator[FakeIndex]:
    """Serve the index while the block runs."""

    class Handler(_Handler):
        offered = index

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    offered: FakeIndex

    def do_GET(self) -> None:
        index = self.offered
        index.asked.append((self.path, self.headers.get("Range", "")))
        if index.password and self.headers.get("Authorization") != index.password:
            self.send_error(401)
        elif self.path.startswith("/simple/"):
            self._send_project(self.path.split("/")[2])
        elif index.as_web_page:
            self._send(200, b"<html>Please log in</html>", "text/html; charset=utf-8")
        elif (body := index.files.get(self.path.removeprefix("/files/"))) is None:
            self.send_error(404)
        else:
            self._send_file(body)

    def log_message(self, *_arguments: object) -> None:
        """Keep the tests' output clean."""

    def _send_project(self, project: str) -> None:
        names = [
            name for name in self.offered.files if name.replace("_", "-").startswith(f"{project}-")
        ]
        if not names:
            self.send_error(404)
            return
        hashes = {name: hashlib.sha256(self.offered.files[name]).hexdigest() for name in names}
        if self.offered.as_json:
            rows = [
                {"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": hashes[name]}}
                for name in names
            ]
            page = json.dumps({"meta": {"api-version": "1.0"}, "files": rows}).encode()
            self._send(200, page, "application/vnd.pypi.simple.v1+json")
        else:
            links = (
                f'<a href="../../files/{name}#sha256={hashes[name]}">{name}</a>' for name in names
            )
            self._send(200, "\n".join(links).encode(), "text/html")

    def _send_file(self, body: bytes) -> None:
        span = self.headers.get("Range", "")
        if not span or not self.offered.knows_ranges:
            self._send(200, body, "application/octet-stream")
            return
        start = int(span.removeprefix("bytes=").rstrip("-"))
        if start >= len(body):
            self.send_error(416)
            return
        self._send(206, body[start:], "application/octet-stream")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        is_file = self.path.startswith("/files/")
        cut = self.offered.cut_after.pop(0) if is_file and self.offered.cut_after else len(body)
        self.wfile.write(body[:cut])
