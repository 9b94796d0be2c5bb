"""Outgoing calls: no address typed by anybody leads into the house, and no server holds a caller for long (SEC-05)."""

import gzip
import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from portal.core import outgoing
from portal.core.outgoing import AddressRefused, ResponseTooLarge, addresses


class Handler(BaseHTTPRequestHandler):
    """Behaves as the path says; the server remembers every request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        name, _, rest = self.path.lstrip("/").partition("/")
        getattr(self, f"on_{name}", self.on_hello)(rest)

    do_POST = do_GET

    def on_hello(self, rest: str) -> None:
        self.answer(b"hello")

    def on_redirect(self, rest: str) -> None:
        self.answer(b"", status=302, location=rest if "://" in rest or rest.startswith("//") else f"/{rest}")

    def on_loop(self, rest: str) -> None:
        self.answer(b"", status=302, location="/loop")

    def on_large(self, rest: str) -> None:
        self.answer(b"x" * 200_000)

    def on_bomb(self, rest: str) -> None:
        self.answer(gzip.compress(b"\0" * 50_000_000), **{"content-encoding": "gzip"})

    def on_packed(self, rest: str) -> None:
        self.answer(gzip.compress(b"unpacked"), **{"content-encoding": "gzip"})

    def on_drip(self, rest: str) -> None:
        self.send_response(200)
        self.send_header("content-length", "1000")
        self.end_headers()
        self.drip()

    def on_dripheaders(self, rest: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self.drip()

    def on_hang(self, rest: str) -> None:
        self.server.stop.wait(20)  # type: ignore[attr-defined]

    def drip(self) -> None:
        for _ in range(100):
            if self.server.stop.wait(0.1):  # type: ignore[attr-defined]
                return
            try:
                self.wfile.write(b"x")
            except OSError:
                return

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Canary(ThreadingHTTPServer):
    """A server on loopback. `connections` counts who got as far as TCP."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.connections = 0
        self.stop = threading.Event()

    def get_request(self):  # type: ignore[no-untyped-def]
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients hang up on purpose here

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@pytest.fixture
def canary() -> Iterator[Canary]:
    server = Canary()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def open_canary(canary: Canary, settings) -> Canary:
    """The same, allow-listed by its address."""
    settings.OUTGOING_ALLOW = [f"127.0.0.1:{canary.port}"]
    return canary


def names(monkeypatch: pytest.MonkeyPatch, table: dict[str, list[list[str]]]) -> list[str]:
    """Resolve these names without DNS; each look-up takes the next answer of the list. Returns the log of look-ups."""
    real, asked = socket.getaddrinfo, []

    def getaddrinfo(host, port, *args, **kwargs):
        if host not in table:
            return real(host, port, *args, **kwargs)
        asked.append(host)
        answers = table[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


HOSTILE = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST.:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://127.0.0.2:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://example.com%2f@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://①②⑦.0.0.1:{port}/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://224.0.0.1/",
    "http://[ff02::1]/",
    "http://255.255.255.255/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://private.test:{port}/",
    "http://mixed.test:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "http:///nowhere",
    "//127.0.0.1:{port}/",
]
REFUSALS = (AddressRefused, httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.ConnectError)


@pytest.fixture
def hostile_names(monkeypatch) -> list[str]:
    return names(monkeypatch, {"private.test": [["127.0.0.1"]], "mixed.test": [["93.184.216.34", "127.0.0.1"]]})


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_addresses_reach_nothing(canary: Canary, hostile_names, url: str):
    with outgoing.sync_client(timeout=30) as http, pytest.raises(REFUSALS):
        http.get(url.format(port=canary.port))
    assert canary.connections == 0


@pytest.mark.parametrize("url", HOSTILE)
async def test_hostile_addresses_reach_nothing_asynchronously(canary: Canary, hostile_names, url: str):
    async with outgoing.client(timeout=30) as http:
        with pytest.raises(REFUSALS):
            await http.get(url.format(port=canary.port))
    assert canary.connections == 0


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_addresses_are_refused_when_saved(hostile_names, url: str):
    with pytest.raises(AddressRefused):
        outgoing.check_url(url.format(port=80))


def test_a_name_that_changes_its_answer_is_never_asked_twice(canary: Canary, monkeypatch):
    """DNS rebinding: public when checked, private when connected."""
    asked = names(monkeypatch, {"rebind.test": [["192.0.0.9"], ["127.0.0.1"]]})
    connected: list[str] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        connected.append(address[0])
        raise OSError("no route, says the test")

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(addresses, "is_public", lambda address: address == ipaddress.ip_address("192.0.0.9"))
    with outgoing.sync_client(timeout=30) as http, pytest.raises(httpx.ConnectError):
        http.get(f"http://rebind.test:{canary.port}/")
    assert asked == ["rebind.test"]
    assert connected == ["192.0.0.9"]  # the very address that was checked, and no other
    assert canary.connections == 0


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:{other}/",
        "http://[::1]:{other}/",
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "//0:{other}/",
    ],
)
def test_redirects_are_checked_again(open_canary: Canary, target: str):
    url = f"http://127.0.0.1:{open_canary.port}/redirect/{target.format(other=open_canary.port)}"
    with outgoing.sync_client(timeout=30) as http, pytest.raises(REFUSALS):
        http.get(url)
    assert len(open_canary.seen) == 1


def test_a_redirect_within_what_is_allowed_is_followed_five_times_at_most(open_canary: Canary):
    base = f"http://127.0.0.1:{open_canary.port}"
    with outgoing.sync_client(timeout=30) as http:
        assert http.get(f"{base}/redirect/redirect/hello").text == "hello"
        with pytest.raises(httpx.TooManyRedirects):
            http.get(f"{base}/loop")
    assert len(open_canary.seen) == 3 + 6


