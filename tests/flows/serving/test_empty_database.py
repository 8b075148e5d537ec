"""A new home of Prefect's gets a copied database; one that has a database keeps it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flows.serving import temporary
from flows.serving.temporary import NAME, copy_database, make_database


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
    monkeypatch.setattr(temporary, "_FOLDER", tmp_path / "build")
    copy_database(tmp_path / "home")
    assert not (tmp_path / "home").exists()
