# SPDX-License-Identifier: GPL-3.0-or-later
"""Making environments with the real venv and the real pip, from an index on the loopback interface."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixel3dmm_blender.client.pip import PipLines, run_logged
from pixel3dmm_blender.client.pythons import find_python
from pixel3dmm_blender.client.setup import (
    Recipe,
    engine_python,
    install_lock,
    is_engine_ready,
    is_ready,
    make_engine,
    make_environment,
)
from pixel3dmm_blender.wire.faults import (
    Cancelled,
    DiskFull,
    DownloadFailed,
    EngineNotInstalled,
    Pixel3dmmError,
)
from tests.fakes.index import FakeIndex, serve_index

posix_only = pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for Python")


def wheel(name: str, version: str, needs: str = "") -> bytes:
    """Make a wheel with one empty module that declares what it needs."""
    module = name.replace("-", "_")
    folder = f"{module}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {needs}\n" if needs else ""
    contents = {
        f"{module}.py": "",
        f"{folder}/METADATA": metadata,
        f"{folder}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={_record_hash(text)},{len(text)}\n" for path, text in contents.items()
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in {**contents, f"{folder}/RECORD": record}.items():
            archive.writestr(path, text)
    return packed.getvalue()


def _record_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


ONE = wheel("one", "1.0")
TORCH_PLAIN = wheel("torch", "2.0", "nvidia-nccl")
TORCH_CPU = wheel("torch", "2.0+cpu")
LIBRARY = wheel("nvidia-nccl", "3.0")
WHEELS = {
    "one-1.0-py3-none-any.whl": ONE,
    "torch-2.0-py3-none-any.whl": TORCH_PLAIN,
    "nvidia_nccl-3.0-py3-none-any.whl": LIBRARY,
}


def entry(pin: str, *contents: bytes) -> str:
    hashes = " \\\n".join(
        f"    --hash=sha256:{hashlib.sha256(one).hexdigest()}" for one in contents
    )
    return f"{pin} \\\n{hashes}\n"


def silent(_fraction: float, _text: str) -> None:
    pass


def unheard(_line: str) -> None:
    pass


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Set pip to a loopback index; returns a folder of wheels that pip looks into as well."""
    folder = tmp_path_factory.mktemp("wheels")
    with serve_index(FakeIndex(WHEELS)) as index, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_INDEX_URL", f"{index.url}/simple")
        patch.setenv("PIP_FIND_LINKS", str(folder))
        patch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
        patch.setenv("PIP_NO_CACHE_DIR", "1")
        yield folder


