"""Each browser has a worker of its own; workers die, idle away and end."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fronts import WORKER, alive, front, gone, until

from MSIQALib.viewer.config import WorkerConfig
from MSIQALib.viewer.redaction import Redaction
from MSIQALib.viewer.sessions import SessionOptions, Sessions
from MSIQALib.viewer.study_paths import StudyPaths

_STUDIES = (
    StudyPaths("first", Path("/data/Doe^Jane/CT"), Path("/data/Doe^Jane/PET")),
    StudyPaths("second", Path("/data/ct.nii"), ct_series="1.2.3"),
)


def test_settings_come_back_as_they_were_and_are_private(tmp_path: Path) -> None:
    config = WorkerConfig(
        folder=tmp_path,
        studies=_STUDIES,
        open_first=True,
        assess_first=True,
        weights=Path("/w"),
        secret="s",
    )
    config.write(tmp_path / "c.json")

    assert WorkerConfig.read(tmp_path / "c.json") == config
    assert (tmp_path / "c.json").stat().st_mode & 0o777 == 0o600
    assert "'s'" not in repr(config)
    with pytest.raises(FileExistsError):
        config.write(tmp_path / "c.json")


def test_two_browsers_do_not_share_and_two_tabs_do(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path, studies=_STUDIES) as browser:
            one, two = browser(), browser()
            first, second = await asyncio.gather(one.open(), two.open())

            assert first["pid"] != second["pid"]
            assert first["folder"] != second["folder"]
            assert first["studies"] == ["first", "second"]
            assert Path(first["folder"]).stat().st_mode & 0o777 == 0o700
            # A reload, and two tabs at once.
            again = await asyncio.gather(one.open(), one.open("/index.html"))
            assert {page["pid"] for page in again} == {first["pid"]}

            await one.upload([("CT.nii", b"of one")])
            assert len(await one.told()) == 1
            assert await two.json("/told") == []
            async with one.socket() as socket, two.socket() as other:
                await socket.send_str("who")
                await other.send_str("who")
                assert await socket.receive_str() == f"{first['pid']} who"
                assert await other.receive_str() == f"{second['pid']} who"

    asyncio.run(scenario())


def test_bytes_pass_unchanged(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path) as browser:
            visitor = browser()
            await visitor.open()
            async with visitor.client.get(visitor.base + "/large") as answer:
                assert await answer.read() == bytes(range(256)) * 4096
            message = bytes(range(256)) * 20_000  # larger than one piece of wslink
            async with visitor.socket() as socket:
                await socket.send_bytes(message)
                assert await socket.receive_bytes() == message

    asyncio.run(scenario())


def test_a_worker_that_dies_is_said_and_can_be_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        async with front(tmp_path) as browser:
            visitor, other = browser(), browser()
            first, neighbour = await visitor.open(), await other.open()
            child = (await visitor.json("/child"))["pid"]
            async with visitor.socket() as socket:
                await socket.send_str("die")
                message = await socket.receive()
                assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
            assert await gone(first["pid"])
            assert await gone(child)  # what it had started went with it
            # The front hears of the end a moment later than the system knows of it.
            assert await until(lambda: "ended by itself" in "\n".join(caplog.messages))

            status, page = await visitor.text("/")
            assert status == 503
            assert "The viewer has stopped" in page
            assert 'href="./?again"' in page
            assert (await visitor.text("/program.js"))[0] == 503
            assert (await visitor.upload([("CT.nii", b"x")]))[0] == 503
            # Its last words are logged a moment after its end.
            assert await until(lambda: "gone with" in "\n".join(caplog.messages))

            fresh = await visitor.open("/?again")
            assert fresh["pid"] != first["pid"]
            assert not Path(first["folder"]).exists()
            assert (await other.open())["pid"] == neighbour["pid"]

    asyncio.run(scenario())

    said = "\n".join(caplog.messages)
    assert "worker 1 ended by itself with code 3" in said
    assert "gone with <data>" in said
    assert "Doe" not in said


def test_a_worker_that_never_comes_up_is_said(tmp_path: Path) -> None:
    async def scenario() -> None:
        command = (sys.executable, "-c", "raise SystemExit('no display')")
        async with front(tmp_path, command=command) as browser:
            with pytest.raises(AssertionError, match="The viewer has stopped"):
                await browser().open()

    asyncio.run(scenario())


def test_there_is_a_limit_to_browsers(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path, most=1) as browser:
            one = browser()
            first = await one.open()
            with pytest.raises(AssertionError, match="Too many browsers"):
                await browser().open()
            assert (await one.open())["pid"] == first["pid"]

    asyncio.run(scenario())


class Clock:
    """Stands in for the sessions' clock: a slow machine must not make anybody idle."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("MSIQALib.viewer.sessions.time", made)
    return made


