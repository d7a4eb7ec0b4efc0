# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a published file lies: the package index, certificates and wheel folders that the user's pip is set to.

Many machines reach PyPI only through a mirror. Whoever set such a machine up told pip about it (pip.conf or PIP_*), so
pip's settings are the one place to ask. An index is read in either form of the simple API, JSON or HTML.
"""

from __future__ import annotations

import ast
import base64
import json
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit
from urllib.response import addinfourl

from .pip import ask_python, site_packages

PYPI = "https://pypi.org/simple"
TIMEOUT_S = 60.0
_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_SETTING = re.compile(
    r"^(?P<section>[^.]+)\.(?P<name>[\w-]+)=(?P<quote>['\"])(?P<value>.*)(?P=quote)$"
)
_SECTIONS = ("global", "install", "download", ":env:")


@dataclass(frozen=True)
class IndexSettings:
    """What pip was told: indexes in the order to ask, folders of wheels, a certificate file, a proxy."""

    indexes: tuple[str, ...] = (PYPI,)
    wheel_folders: tuple[Path, ...] = ()
    certificates: tuple[Path, ...] = ()
    proxy: str = ""


@dataclass(frozen=True)
class PublishedFile:
    """One file of a project in an index; ``sha256`` is the index's own word and may be empty."""

    name: str
    url: str
    sha256: str = ""


def read_index_settings(python: Path | None = None) -> IndexSettings:
    """Ask the pip of ``python`` (default: this Python) for its settings; PyPI's where it has none or is not there."""
    python = python or Path(sys.executable)
    settings = _pip_settings(python)
    indexes = settings.get("index-url", PYPI).split() + settings.get("extra-index-url", "").split()
    folders = tuple(
        Path(link) for link in settings.get("find-links", "").split() if Path(link).is_dir()
    )
    chosen = settings.get("cert", "")
    return IndexSettings(
        indexes=tuple(index.rstrip("/") for index in indexes) if "no-index" not in settings else (),
        wheel_folders=folders,
        certificates=(Path(chosen),) if chosen else _pip_certificates(python),
        proxy=settings.get("proxy", ""),
    )


def list_files(project: str, settings: IndexSettings) -> tuple[PublishedFile, ...]:
    """Return every file that wheel folders and indexes offer for ``project``.

    An index that does not have the project is passed over. OSError of the last index if no place has anything.
    """
    stem = project.replace("-", "_")
    found = [
        PublishedFile(path.name, path.resolve().as_uri())
        for folder in settings.wheel_folders
        for path in sorted(folder.glob(f"{stem}-*"))
    ]
    failure: OSError | None = None
    for index in settings.indexes:
        try:
            found.extend(_read_project(f"{index}/{project}/", settings))
        except OSError as error:
            failure = error
    if not found and failure is not None:
        raise failure
    return tuple(found)


def open_url(url: str, settings: IndexSettings, headers: dict[str, str]) -> addinfourl:
    """Open ``url`` with the user's certificates and proxy; a name and password in it become a header."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http", "file"):
        raise urllib.error.URLError(f"unknown kind of address: {parts.scheme}")
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers = {**headers, "Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    handlers: list[urllib.request.BaseHandler] = []
    if parts.scheme == "https":
        context = ssl.create_default_context()
        for path in settings.certificates:
            context.load_verify_locations(str(path))
        handlers.append(urllib.request.HTTPSHandler(context=context))
    if settings.proxy:
        handlers.append(
            urllib.request.ProxyHandler({"http": settings.proxy, "https": settings.proxy})
        )
    request = urllib.request.Request(urlunsplit(parts), headers=headers)
    return urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_S)


def _pip_settings(python: Path) -> dict[str, str]:
    """Run ``pip config list`` and merge its sections as pip does: the environment wins."""
    try:
        listing = ask_python(python, "-m", "pip", "config", "list").stdout
    except (OSError, subprocess.TimeoutExpired):
        return {}
    matches = [found for line in listing.splitlines() if (found := _SETTING.match(line.strip()))]
    matches = [found for found in matches if found["section"] in _SECTIONS]
    matches.sort(key=lambda found: _SECTIONS.index(found["section"]))
    return {found["name"]: _unquoted(found["quote"], found["value"]) for found in matches}


def _unquoted(quote: str, value: str) -> str:
    """Read a value as pip prints it, a Python string; several lines become several words."""
    try:
        text = str(ast.literal_eval(f"{quote}{value}{quote}"))
    except (SyntaxError, ValueError):
        return value
    return " ".join(line.strip() for line in text.splitlines()).strip()


def _pip_certificates(python: Path) -> tuple[Path, ...]:
    """Find the certificates that pip brings: some builds of Python (macOS) have none of their own."""
    packages = site_packages(python.parent.parent)
    path = packages / "pip/_vendor/certifi/cacert.pem" if packages else None
    return (path,) if path and path.is_file() else ()


def _read_project(url: str, settings: IndexSettings) -> tuple[PublishedFile, ...]:
    """Read one project page; () where the index does not have the project."""
    if url.startswith("file:"):
        url += "index.html"
    try:
        with open_url(url, settings, {"Accept": _ACCEPT}) as response:
            body = response.read()
            kind = response.headers.get("Content-Type") or ""
            base = response.url or url
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return ()
        raise
    except urllib.error.URLError:
        if url.startswith("file:"):
            return ()
        raise
    return _parse_json(body, base) if "json" in kind else _parse_html(body, base)


def _parse_json(body: bytes, base: str) -> tuple[PublishedFile, ...]:
    try:
        page = cast("dict[str, list[dict[str, str | dict[str, str]]]]", json.loads(body))
        rows = page["files"]
        return tuple(
            PublishedFile(
                str(row["filename"]),
                urljoin(base, str(row["url"])),
                cast("dict[str, str]", row.get("hashes", {})).get("sha256", ""),
            )
            for row in rows
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise urllib.error.URLError(
            "the package index answered with a page that is not a list of files"
        ) from error


def _parse_html(body: bytes, base: str) -> tuple[PublishedFile, ...]:
    links = _Links()
    links.feed(body.decode("utf-8", "replace"))
    return tuple(_published(urljoin(base, link)) for link in links.found)


def _published(link: str) -> PublishedFile:
    url, fragment = urldefrag(link)
    sha256 = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else ""
    return PublishedFile(unquote(urlsplit(url).path.rpartition("/")[2]), url, sha256)


class _Links(HTMLParser):
    """The addresses of all anchors of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.extend(value for name, value in attrs if tag == "a" and name == "href" and value)