def test_credentials_do_not_follow_a_redirect_to_another_origin(open_canary: Canary, settings):
    settings.OUTGOING_ALLOW = [f"127.0.0.1:{open_canary.port}", f"localhost:{open_canary.port}"]
    url = f"http://127.0.0.1:{open_canary.port}/redirect/http://localhost:{open_canary.port}/hello"
    with outgoing.sync_client(timeout=30) as http:
        http.get(url, headers={"Authorization": "Bearer a", "X-Api-Key": "b", "Cookie": "c=d"})
    first, second = ({key.lower(): value for key, value in headers.items()} for _, headers in open_canary.seen)
    assert {"authorization", "x-api-key", "cookie"} <= set(first)
    assert not {"authorization", "x-api-key", "cookie"} & set(second)
    assert second["host"] == f"localhost:{open_canary.port}"


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.0/8", "127.0.0.1:{port}", "127.0.0.0/8:{port}"])
def test_the_allow_list_opens_addresses(canary: Canary, settings, entry: str):
    settings.OUTGOING_ALLOW = [entry.format(port=canary.port)]
    with outgoing.sync_client(timeout=30) as http:
        assert http.get(f"http://127.0.0.1:{canary.port}/hello").text == "hello"


@pytest.mark.parametrize("entry", ["localhost", "localhost:{port}", "LocalHost"])
async def test_the_allow_list_opens_names(canary: Canary, settings, entry: str):
    settings.OUTGOING_ALLOW = [entry.format(port=canary.port)]
    async with outgoing.client(timeout=30) as http:
        assert (await http.get(f"http://localhost:{canary.port}/hello")).text == "hello"
        with pytest.raises(AddressRefused):
            await http.get(f"http://127.0.0.1:{canary.port}/hello")


@pytest.mark.parametrize("entry", ["127.0.0.1:1", "localhost:1", "10.0.0.0/8", "other"])
def test_the_allow_list_opens_no_other_port_or_host(canary: Canary, settings, entry: str):
    settings.OUTGOING_ALLOW = [entry]
    for host in ("127.0.0.1", "localhost"):
        with outgoing.sync_client(timeout=30) as http, pytest.raises(AddressRefused):
            http.get(f"http://{host}:{canary.port}/")
    assert canary.connections == 0


@pytest.mark.parametrize("entry", ["", "10.0.0.0/99", "/", ":80"])
def test_a_bad_entry_of_the_allow_list_is_an_error(entry: str):
    with pytest.raises(ValueError, match="neither"):
        outgoing.parse_entry(entry)


def test_the_environment_has_no_proxy_to_offer(open_canary: Canary, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with outgoing.sync_client(timeout=30) as http:
        assert http.get(f"http://127.0.0.1:{open_canary.port}/hello").text == "hello"


@pytest.mark.parametrize("path", ["drip", "dripheaders", "hang"])
def test_the_deadline_holds_whatever_the_server_does(open_canary: Canary, path: str):
    begun = time.monotonic()
    with outgoing.sync_client(timeout=0.6) as http, pytest.raises(httpx.TimeoutException):
        http.get(f"http://127.0.0.1:{open_canary.port}/{path}")
    assert time.monotonic() - begun < 8, "the server takes ten"


@pytest.mark.parametrize("path", ["drip", "dripheaders", "hang"])
async def test_the_deadline_holds_asynchronously(open_canary: Canary, path: str):
    begun = time.monotonic()
    async with outgoing.client(timeout=0.6) as http:
        with pytest.raises(httpx.TimeoutException):
            await http.get(f"http://127.0.0.1:{open_canary.port}/{path}")
    assert time.monotonic() - begun < 8, "the server takes ten"


@pytest.mark.parametrize("path", ["large", "bomb"])
async def test_an_answer_that_is_too_large_is_cut_off(open_canary: Canary, path: str):
    url = f"http://127.0.0.1:{open_canary.port}/{path}"
    async with outgoing.client(timeout=30, max_bytes=100_000) as http:
        with pytest.raises(ResponseTooLarge):
            await http.get(url)
    with outgoing.sync_client(timeout=30, max_bytes=100_000) as http_sync, pytest.raises(ResponseTooLarge):
        http_sync.get(url)


async def test_a_packed_answer_is_unpacked(open_canary: Canary):
    async with outgoing.client(timeout=30) as http:
        assert (await http.get(f"http://127.0.0.1:{open_canary.port}/packed")).text == "unpacked"


async def test_a_body_can_be_streamed_and_posted(open_canary: Canary):
    async with outgoing.client(timeout=30) as http:
        async with http.stream("POST", f"http://127.0.0.1:{open_canary.port}/large", json={"a": 1}) as response:
            assert sum([len(chunk) async for chunk in response.aiter_bytes()]) == 200_000


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("64:ff9b::5db8:d822", True),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b:1::1", False),
        ("2001:db8::1", False),
        ("2001::1", False),
        ("240.0.0.1", False),
    ],
)
def test_what_counts_as_public(address: str, public: bool):
    assert outgoing.is_public(ipaddress.ip_address(address)) is public


def test_the_authorities_are_read_once(open_canary: Canary, monkeypatch: pytest.MonkeyPatch):
    outgoing.sync_client().close()

    def again(**_: object) -> None:
        raise AssertionError("20 ms in which a host's loop does nothing else")

    monkeypatch.setattr(httpx, "create_ssl_context", again)
    outgoing.sync_client().close()
    assert outgoing.client()