def test_idle_workers_end_and_others_do_not(tmp_path: Path, clock: Clock) -> None:
    async def ended(page: dict[str, Any]) -> bool:
        """Let time pass until a session is gone with its folder; it may be noticed late."""

        def over() -> bool:
            clock.now += 100.0
            return not alive(page["pid"]) and not Path(page["folder"]).exists()

        return await until(over)

    async def scenario() -> None:
        async with front(tmp_path, idle_seconds=1.0) as browser:
            # In this order: whoever is wrongly thought idle is ended before the one that is.
            connected, assessing, idle = browser(), browser(), browser()
            pages = [await each.open() for each in (connected, assessing, idle)]
            async with connected.socket():
                async with assessing.socket() as socket:
                    await socket.send_str("busy")
                    await socket.receive_str()
                # Nobody looks at the second any more, but it works.
                assert await ended(pages[2])
                assert alive(pages[0]["pid"])
                assert alive(pages[1]["pid"])
                async with assessing.socket() as socket:
                    await socket.send_str("free")
                    await socket.receive_str()
                assert await ended(pages[1])
                assert alive(pages[0]["pid"])
            fresh = await idle.open()
            assert fresh["pid"] != pages[2]["pid"]

    asyncio.run(scenario())


def test_who_comes_back_at_the_last_moment_keeps_the_session(tmp_path: Path, clock: Clock) -> None:
    async def scenario() -> None:
        sessions = Sessions(tmp_path, SessionOptions(command=WORKER, idle_seconds=10.0))
        try:
            late, gone_for_good = await sessions.open("late"), await sessions.open("gone")
            assert await late.worker.ready()
            assert await gone_for_good.worker.ready()
            clock.now = 11.0
            async with sessions._opening:  # somebody's worker is being started
                ending = asyncio.create_task(sessions.end_idle())
                await asyncio.sleep(0)  # it has seen who is idle, and waits
                late.touch()
            await ending
            assert sessions.get("late") is late
            assert not late.worker.ended
            assert sessions.get("gone") is None
        finally:
            await sessions.close()

    asyncio.run(scenario())


def test_the_end_of_the_front_ends_everything(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        async with front(tmp_path) as browser:
            one, two = browser(), browser()
            pids = [(await each.open())["pid"] for each in (one, two)]
            pids.append((await one.json("/child"))["pid"])
            await one.upload([("CT.nii", b"x")])
            opened = await two.socket()  # still there when the end comes
            assert not opened.closed
        return pids

    pids = asyncio.run(scenario())

    # What was killed may still be on its way out.
    assert all(asyncio.run(gone(pid)) for pid in pids)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_will_not_quit_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUBBORN", "1")
    monkeypatch.setattr("MSIQALib.viewer.worker_process._SECONDS_TO_QUIT", 0.5)

    async def scenario() -> int:
        async with front(tmp_path) as browser:
            return (await browser().open())["pid"]

    assert asyncio.run(gone(asyncio.run(scenario())))
    assert list(tmp_path.iterdir()) == []


def test_logs_name_no_place_of_data() -> None:
    redaction = Redaction([Path("/data/Doe^Jane/CT"), Path("/tmp/front")])

    text = "InputError: /data/Doe^Jane/CT/Jane Doe 1.dcm: it is damaged. Export it again"
    assert redaction.clean(text) == "InputError: <data>: it is damaged. Export it again"
    assert redaction.clean("open('/tmp/front/session-1/a b', 'r')") == "open('<data>', 'r')"
    assert redaction.clean("nothing to hide") == "nothing to hide"
    assert Redaction([]).clean("as it is") == "as it is"
