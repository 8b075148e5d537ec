"""The environment: what of a user's reaches the libraries, and what is refused before anything starts."""

import os
import pwd
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from study.errors import InputError
from tasks.environment import check_folders, set_environment, users_keras_home


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back after each test what it sets."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


FOREIGN = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "KERAS_BACKEND": "torch",
    "KERAS_HOME": "/home/me/keras",
    "TF_USE_LEGACY_KERAS": "1",
    "PYTHONWARNINGS": "error",
    "GIT_DIR": "/another/.git",
    "ALL_PROXY": "socks5://proxy:1080",
    "http_proxy": "http://proxy:3128",
    "NO_PROXY": "intranet",
}


def test_other_projects_settings_do_not_reach_the_libraries_and_a_proxy_not_loopback():
    os.environ.pop("no_proxy", None)
    os.environ.update(FOREIGN)
    set_environment()
    set_environment()  # as each of our processes does
    found = {name: os.environ.get(name) for name in (*FOREIGN, "no_proxy")}
    assert found == {
        "MPLBACKEND": "agg",
        "KERAS_BACKEND": "tensorflow",
        "KERAS_HOME": "/dev/null",
        "TF_USE_LEGACY_KERAS": "0",
        "PYTHONWARNINGS": "ignore",
        "GIT_DIR": None,
        "ALL_PROXY": None,
        "http_proxy": "http://proxy:3128",
        "NO_PROXY": "intranet",
        "no_proxy": "intranet,127.0.0.1,localhost,::1",
    }
    assert users_keras_home() == "/home/me/keras"


def test_no_proxy_for_anything_stays_so():
    os.environ["no_proxy"] = "*"
    set_environment()
    assert os.environ["no_proxy"] == "*"


def test_a_user_without_a_name_and_a_home_gets_both(monkeypatch: pytest.MonkeyPatch):
    def unknown(_user: int) -> None:
        raise KeyError("getpwuid(): uid not found: 12345")

    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        os.environ.pop(name, None)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    set_environment()
    assert (os.environ["LOGNAME"], os.environ["HOME"]) == (str(os.getuid()), "/")


PROGRAM = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (50, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from tasks.environment import prepare_program
prepare_program()
print("\\u2192 Z\\u00fcrich", flush=True)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], os.environ["PREFECT_HOME"], file=sys.stderr)
for _ in range(3):
    print("nobody reads this", flush=True)
sys.exit(3)
"""


def test_a_program_prints_in_any_encoding_outlives_its_reader_and_gives_prefect_a_home_of_its_own():
    set_to_ascii = {**os.environ, "PYTHONIOENCODING": "ascii", "PREFECT_HOME": "", "XDG_DATA_HOME": "/data"}
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=set_to_ascii
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == b"? Z?rich\n"
        program.stdout.close()
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        assert program.stderr.read().decode() == f"{most} /data/fashion-mnist-study/prefect\n"
    assert program.returncode == 3


def test_all_folders_without_access_are_named_at_once_with_owners_and_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    os.environ.update(PREFECT_HOME=str(tmp_path / "home" / "prefect"), XDG_CACHE_HOME=str(tmp_path / "cache"))
    check_folders()
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    monkeypatch.setattr(os, "getuid", lambda: -1)
    with pytest.raises(InputError) as refused:
        check_folders()
    made = f"to be made in {tmp_path} (owned by {tmp_path.owner()})"
    assert str(refused.value) == (
        f"no access to {tmp_path}/home/prefect, {made}; {tmp_path}/cache/fashion-mnist-study/data, {made}; "
        "name folders of your own: PREFECT_HOME=FOLDER XDG_CACHE_HOME=FOLDER study …"
    )


def test_a_database_that_another_user_has_left_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    os.environ["PREFECT_HOME"] = str(tmp_path)
    (tmp_path / "prefect.db").touch()
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).name != "prefect.db")
    with pytest.raises(InputError, match=rf"^no access to {tmp_path}/prefect\.db; .* PREFECT_HOME=F"):
        check_folders()


def test_a_question_mark_in_prefects_home_is_refused(tmp_path: Path):
    os.environ["PREFECT_HOME"] = str(tmp_path / "why?")
    with pytest.raises(InputError, match=r"^PREFECT_HOME: '.*/why\?' has a question mark, .* without one$"):
        check_folders()
