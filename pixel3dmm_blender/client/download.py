# SPDX-License-Identifier: GPL-3.0-or-later
"""One file from the network to the disk: resumed where it stopped, checked by sha-256, never half used.

Bytes go to ``NAME.partial`` beside the target; the name itself appears only when the whole file has been checked.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import shutil
import ssl
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..wire.faults import Cancelled, DiskFull, DownloadFailed
from .index import IndexSettings, open_url

ByteProgress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes of the whole file (0 = not known)."""

_CHUNK = 1 << 18
_ATTEMPTS = 4  # networks cut long downloads; each attempt goes on where the last one stopped
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_AGAIN = "Try again: what has arrived is kept, and the download goes on where it stopped."


@dataclass(frozen=True)
class Download:
    """What to fetch: ``sha256`` in hexadecimal ('' = the caller checks), ``size`` in bytes (0 = unknown)."""

    url: str
    target: Path
    sha256: str = ""
    size: int = 0


def fetch(
    download: Download,
    settings: IndexSettings,
    progress: ByteProgress,
    cancelled: Callable[[], bool],
) -> None:
    """Fetch one file, or return at once if it is there and right.

    Raises DownloadFailed (cut, refused, a web page, or another file than asked for), DiskFull, Cancelled.
    """
    target = download.target
    if download.sha256 and target.is_file() and file_sha256(target) == download.sha256:
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _require_space(download)
        partial = target.with_name(target.name + ".partial")
        _fetch_to(partial, download, settings, progress, cancelled)
        if download.sha256 and file_sha256(partial) != download.sha256:
            partial.unlink()
            raise DownloadFailed(
                f"{target.name} is not the file it should be: its checksum is wrong.",
                "It was deleted. Try again; if it happens again, the mirror or proxy in between changes files.",
                download.url,
            )
        partial.replace(target)
    except OSError as error:
        raise disk_fault(error, target.parent) from error


def file_sha256(path: Path) -> str:
    """Return the sha-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def disk_fault(error: OSError, folder: Path) -> DiskFull:
    """Say in the user's words why nothing could be written to ``folder``."""
    if error.errno in _FULL or getattr(error, "winerror", None) == 112:
        return DiskFull(
            f"The disk of {folder} is full.", "Make room on it and try again.", str(error)
        )
    reason = error.strerror or str(error)
    return DiskFull(
        f"{folder} cannot be written: {reason}.", "Choose another folder or change its permissions."
    )


def _require_space(download: Download) -> None:
    free = shutil.disk_usage(download.target.parent).free
    if free < download.size:
        raise OSError(errno.ENOSPC, f"{download.size >> 20} MB needed, {free >> 20} MB free")


def _fetch_to(
    partial: Path,
    download: Download,
    settings: IndexSettings,
    progress: ByteProgress,
    cancelled: Callable[[], bool],
) -> None:
    """Bring ``partial`` to its full length, over as many connections as it takes."""
    problem = ""
    for _ in range(_ATTEMPTS):
        before = partial.stat().st_size if partial.is_file() else 0
        try:
            if _fetch_part(partial, download, settings, progress, cancelled):
                return
            problem = "the connection ended early"
        except urllib.error.HTTPError as error:
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and before:
                partial.unlink()  # longer than the file itself: from another one
                continue
            raise _refused(download, f"the server answered {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            raise _refused(download, str(error.reason)) from error
        except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
            problem = str(error) or type(error).__name__
        if not partial.is_file() or partial.stat().st_size <= before:
            break  # nothing came: more attempts would hammer a server that has nothing to give
    raise DownloadFailed(
        f"The download of {download.target.name} was cut: {problem}.", _AGAIN, download.url
    )


def _fetch_part(
    partial: Path,
    download: Download,
    settings: IndexSettings,
    progress: ByteProgress,
    cancelled: Callable[[], bool],
) -> bool:
    """Read one connection to its end; True if the file is then whole."""
    present = partial.stat().st_size if partial.is_file() else 0
    if download.size and present == download.size:
        return True
    headers = {"Range": f"bytes={present}-"} if present else {}
    headers["Accept-Encoding"] = "identity"
    with open_url(download.url, settings, headers) as response:
        if (response.headers.get("Content-Type") or "").startswith("text/html"):
            raise _refused(
                download, "a web page came in its place (a log-in page or a proxy's message)"
            )
        resumed = response.status == http.client.PARTIAL_CONTENT
        present = present if resumed else 0
        announced = int(response.headers.get("Content-Length") or 0)
        total = present + announced if announced else download.size
        with partial.open("ab" if resumed else "wb") as file:
            while chunk := response.read(_CHUNK):
                if cancelled():
                    raise Cancelled(
                        "The download was stopped.", "What has arrived is kept for the next time."
                    )
                file.write(chunk)
                present += len(chunk)
                progress(present, total)
    return present >= total


def _refused(download: Download, reason: str) -> DownloadFailed:
    return DownloadFailed(
        f"{download.target.name} could not be downloaded: {reason}.",
        "Check the network (proxy, firewall, pip's settings) and try again.",
        download.url,
    )
