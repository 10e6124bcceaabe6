"""A worker without a viewer: it says who it is and what it was told. Run as the real one is.

The environment makes it misbehave: with STUBBORN it will not quit, with START_WHEN it starts only
once that file exists, with FRAGILE it dies when it is asked for its page.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO

from aiohttp import web

from MSIQALib.viewer.config import SECRET_HEADER, WorkerConfig

messages: list[dict] = []


def write(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()


def say(**values: object) -> None:
    write(sys.stdout, json.dumps(values))


def make_app(config: WorkerConfig) -> web.Application:
    @web.middleware
    async def guard(request, handler):
        if request.headers.get(SECRET_HEADER) != config.secret:
            raise web.HTTPForbidden
        return await handler(request)

    async def index(request):
        if "FRAGILE" in os.environ:
            os._exit(3)
        answer = web.json_response(
            {
                "pid": os.getpid(),
                "folder": str(config.folder),
                "studies": [study.name for study in config.studies],
                "headers": sorted(request.headers),
            }
        )
        answer.set_cookie("worker", "must not get out")
        return answer

    async def told(_):
        return web.json_response(messages)

    async def program(_):
        return web.Response(text="let x = 1", content_type="text/javascript")

    async def large(_):
        return web.Response(body=bytes(range(256)) * 4096)

    async def child(_):
        started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return web.json_response({"pid": started.pid})

    async def socket(request):
        opened = web.WebSocketResponse(max_msg_size=0)
        await opened.prepare(request)
        async for message in opened:
            if message.data == "die":
                write(sys.stderr, f"gone with {config.folder}/Doe^Jane/1.dcm")
                os._exit(3)
            if message.data in ("busy", "free"):
                say(event="busy", value=message.data == "busy")
            if isinstance(message.data, bytes):
                await opened.send_bytes(message.data)
            else:
                await opened.send_str(f"{os.getpid()} {message.data}")
        return opened

    app = web.Application(middlewares=[guard])
    app.router.add_get("/", index)
    app.router.add_get("/index.html", index)
    app.router.add_get("/told", told)
    app.router.add_get("/program.js", program)
    app.router.add_get("/large", large)
    app.router.add_get("/child", child)
    app.router.add_get("/ws", socket)
    return app


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    config = WorkerConfig.read(parser.parse_args().config)
    while "START_WHEN" in os.environ and not Path(os.environ["START_WHEN"]).exists():
        await asyncio.sleep(0.02)
    runner = web.AppRunner(make_app(config))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    write(sys.stdout, "a library says hello")
    say(event="ready", port=runner.addresses[0][1])
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        message = json.loads(line)
        if message["event"] == "quit" and "STUBBORN" in os.environ:
            await asyncio.sleep(600)
        if message["event"] == "quit":
            break
        messages.append(message)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
