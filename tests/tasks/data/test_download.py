"""Downloads from a server on loopback that breaks, repeats itself, or sends something else."""

import logging
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from storage.dataset_files import DatasetFileError, DatasetMissingError
from tasks.data.download import download, download_dataset
from tests.storage.test_dataset_files import ARRAYS, EXPECTED, write_idx_folder


class Server(ThreadingHTTPServer):
    """Serves files; each answer breaks off after `most` bytes."""

    files: dict[str, bytes]
    most: int = 1 << 30
    has_ranges = True
    asked: list[tuple[str, str]]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append((self.path, wanted))
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        begin = int(wanted.removeprefix("bytes=").rstrip("-") or 0) if self.server.has_ranges else 0
        if begin and begin >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self.wfile.write(content[begin:][: self.server.most])

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = write_idx_folder(tmp_path / "published", ARRAYS)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.files = {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}
        server.asked = []
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_connection_that_breaks_continues_where_it_was(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.files["/file"], server.most = bytes(range(250)), 100
    download(f"{server.address}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == bytes(range(250))
    assert [wanted for _, wanted in server.asked] == ["", "bytes=100-", "bytes=200-"]
    assert re.search(r"file: 0.0 of 0.0 MB, \d+ kB/s", caplog.text)


def test_a_later_attempt_continues_what_an_earlier_one_left(server: Server, tmp_path: Path) -> None:
    server.files["/file"] = b"0123456789"
    (tmp_path / "file").write_bytes(b"0123")
    download(f"{server.address}/file", tmp_path / "file")
    download(f"{server.address}/file", tmp_path / "file")  # it is whole
    assert (tmp_path / "file").read_bytes() == b"0123456789"
    assert [wanted for _, wanted in server.asked] == ["bytes=4-", "bytes=10-"]


def test_a_server_without_ranges_is_asked_for_all_of_it_again(server: Server, tmp_path: Path) -> None:
    server.files["/file"], server.has_ranges = b"0123456789", False
    (tmp_path / "file").write_bytes(b"wrong")
    download(f"{server.address}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_a_connection_that_brings_nothing_ends_it_and_what_there_is_stays(
    server: Server, tmp_path: Path
) -> None:
    server.files["/file"], server.most = b"0123456789", 0
    (tmp_path / "file").write_bytes(b"0123")
    message = f"{server.address}/file: the connection ended early, after 4 bytes"
    with pytest.raises(DatasetMissingError, match=f"^{re.escape(message)}$"):
        download(f"{server.address}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"0123"


def test_the_dataset_is_downloaded_once_and_what_is_something_else_is_not_kept(
    server: Server, tmp_path: Path
) -> None:
    folder, name = tmp_path / "new" / "download", "t10k-images-idx3-ubyte.gz"
    right, server.files[f"/{name}"] = server.files[f"/{name}"], b"<html>Log in</html>"
    with pytest.raises(DatasetFileError, match=f"{name}: is a web page"):
        download_dataset(folder, EXPECTED, server.address)
    assert not (folder / name).exists()
    del server.asked[:]
    server.files[f"/{name}"] = right
    arrays = download_dataset(folder, EXPECTED, server.address)
    assert all(map(np.array_equal, arrays, ARRAYS))
    again = [path for path, wanted in server.asked if not wanted]
    assert again == [f"/{name}", "/t10k-labels-idx1-ubyte.gz"]


def test_a_file_that_the_server_lacks_is_named(server: Server, tmp_path: Path) -> None:
    server.files.clear()
    message = f"{server.address}/train-images-idx3-ubyte.gz: answered 404 Not Found"
    with pytest.raises(DatasetMissingError, match=f"^{re.escape(message)}$"):
        download_dataset(tmp_path / "download", EXPECTED, server.address)
