"""A model provider on loopback: speaks OpenAI's chat protocol, so that litellm's real path runs in tests.

The model's name is the script: `ok`, `json`, `hang`, `drip`, `reset`, `rate-limited`, `error-500`, `bad-json`, ... (see
`BEHAVIOURS`). Every request is kept in `requests` for the test to look at.

    with Provider() as provider:
        os.environ["MODEL_API_BASE"] = provider.base
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON = Any
RIGHT = {"title": "A house", "rooms": 4}
WRONG = {"title": "A house", "rooms": "four"}
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
KEY = "sk-test-canary-0123456789abcdef"


@dataclass
class Request:
    model: str
    body: dict[str, JSON]
    headers: dict[str, str]
    cut: threading.Event = field(default_factory=threading.Event)
    """Set when the caller has hung up before the end."""


class Provider:
    """`with Provider() as provider:`; `provider.base` is the address for litellm."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self.redirect_to = ""
        """Base address that the behaviour `redirect` sends callers to."""
        outer = self

        class Handler(_Handler):
            provider = outer

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Provider:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(timeout=5)

    def of(self, model: str) -> list[Request]:
        return [request for request in self.requests if request.model == model]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: Provider
    asked: Request

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send(200, {"object": "list", "data": [{"id": "ok", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked = Request(body["model"], body, {key.lower(): value for key, value in self.headers.items()})
        self.provider.requests.append(self.asked)
        try:
            BEHAVIOURS[body["model"]](self)
        except (BrokenPipeError, ConnectionResetError):
            self.asked.cut.set()
            self.close_connection = True

    # -- what can be sent ---------------------------------------------------------------------------------------------

    def reply(self, text: str, *, finish: str = "stop", usage: dict[str, int] | None = USAGE) -> None:
        if self.asked.body.get("stream"):
            self.stream([text[: len(text) // 2], text[len(text) // 2 :]], finish=finish, usage=usage)
            return
        message = {"role": "assistant", "content": text}
        body = {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": self.asked.model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        }
        self.send(200, {**body, "usage": usage} if usage else body)

    def stream(
        self, texts: list[str], *, finish: str = "stop", usage: dict[str, int] | None = USAGE, pause: float = 0
    ) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for text in texts:
            self.event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]})
            if pause and self.provider.stopping.wait(pause):
                return
        self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        if usage and (self.asked.body.get("stream_options") or {}).get("include_usage"):
            self.event({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, data: dict[str, JSON]) -> None:
        whole = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": self.asked.model, **data}
        self.wfile.write(b"data: " + json.dumps(whole).encode() + b"\n\n")
        self.wfile.flush()

    def send(self, status: int, body: JSON, headers: dict[str, str] | None = None) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def refuse(self, status: int, message: str, code: str = "", headers: dict[str, str] | None = None) -> None:
        self.send(status, {"error": {"message": message, "type": "error", "code": code or None}}, headers)


# -- the behaviours ---------------------------------------------------------------------------------------------------


def _hang(handler: _Handler) -> None:
    handler.provider.stopping.wait(60)
    handler.close_connection = True


def _drip(handler: _Handler) -> None:
    """A byte every tenth of a second: each one starts litellm's own timeout anew."""
    if handler.asked.body.get("stream"):
        handler.stream(["x"] * 600, pause=0.1)
        return
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "600")
    handler.end_headers()
    for _ in range(600):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        if handler.provider.stopping.wait(0.1):
            return


def _reset(handler: _Handler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def _break_off(handler: _Handler) -> None:
    """Half a stream, then the connection is gone."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"5\r\ndata:\r\n")
    handler.wfile.flush()
    time.sleep(0.05)
    _reset(handler)


def _empty_choices(handler: _Handler) -> None:
    if handler.asked.body.get("stream"):
        handler.stream([])
        return
    handler.send(
        200, {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [], "usage": USAGE}
    )


def _wrong_then_right(handler: _Handler) -> None:
    handler.reply(json.dumps(RIGHT if len(handler.asked.body["messages"]) > 2 else WRONG))


def _no_format(handler: _Handler) -> None:
    """A server that does not know `response_format`, as some local ones."""
    if "response_format" in handler.asked.body:
        handler.refuse(400, "response_format is not supported")
    else:
        handler.reply(json.dumps(RIGHT))


def _slow(handler: _Handler) -> None:
    handler.provider.stopping.wait(0.5)
    handler.reply("Good morning.")


def _redirect(handler: _Handler) -> None:
    handler.send(307, {}, {"Location": f"{handler.provider.redirect_to}/chat/completions"})


def _key_in_error(handler: _Handler) -> None:
    handler.refuse(401, f"Incorrect API key provided: {KEY}. Authorization: {handler.headers['Authorization']}")


def _refusing(status: int, message: str, code: str = "", headers: dict[str, str] | None = None) -> Callable[..., None]:
    return lambda handler: handler.refuse(status, message, code, headers)


BEHAVIOURS: dict[str, Callable[[Any], None]] = {
    "ok": lambda handler: handler.reply("Good morning."),
    "slow": _slow,
    "redirect": _redirect,
    "slow-stream": lambda handler: handler.stream(["one ", "two ", "three"], pause=0.05),
    "json": lambda handler: handler.reply(json.dumps(RIGHT)),
    "fenced": lambda handler: handler.reply(f"Here you are:\n```json\n{json.dumps(RIGHT)}\n```\nAnything else?"),
    "wrong-then-right": _wrong_then_right,
    "always-wrong": lambda handler: handler.reply(json.dumps(WRONG)),
    "prose": lambda handler: handler.reply("I would rather not say."),
    "cut-off": lambda handler: handler.reply('{"title": "A hou', finish="length"),
    "no-format": _no_format,
    "no-usage": lambda handler: handler.reply("Good morning.", usage=None),
    "empty-choices": _empty_choices,
    "empty-text": lambda handler: handler.reply(""),
    "filtered": lambda handler: handler.reply("I", finish="content_filter"),
    "bad-json": lambda handler: handler.send(200, b'{"choices": [{"mess'),
    "html": lambda handler: handler.send(200, b"<html>Sign in</html>"),
    "hang": _hang,
    "drip": _drip,
    "reset": _reset,
    "break-off": _break_off,
    "key-in-error": _key_in_error,
    "rate-limited": _refusing(429, "Slow down", headers={"Retry-After": "7"}),
    "rate-limited-ms": _refusing(429, "Slow down", headers={"retry-after-ms": "1500"}),
    "no-credit": _refusing(429, "You exceeded your current quota", "insufficient_quota"),
    "error-400": _refusing(400, "Unknown parameter"),
    "error-402": _refusing(402, "Pay first"),
    "error-403": _refusing(403, "Not you"),
    "error-404": _refusing(404, "The model does not exist", "model_not_found"),
    "error-409": _refusing(409, "Conflict"),
    "error-422": _refusing(422, "Unprocessable"),
    "error-500": _refusing(500, "Internal error"),
    "error-502": _refusing(502, "Bad gateway"),
    "error-503": _refusing(503, "Overloaded", headers={"Retry-After": "3"}),
    "error-529": _refusing(529, "Overloaded"),
    "too-long": _refusing(400, "This model's maximum context length is 10 tokens", "context_length_exceeded"),
    "policy": _refusing(400, "Rejected by our safety system", "content_policy_violation"),
}
