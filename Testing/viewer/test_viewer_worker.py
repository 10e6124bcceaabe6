"""The worker as the front starts it: what it says, whom it lets in, when it goes."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from MSIQALib.viewer.config import SECRET_HEADER, WorkerConfig

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("trame_slicer") is None, reason="the extra viewer is not installed"
)

SECRET = "known to the front alone"
SECONDS = 300.0
"""How long to wait for what takes a second: a machine may have much else to do."""


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("session")
    WorkerConfig(folder, secret=SECRET).write(folder / "worker.json")
    process = subprocess.Popen(
        [sys.executable, "-m", "MSIQALib.viewer.worker", "--config", str(folder / "worker.json")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def port(worker) -> int:
    said = json.loads(worker.stdout.readline())
    assert said["event"] == "ready"
    return said["port"]


def get(port: int, path: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_page_is_served_to_the_front_alone(port):
    status, text = get(port, "", **{SECRET_HEADER: SECRET})
    assert status == 200
    assert "<title>MSIQA</title>" in text
    for headers in ({}, {SECRET_HEADER: "guessed"}):
        for path in ("", "index.html", "ws", "__msiqa/viewer.js", "download/x/y"):
            assert get(port, path, **headers)[0] == 403, path


def test_the_page_names_no_address_of_another_server(port):
    own = {SECRET_HEADER: SECRET}
    names = ("", "vue.global.js", "__msiqa/viewer.css", "__msiqa/viewer.js", "__msiqa/icon.svg")
    for name in names:
        status, text = get(port, name, **own)
        assert status == 200, name
        assert "@import" not in text
        assert "fonts.googleapis" not in text
        assert "cdn." not in text


def test_downloads_that_nobody_offered_are_not_found(port):
    assert get(port, "download/guessed/report.html", **{SECRET_HEADER: SECRET})[0] == 404


def test_it_ends_with_the_front(worker, port):
    worker.stdin.close()
    assert worker.wait(timeout=SECONDS) == 0
    assert worker.stdout.read() == "", "nothing but events goes to standard output"
