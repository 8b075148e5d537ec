import re
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.results import Results, explain_unwritable, open_results, replace_folder, write_atomically
from study.errors import InputError, ResultsUnwritable

PROJECT = Path(__file__).resolve().parents[2]


@contextmanager
def _disk_with_room_for(size: int) -> Iterator[None]:
    """Let this process write no file longer than `size` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("umask", "file_mode", "folder_mode"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)]
)
def test_a_written_file_and_its_folder_follow_the_users_umask(
    umask: int, file_mode: int, folder_mode: int, tmp_path: Path
):
    path = tmp_path / "folder" / "b.json"
    code = "import sys, pathlib, storage.results as r; r.write_atomically(pathlib.Path(sys.argv[1]), b'')"
    # In a process of its own: a umask is of the whole process.
    subprocess.run([sys.executable, "-c", code, path], umask=umask, cwd=PROJECT, check=True, timeout=60)
    assert stat.S_IMODE(path.stat().st_mode) == file_mode
    assert stat.S_IMODE(path.parent.stat().st_mode) == folder_mode


def test_a_link_in_place_of_the_file_is_replaced_and_what_it_points_to_stays(tmp_path: Path):
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "b.json"
    elsewhere.write_bytes(b"theirs")
    path.symlink_to(elsewhere)
    write_atomically(path, b"new")
    assert (elsewhere.read_bytes(), path.read_bytes(), path.is_symlink()) == (b"theirs", b"new", False)


def test_a_reader_that_has_the_old_file_open_reads_the_old_content(tmp_path: Path):
    path = write_atomically(tmp_path / "b.json", b"old")
    with path.open("rb") as reader:
        write_atomically(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_half_written_has_a_hidden_name_that_readers_of_tables_skip(tmp_path: Path):
    code = (
        "import os, pathlib, sys, storage.results as place\n"
        "os.fsync = lambda _: os._exit(9)  # the power goes\n"
        "place.write_atomically(pathlib.Path(sys.argv[1]), b'half')"
    )
    path = tmp_path / "part-0.parquet"
    done = subprocess.run([sys.executable, "-c", code, path], cwd=PROJECT, check=False, timeout=60)
    assert done.returncode == 9
    (left,) = tmp_path.iterdir()
    assert re.fullmatch(r"\.part-0\.parquet\.[0-9a-f]{16}\.part", left.name)


def test_a_write_that_fails_midway_leaves_the_old_content_and_no_litter(tmp_path: Path):
    path = write_atomically(tmp_path / "b.json", b"old")
    with _disk_with_room_for(1000), pytest.raises(OSError, match="File too large"):
        write_atomically(path, bytes(100_000))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_cannot_replace_leaves_no_litter(tmp_path: Path):
    folder = tmp_path / "b.json"
    folder.mkdir()
    with pytest.raises(IsADirectoryError, match="Is a directory"):
        write_atomically(folder, b"new")
    assert list(tmp_path.iterdir()) == [folder]


def test_a_results_folder_is_made_and_left_empty_and_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        results = open_results(Path("some/results"))
        assert results.folder == tmp_path / "some" / "results"
        assert list(results.folder.iterdir()) == []


@pytest.mark.parametrize(("name", "reason"), [("file/results", "Not a directory"), ("file", "File exists")])
def test_a_folder_below_or_in_place_of_a_file_is_refused_with_a_way_out(
    tmp_path: Path, name: str, reason: str
):
    (tmp_path / "file").touch()
    message = f"results folder {tmp_path / name}: {reason}; give a folder you may write to with --results"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        open_results(tmp_path / name)


def test_a_folder_that_cannot_be_copied_leaves_the_old_one(tmp_path: Path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(FileNotFoundError, match="gone"):
        replace_folder(target, tmp_path / "gone")
    assert list(tmp_path.iterdir()) == [target]
    assert (target / "old").is_file()


def test_everything_has_its_place_below_the_results_folder(tmp_path: Path):
    results = Results(tmp_path)
    places = {
        "tables": results.tables,
        "history": results.history,
        "trainings": results.trainings,
        "speeds": results.speeds,
        "locks": results.locks,
        "runs": results.runs,
        "runs/r": results.run("r"),
        "runs/r/run.json": results.start("r"),
        "runs/r/figures": results.figures("r"),
        "runs/r/model": results.model("r"),
        "runs/r/report.html": results.report("r"),
    }
    assert {name: tmp_path / name for name in places} == places


def test_a_disk_that_is_full_is_told_in_one_line_and_other_errors_as_they_are(tmp_path: Path):
    with pytest.raises(ResultsUnwritable) as told, explain_unwritable(tmp_path), _disk_with_room_for(10):
        write_atomically(tmp_path / "file", b"x" * 100)
    assert str(told.value) == (
        f"{tmp_path}: cannot be written: File too large. What was finished is kept; free space there or make "
        "it writable, then continue with `study resume`"
    )
    with pytest.raises(FileNotFoundError), explain_unwritable(tmp_path):
        (tmp_path / "nowhere").read_bytes()
