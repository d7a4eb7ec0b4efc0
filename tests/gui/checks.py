# SPDX-License-Identifier: GPL-3.0-or-later
"""What was checked, one sentence each, printed at once and kept in a file that both Blenders write."""

from __future__ import annotations

import json
from pathlib import Path


class Checks:
    """Sentences with a verdict, and facts that one process leaves for the other."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def that(self, sentence: str, ok: bool, otherwise: str = "") -> bool:
        """Record one check; ``otherwise`` is shown where it failed."""
        tail = f" [{otherwise}]" if otherwise and not ok else ""
        print(f"{'ok  ' if ok else 'FAIL'}  {sentence}{tail}", flush=True)
        self._write({"sentence": sentence, "ok": bool(ok)})
        return ok

    def fact(self, name: str, value: object) -> None:
        """Leave a value for the other process; the last one of a name counts."""
        self._write({"fact": name, "value": value})

    def facts(self) -> dict[str, object]:
        """Read the facts."""
        return {line["fact"]: line["value"] for line in self._read() if "fact" in line}

    def totals(self) -> tuple[int, int]:
        """Count the passed and the failed."""
        verdicts = [line["ok"] for line in self._read() if "ok" in line]
        return sum(verdicts), len(verdicts) - sum(verdicts)

    def _write(self, line: dict[str, object]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _read(self) -> list[dict]:
        if not self._path.is_file():
            return []
        return [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()]
