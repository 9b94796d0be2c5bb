"""The web process finishes what it has begun."""

import asyncio
import socket
import subprocess
import sys
import threading
from urllib.request import urlopen

import pytest
import websockets

APPLICATION = """
import asyncio, socket, sys
from portal.runtime.web import DrainingServer

async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    print("asked", flush=True)
    await asyncio.sleep(1.0)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})

DrainingServer(application, socket.socket(fileno=int(sys.argv[1]))).run()
"""


@pytest.mark.processes
def test_a_request_under_way_is_answered_before_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, "-c", APPLICATION, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        )
    answers: list[bytes] = []
    with server:
        client = threading.Thread(target=lambda: answers.append(urlopen(f"http://127.0.0.1:{port}/").read()))
        client.start()
        assert server.stdout
        assert server.stdout.readline() == "asked\n"
        server.terminate()
        client.join(timeout=60)
        assert server.wait(timeout=60) == 0
    assert answers == [b"done"]


@pytest.mark.processes
async def test_open_sockets_are_told_to_come_back_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", APPLICATION, str(listener.fileno())), pass_fds=[listener.fileno()]
        )
    async with websockets.connect(f"ws://127.0.0.1:{port}/", open_timeout=60) as client:
        server.terminate()
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd and closed.value.rcvd.code == 1012
    assert await asyncio.wait_for(server.wait(), timeout=60) == 0
