"""A new home of Prefect's gets a copied database; another Prefect's database is refused as it is."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import prefect.server.database
import pytest
from alembic.script import ScriptDirectory

from flows.serving import database
from flows.serving.database import NAME, check_database, copy_database, make_database
from study.errors import InputError


def tables(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as connection:
        return {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}


def test_a_new_home_gets_the_tables_of_prefect(tmp_path: Path):
    make_database()
    copy_database(tmp_path / "home")
    assert {"flow_run", "task_run", "alembic_version"} <= tables(tmp_path / "home" / NAME)
    assert [each.name for each in (tmp_path / "home").iterdir()] == [NAME]


def test_a_database_that_is_there_is_kept(tmp_path: Path):
    make_database()
    (tmp_path / NAME).write_bytes(b"mine")
    copy_database(tmp_path)
    assert (tmp_path / NAME).read_bytes() == b"mine"


def test_without_one_made_a_home_is_left_to_prefect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "_FOLDER", tmp_path / "build")
    copy_database(tmp_path / "home")
    assert not (tmp_path / "home").exists()


OLDER, NEWER = "14806cb26270", "ffffffffffff"  # the first is a revision of Prefect 3.8


def made(folder: Path, revision: str | None) -> str:
    """The URL of a database of a revision; None for the present one."""
    path = Path(shutil.copy(make_database(), folder / NAME))
    if revision is not None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("update alembic_version set version_num = ?", (revision,))
            connection.commit()
    return f"sqlite+aiosqlite:///{path}"


@pytest.mark.parametrize(
    ("revision", "is_own", "message"),
    [
        (NEWER, False, "d b is of a newer Prefect than 3.8.8; unset that for one of this program's own"),
        (NEWER, True, "d b is of a newer Prefect than 3.8.8; PREFECT_HOME=FOLDER names another folder"),
        (
            OLDER,
            False,
            "d b is of an older Prefect than 3.8.8; unset that for one of this program's own, or migrate it "
            "for good: `.venv/bin/prefect server database upgrade -y`",
        ),
    ],
)
def test_a_database_of_another_prefect_is_refused(revision: str, is_own: bool, message: str, tmp_path: Path):
    url = made(tmp_path, revision)
    with pytest.raises(InputError) as refused:
        check_database(url, "d b", is_own)
    assert str(refused.value) == f"Prefect's database {message}"


def test_a_database_of_this_prefect_an_empty_one_and_an_older_one_of_our_own_are_used(tmp_path: Path):
    check_database(made(tmp_path, None), "it")
    check_database(made(tmp_path, OLDER), "it", is_own=True)
    check_database(f"sqlite+aiosqlite:///{tmp_path}/none", "it")


def test_a_file_that_is_no_database_and_a_postgres_that_is_not_there_are_named(tmp_path: Path):
    (tmp_path / NAME).write_text("these bytes are no database, and there are enough of them" * 9)
    with pytest.raises(InputError, match=r"^Prefect's database d b cannot be read: .*is not a database$"):
        check_database(f"sqlite+aiosqlite:///{tmp_path / NAME}", "d b")
    with pytest.raises(InputError, match=r"^Prefect's database d b cannot be read: .*Connect call failed"):
        check_database("postgresql+asyncpg://me:secret@127.0.0.1:9/study", "d b")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_last_migration_by_name_is_the_newest(kind: str):
    folder = Path(str(prefect.server.database.__file__)).parent / "_migrations"
    newest = ScriptDirectory(
        str(folder), version_locations=[str(folder / "versions" / kind)]
    ).get_current_head()
    last = max(each.name for each in (folder / "versions" / kind).glob("*.py"))
    assert f"_{newest}_" in last
