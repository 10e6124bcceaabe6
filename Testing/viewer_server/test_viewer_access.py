"""Who gets in, and who does not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from fronts import front

from MSIQALib.viewer.access import Access, Hosts, is_loopback, new_token, same_origin


@pytest.mark.parametrize(
    ("listen", "header", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1:8080", True),
        ("127.0.0.1", "localhost:9000", True),  # forwarded by SSH
        ("127.0.0.1", "[::1]:8080", True),
        ("127.0.0.1", "evil.example:8080", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "192.0.2.7", False),
        ("127.0.0.1", "user@evil.example", False),
        ("127.0.0.1", "user@127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1:80; script-src *", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", None, False),
        ("0.0.0.0", "192.0.2.7:8080", True),
        ("0.0.0.0", "evil.example", False),
        ("reading-room", "Reading-Room:8080", True),
    ],
)
def test_only_own_hosts_are_answered(listen: str, header: str | None, allowed: bool) -> None:
    assert Hosts.of(listen).allow(header) is allowed


def test_a_further_name_can_be_allowed() -> None:
    assert Hosts.of("127.0.0.1", ["pacs.example"]).allow("PACS.example")


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        ("http://127.0.0.1:8080", True),
        ("https://127.0.0.1:8080", True),  # behind a proxy that encrypts
        ("http://127.0.0.1:8081", False),
        ("http://evil.example", False),
        ("null", False),
        ("", False),
        (None, False),
    ],
)
def test_origin_must_be_this_server(origin: str | None, same: bool) -> None:
    assert same_origin(origin, "127.0.0.1:8080") is same


def test_what_is_loopback() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("192.0.2.1")
    assert not is_loopback("no such host")


def test_only_own_cookies_name_a_session() -> None:
    access = Access(Hosts.of("127.0.0.1"), None, "c")
    cookie = access.new_cookie()
    other = Access(Hosts.of("127.0.0.1"), None, "c")

    assert access.session_of({"c": cookie}) == cookie.split(".")[0]
    assert access.new_cookie() != cookie
    for forged in ("", ".", "x", "x.y", "é.é", cookie[:-1], "x" + cookie, other.new_cookie()):
        assert access.session_of({"c": forged}) is None
    assert access.session_of({"d": cookie}) is None


def test_token_must_fit_whole() -> None:
    token = new_token()
    access = Access(Hosts.of("0.0.0.0"), token, "c")

    assert access.knows({"token": token})
    for wrong in ({}, {"token": ""}, {"token": token[:-1]}, {"token": "é"}, {"x": token}):
        assert not access.knows(wrong)


def test_without_the_token_there_is_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path, token="secret-token") as browser:
            stranger, guest = browser(), browser()
            for path in ("/", "/?token=wrong", "/?set&here"):
                status, page = await stranger.text(path)
                assert status == 403
                assert "token" in page
            for path in ("/program.js", "/told", "/upload"):
                assert (await stranger.text(path))[0] == 403
            assert (await stranger.upload([("CT.nii", b"x")]))[0] == 403
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await stranger.socket()
            assert refused.value.status == 403
            assert not list(tmp_path.iterdir())  # nothing was started for it
            assert not list(stranger.client.cookie_jar)

            await guest.open("/?token=secret-token")
            # The cookie does from here on.
            assert (await guest.text("/program.js"))[0] == 200
            assert (await guest.open("/"))["pid"]

    asyncio.run(scenario())


def test_the_cookie_is_out_of_reach_of_scripts_and_sites(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path) as browser:
            visitor = browser()
            async with visitor.client.get(visitor.base + "/") as answer:
                cookie = answer.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert "Path=/" in cookie

    asyncio.run(scenario())


def test_a_client_without_cookies_starts_no_worker(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path) as browser:
            address = browser().base
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
                for _ in range(3):
                    await client.get(address + "/")
                async with client.get(address + "/?set&here") as answer:
                    assert answer.status == 403
                    assert "cookie" in await answer.text()
            assert not list(tmp_path.iterdir())

    asyncio.run(scenario())


def test_a_link_on_another_site_does_not_replace_the_session(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path, token="t") as browser:
            address = browser().base
            # The browser keeps its strict cookie to itself when it comes from elsewhere.
            elsewhere = {"Sec-Fetch-Site": "cross-site"}
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
                async with client.get(address + "/?token=t", headers=elsewhere) as answer:
                    assert "Set-Cookie" not in answer.headers
                    assert "url=./?token=t&amp;here=" in await answer.text()
                async with client.get(address + "/?token=t&here=") as answer:
                    assert "Set-Cookie" in answer.headers

    asyncio.run(scenario())


def test_other_hosts_and_origins_are_turned_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path) as browser:
            visitor = browser()
            await visitor.open()
            # DNS rebinding: the victim's browser asks 127.0.0.1 under the attacker's name.
            status, page = await visitor.text("/program.js", headers={"Host": "evil.example"})
            assert status == 403
            assert "not an address of the viewer" in page
            for origin in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {}):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await visitor.socket(headers=origin)
                assert refused.value.status == 403
                form = aiohttp.FormData()
                form.add_field("files", b"x", filename="CT.nii")
                url = visitor.base + "/upload"
                async with visitor.client.post(url, data=form, headers=origin) as answer:
                    assert answer.status == 403
            assert await visitor.json("/told") == []
            async with visitor.socket() as socket:
                await socket.send_str("hello")
                assert (await socket.receive_str()).endswith("hello")

    asyncio.run(scenario())


def test_headers_keep_the_page_to_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path) as browser:
            visitor = browser()
            await visitor.open()
            for path, status, keeping in (
                ("/", 200, "no-store"),
                ("/told", 200, "no-store"),
                ("/program.js", 200, "private, no-cache"),
                ("/missing", 404, "no-store"),
            ):
                async with visitor.client.get(visitor.base + path) as answer:
                    assert answer.status == status
                    assert answer.headers["Cache-Control"] == keeping
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"
                    assert answer.headers["Referrer-Policy"] == "no-referrer"
                    policy = answer.headers["Content-Security-Policy"]
                    assert "default-src 'self';" in policy
                    assert "frame-ancestors 'none'" in policy
                    hosts = set(policy.split()) - {"data:", "blob:", "blob:;"}
                    port = visitor.base.rpartition(":")[2]
                    assert {item for item in hosts if "//" in item} == {
                        f"ws://127.0.0.1:{port}",
                        f"wss://127.0.0.1:{port};",
                    }
                    # Neither cookie of the worker nor what it runs on gets out.
                    assert "Set-Cookie" not in answer.headers
                    assert "Server" not in answer.headers

    asyncio.run(scenario())


def test_the_worker_gets_no_cookie_of_the_browser(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with front(tmp_path) as browser:
            visitor = browser()
            known = await visitor.open()
            assert "Cookie" not in known["headers"]
            assert "X-MSIQA-Secret" in known["headers"]

    asyncio.run(scenario())