@pytest.fixture(scope="module")
def made(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """One finished environment; making it takes seconds, so the tests share it and copy it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "small.lock").write_text(entry("one==1.0", ONE))
    recipe = Recipe(folder / "environment", folder / "small.lock", ("one",))
    make_environment(recipe, silent, never, Path(sys.executable))
    return recipe


@pytest.fixture
def copied(made: Recipe, tmp_path: Path) -> Recipe:
    """Give a test an environment of its own."""
    shutil.copytree(made.environment, tmp_path / "environment", symlinks=True)
    shutil.copy2(made.lock, tmp_path / "small.lock")
    return Recipe(tmp_path / "environment", tmp_path / "small.lock", ("one",))


def can_import(recipe: Recipe, name: str) -> bool:
    python = str(engine_python(recipe.environment))
    return subprocess.run([python, "-I", "-c", f"import {name}"], check=False).returncode == 0


def with_torch(recipe: Recipe, *builds: bytes) -> Recipe:
    lock = recipe.lock.with_name("torch.lock")
    lock.write_text(entry("torch==2.0", *builds) + entry("nvidia-nccl==3.0", LIBRARY))
    return Recipe(recipe.environment, lock, ("torch",))


def test_a_finished_environment_is_ready_and_holds_what_the_lock_says(made: Recipe) -> None:
    assert is_ready(made)
    assert is_engine_ready(made.environment, made.lock)
    assert can_import(made, "one")


def test_a_finished_environment_is_recognised_at_once(made: Recipe) -> None:
    seen: list[str] = []

    make_engine(made.environment, made.lock, lambda _, text: seen.append(text), never)

    assert seen == []


def test_an_environment_without_a_stamp_is_not_ready(copied: Recipe) -> None:
    (copied.environment / "small.stamp").unlink()

    assert not is_ready(copied)


def test_an_environment_of_another_lock_is_not_ready(copied: Recipe) -> None:
    copied.lock.write_text(copied.lock.read_text() + "# changed\n")

    assert not is_ready(copied)


def test_an_environment_whose_python_is_gone_is_not_ready(copied: Recipe) -> None:
    engine_python(copied.environment).unlink()

    assert not is_ready(copied)


def test_an_outdated_environment_is_made_again_from_nothing(copied: Recipe) -> None:
    (copied.environment / "left-over").touch()
    copied.lock.write_text(copied.lock.read_text() + "# changed\n")

    make_environment(copied, silent, never, Path(sys.executable))

    assert is_ready(copied)
    assert not (copied.environment / "left-over").exists()


def test_a_package_with_another_hash_is_refused_and_the_environment_is_not_ready(
    copied: Recipe,
) -> None:
    copied.lock.write_text(entry("one==1.0", b"something else"))
    subprocess.run(
        [str(engine_python(copied.environment)), "-m", "pip", "uninstall", "-qy", "one"], check=True
    )

    with pytest.raises(DownloadFailed, match="checksum"):
        install_lock(copied, silent, never)

    assert not is_ready(copied)
    assert not can_import(copied, "one")


def test_an_environment_that_cannot_import_is_not_ready(copied: Recipe) -> None:
    broken = Recipe(copied.environment, copied.lock, ("two",))
    (copied.environment / "small.stamp").unlink()

    with pytest.raises(EngineNotInstalled, match="could not be made") as refused:
        install_lock(broken, silent, never)

    assert "No module named 'two'" in refused.value.detail
    assert not is_ready(broken)


def test_a_build_that_asks_for_libraries_gets_them_from_the_lock(copied: Recipe) -> None:
    recipe = with_torch(copied, TORCH_PLAIN, TORCH_CPU)

    install_lock(recipe, silent, never)

    assert can_import(recipe, "torch")
    assert can_import(recipe, "nvidia_nccl")


def test_a_cpu_build_from_a_folder_of_wheels_is_taken_and_gets_no_libraries(
    copied: Recipe, wheels: Path
) -> None:
    build = wheels / "torch-2.0+cpu-py3-none-any.whl"
    build.write_bytes(TORCH_CPU)
    recipe = with_torch(copied, TORCH_PLAIN, TORCH_CPU)

    try:
        install_lock(recipe, silent, never)
    finally:
        build.unlink()

    assert can_import(recipe, "torch")
    assert not can_import(recipe, "nvidia_nccl")


def test_a_build_that_the_lock_does_not_know_is_refused(copied: Recipe) -> None:
    recipe = with_torch(copied, TORCH_CPU)

    with pytest.raises(DownloadFailed, match="not one of the builds"):
        install_lock(recipe, silent, never)

    assert not is_ready(recipe)
    assert not can_import(recipe, "torch")


def test_another_index_gives_its_own_build_and_is_remembered(copied: Recipe) -> None:
    plain = with_torch(copied, b"no build of this index")
    recipe = Recipe(plain.environment, plain.lock, ("torch",), os.environ["PIP_INDEX_URL"])

    install_lock(recipe, silent, never)

    assert is_ready(recipe)
    assert is_ready(plain), "whoever does not ask for an index is content with what is there"
    assert not is_ready(Recipe(plain.environment, plain.lock, (), "http://127.0.0.1:9/simple"))


def test_an_index_that_is_not_there_is_a_sentence(
    copied: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    recipe = with_torch(copied, TORCH_PLAIN)

    with pytest.raises(EngineNotInstalled, match=r"has no torch==2\.0 for"):
        install_lock(recipe, silent, never)


def test_a_folder_with_foreign_files_is_left_alone(made: Recipe, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")

    with pytest.raises(EngineNotInstalled, match="not ours"):
        make_environment(Recipe(tmp_path, made.lock, ()), silent, never, Path(sys.executable))

    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_a_sentence(made: Recipe, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recipe = Recipe(tmp_path / "file" / "environment", made.lock, ())

    with pytest.raises(DiskFull, match="cannot be written"):
        make_environment(recipe, silent, never, Path(sys.executable))


def test_cancel_ends_the_child_and_what_it_started_within_half_a_second(tmp_path: Path) -> None:
    nested = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    sleeper = "import pathlib, time; time.sleep(2); pathlib.Path('late').touch()"
    started = time.monotonic()

    with pytest.raises(Cancelled):
        run_logged(
            [sys.executable, "-c", nested, sleeper.replace("late", (tmp_path / "late").as_posix())],
            tmp_path / "log",
            unheard,
            lambda: time.monotonic() - started > 0.5,
        )

    assert time.monotonic() - started < 1.0
    time.sleep(2.0)
    assert not (tmp_path / "late").exists()


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        ("OSError: [Errno 28] No space left on device", DiskFull, "is full"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", DownloadFailed, "checksum"),
        ("ReadTimeoutError: Read timed out.", DownloadFailed, "could not be downloaded"),
        (
            "ImportError: libXrender.so.1: cannot open shared object file: No such file",
            EngineNotInstalled,
            r"libXrender\.so\.1",
        ),
        (
            "ERROR: No matching distribution found for torch==2.13.0",
            EngineNotInstalled,
            r"has no torch==2\.13\.0 for this Python and system",
        ),
        ("something new", EngineNotInstalled, "could not be made"),
    ],
)
def test_the_last_words_of_pip_become_a_sentence(
    tmp_path: Path, words: str, kind: type[Pixel3dmmError], sentence: str
) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit(sys.argv[1])", words]

    with pytest.raises(kind, match=sentence) as raised:
        run_logged(command, tmp_path / "log", unheard, never)

    assert words in raised.value.detail
    assert words in (tmp_path / "log").read_text()


def test_a_program_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EngineNotInstalled, match="could not be started"):
        run_logged([str(tmp_path / "nothing")], tmp_path / "log", unheard, never)


def test_what_pip_prints_becomes_a_fraction_that_rises() -> None:
    seen: list[tuple[float, str]] = []
    lines = PipLines(lambda fraction, text: seen.append((fraction, text)), expected=2)
    printed = (
        "Collecting one==1.0 (from -r some.lock)",
        "Collecting torch==2.0",
        f"Progress {100 << 20} of {200 << 20}",
        "Installing collected packages: one, torch",
    )

    for line in printed:
        lines.read(line)

    assert [fraction for fraction, _ in seen] == sorted(fraction for fraction, _ in seen)
    assert seen[2] == (pytest.approx(0.9 * 0.75), "Fetching torch: 100 of 200 MB")


def test_a_wheel_from_a_folder_is_named_too() -> None:
    seen: list[tuple[float, str]] = []
    lines = PipLines(lambda fraction, text: seen.append((fraction, text)), expected=1)

    lines.read("Processing /wheels-1/torch-2.0+cpu-cp311-cp311-linux_x86_64.whl (from -r a.lock)")

    assert seen == [(0.0, "Fetching torch")]


def test_this_python_can_make_environments() -> None:
    assert find_python(Path(sys.executable)) == Path(sys.executable)


def test_a_python_that_does_not_fit_is_named_with_its_version() -> None:
    with pytest.raises(EngineNotInstalled, match=r"is Python 3\.\d+, which does not fit"):
        find_python(Path(sys.executable), (3, 98), (3, 99))


def test_a_python_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EngineNotInstalled, match="does not run"):
        find_python(tmp_path / "python")


@posix_only
def test_a_python_without_ensurepip_is_refused_with_the_package_that_helps(tmp_path: Path) -> None:
    script = tmp_path / "python3"
    script.write_text("#!/bin/sh\necho \"No module named 'ensurepip'\" >&2\nexit 1\n")
    script.chmod(0o755)

    with pytest.raises(EngineNotInstalled, match="lacks ensurepip") as refused:
        find_python(script)

    assert "apt install python3-venv" in refused.value.hint
