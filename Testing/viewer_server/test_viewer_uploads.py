"""Files of a browser reach its own worker, whole or not at all."""

from __future__ import annotations

import asyncio
import logging
import tarfile
from pathlib import Path

import aiohttp
import pytest
from archives import make_tar, make_zip
from fronts import SECONDS, Browser, front, until

from MSIQALib.viewer.limits import UploadLimits

_MIB = 1 << 20


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _kept(session: Path) -> list[Path]:
    return [path for path in (session / "uploads").rglob("*") if path.is_file()]


async def _limits(browser: Browser) -> dict[str, int]:
    return await browser.json("/upload")


def test_a_folder_arrives_as_it_is_and_the_worker_hears_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path) as browser:
            visitor = browser()
            session = Path((await visitor.open())["folder"])
            sent = {"Study é/CT/1.dcm": bytes(range(256)) * 4096, "Study é/PET/1.dcm": b"two"}

            status, answer = await visitor.upload(sent.items())

            total = sum(map(len, sent.values()))
            assert (status, answer) == (200, {"files": 2, "bytes": total})
            (told,) = await visitor.told()
            assert told == {"event": "uploaded", "folder": told["folder"], **answer}
            assert session in Path(told["folder"]).parents
            assert _files(Path(told["folder"])) == sent
            assert Path(told["folder"]).stat().st_mode & 0o077 == 0

    asyncio.run(scenario())


def test_archives_arrive_unpacked(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path) as browser:
            visitor = browser()
            session = Path((await visitor.open())["folder"])
            archives = [
                ("ct.zip", make_zip({"CT/1.dcm": b"one"})),
                ("more/pet.tar.gz", make_tar({"PET/1.dcm": b"two"}, mode="w:gz")),
                ("CT.nii.gz", b"stays as it is"),
            ]

            status, answer = await visitor.upload(archives)

            assert (status, answer["files"]) == (200, 3)
            (told,) = await visitor.told()
            assert _files(Path(told["folder"])) == {
                "ct/CT/1.dcm": b"one",
                "more/pet/PET/1.dcm": b"two",
                "CT.nii.gz": b"stays as it is",
            }
            assert len(_kept(session)) == 3  # and no archive beside them

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("files", "status", "words"),
    [
        ([("../../CT.nii", b"x")], 400, 'a path with ".."'),
        ([("a/..\\..\\CT.nii", b"x")], 400, 'a path with ".."'),
        ([("C:/CT.nii", b"x")], 400, "an absolute path"),
        ([("good.nii", b"x"), ("good.nii", b"y")], 400, "the same name twice"),
        ([("a.zip", make_zip({"../CT.nii": b"x"}))], 400, 'a path with ".."'),
        ([("a.tar", make_tar({"x": b""}, kind=tarfile.SYMTYPE, link="/"))], 400, "links"),
        ([("good.nii", b"x"), ("a.zip", b"no zip")], 400, "damaged"),
        ([("a.nii", bytes(3 * _MIB))], 413, "larger than the 1 MB"),
        ([(f"{n}.nii", bytes(_MIB // 2)) for n in range(3)], 413, "larger than the 1 MB"),
        ([("a.zip", make_zip({"a.nii": bytes(3 * _MIB)}))], 413, "unpacked larger than the 2 MB"),
        ([(f"{n}.nii", b"") for n in range(6)], 413, "more than 5 files"),
        ([("a.zip", make_zip({f"{n}": b"" for n in range(6)}))], 413, "more than 5 files"),
        ([], 400, "No file was sent"),
    ],
)
def test_what_is_refused_leaves_nothing(
    files: list[tuple[str, bytes]],
    status: int,
    words: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    limits = UploadLimits(sent=_MIB, stored=2 * _MIB, files=5)

    async def scenario() -> None:
        async with front(tmp_path, limits=limits) as browser:
            visitor = browser()
            session = Path((await visitor.open())["folder"])
            before = await _limits(visitor)

            if files:
                got, answer = await visitor.upload(files)
            else:
                with aiohttp.MultipartWriter("form-data") as form:
                    form.append("a field").set_content_disposition("form-data", name="x")
                url = visitor.base + "/upload"
                async with visitor.client.post(url, data=form, headers=visitor.origin) as reply:
                    got, answer = reply.status, await reply.json()

            assert got == status
            assert words in answer["error"]
            assert _kept(session) == []
            assert await _limits(visitor) == before == {"bytes": _MIB, "files": 5}
            assert await visitor.json("/told") == []
            # The session goes on.
            assert (await visitor.upload([("CT.nii", b"good")]))[0] == 200

    asyncio.run(scenario())

    assert not [line for line in caplog.messages if ".nii" in line or ".zip" in line]


def test_uploads_add_up_to_the_limit(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path, limits=UploadLimits(sent=_MIB)) as browser:
            visitor, other = browser(), browser()
            await visitor.open()
            await other.open()
            half = [("a.nii", bytes(600_000))]
            assert (await visitor.upload(half))[0] == 200
            assert (await _limits(visitor))["bytes"] == _MIB - 600_000
            assert (await visitor.upload(half))[0] == 413
            assert (await other.upload(half))[0] == 200  # each has its own

    asyncio.run(scenario())


def test_what_is_announced_as_too_large_is_not_waited_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path, limits=UploadLimits(sent=_MIB)) as browser:
            visitor = browser()
            await visitor.open()
            (cookie,) = visitor.client.cookie_jar
            port = int(visitor.base.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                f"Origin: {visitor.base}\r\nCookie: {cookie.key}={cookie.value}\r\n"
                "Content-Type: multipart/form-data; boundary=x\r\n"
                "Content-Length: 999999999999\r\n\r\n".encode()
            )
            line = await asyncio.wait_for(reader.readline(), SECONDS)
            assert b"413" in line
            writer.close()

    asyncio.run(scenario())


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path) as browser:
            visitor = browser()
            session = Path((await visitor.open())["folder"])
            (cookie,) = visitor.client.cookie_jar
            port = int(visitor.base.rpartition(":")[2])
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                f"Origin: {visitor.base}\r\nCookie: {cookie.key}={cookie.value}\r\n"
                "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 99999\r\n\r\n"
                '--x\r\nContent-Disposition: form-data; name="f"; filename="a.nii"\r\n\r\n'.encode()
                + bytes(5000)
            )
            await writer.drain()
            assert await until(lambda: _kept(session))
            # One at a time.
            assert (await visitor.upload([("b.nii", b"x")]))[0] == 409

            writer.close()
            assert await until(lambda: not _kept(session))
            assert await visitor.json("/told") == []
            assert (await visitor.upload([("b.nii", b"x")]))[0] == 200

    asyncio.run(scenario())


def test_only_an_upload_is_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path) as browser:
            visitor = browser()
            await visitor.open()
            url = visitor.base + "/upload"
            for body in (b"no form", b""):
                async with visitor.client.post(url, data=body, headers=visitor.origin) as answer:
                    assert answer.status == 415
            headers = {**visitor.origin, "Content-Type": "multipart/form-data; boundary=x"}
            async with visitor.client.post(url, data=b"no parts", headers=headers) as answer:
                assert answer.status == 400
                assert "error" in await answer.json()

    asyncio.run(scenario())
