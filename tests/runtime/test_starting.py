"""The parts of `up` that need no portal."""

import json
import os
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from portal.runtime import given, keys, listener, lock, programs, services, static
from portal.runtime.errors import CannotStart
from portal.runtime.leftovers import Register, of_register
from portal.runtime.sockets import LONGEST, LONGEST_NAME, socket_folder


def test_sockets_stay_below_the_limit_however_deep_the_data(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    folder = socket_folder(deep, None)
    try:
        assert len(os.fsencode(folder)) + LONGEST_NAME <= LONGEST
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert socket_folder(deep, None) == folder
    finally:
        folder.rmdir()


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(tmp_path)
    with pytest.raises(CannotStart, match="belongs to somebody else"):
        socket_folder(tmp_path, None)


def test_one_at_a_time_and_the_lock_is_free_afterwards(tmp_path: Path) -> None:
    with lock.held(tmp_path, address="http://here:1"):
        with pytest.raises(CannotStart, match=rf"process {os.getpid()}.*http://here:1"):
            with lock.held(tmp_path, address="http://there:2"):
                pass
    with lock.held(tmp_path, address="http://there:2"):
        pass


def test_a_process_number_given_to_a_stranger_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)  # leads a session, as a program of `up` does
    try:
        born = psutil.Process(stranger.pid).create_time()
        for created, expected in ((1000.0, []), (born, [stranger.pid])):
            (tmp_path / "processes.json").write_text(
                json.dumps([{"name": "web", "pid": stranger.pid, "created": created}])
            )
            assert [process.pid for process in of_register(Register(tmp_path))] == expected
    finally:
        stranger.kill()
        stranger.wait()


def test_session_zero_of_a_container_is_nobodys(tmp_path: Path) -> None:
    # In a process namespace of its own, a process whose session began outside has session 0, and so has the kernel's.
    (tmp_path / "processes.json").write_text('[{"name": "web", "pid": 0, "created": 1000.0}]')
    assert of_register(Register(tmp_path)) == []


def test_a_torn_register_lists_nothing(tmp_path: Path) -> None:
    (tmp_path / "processes.json").write_text('[{"name": "we')
    assert Register(tmp_path).read() == []


def test_the_register_keeps_living_processes(tmp_path: Path) -> None:
    register = Register(tmp_path)
    register.add("web", os.getpid())
    (entry,) = Register(tmp_path).read()
    assert (entry.name, entry.pid) == ("web", os.getpid())
    assert abs(entry.created - psutil.Process().create_time()) < 1
    register.remove(os.getpid())
    assert Register(tmp_path).read() == []


def test_addresses_are_fit_for_a_browser() -> None:
    with listener.listen("0.0.0.0", 0) as everywhere:
        assert listener.address_of(everywhere) == f"http://127.0.0.1:{everywhere.getsockname()[1]}"
    if socket.has_ipv6:
        with listener.listen("::1", 0) as six:
            assert listener.address_of(six) == f"http://[::1]:{six.getsockname()[1]}"


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(CannotStart, match="no address of this machine"):
        listener.listen("192.0.2.1", 8000)


def test_all_names_of_the_machine_are_allowed_when_it_listens_everywhere() -> None:
    assert programs.host_names("portal.example") == ["localhost", "127.0.0.1", "[::1]", "portal.example"]
    assert socket.gethostname() in programs.host_names("0.0.0.0")


@pytest.fixture
def old_postgresql() -> Iterator[str]:
    """A server that says it is PostgreSQL 13, by the protocol's first messages."""

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    def serve(server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                while True:
                    packet = client.recv(4096)
                    if not packet or packet[:1] == b"X":
                        break
                    if packet[4:8] in {(80877103).to_bytes(4, "big"), (80877104).to_bytes(4, "big")}:
                        client.sendall(b"N")  # no TLS, no GSSAPI
                        continue
                    client.sendall(
                        message(b"R", (0).to_bytes(4, "big"))
                        + message(b"S", b"server_version\x0013.4\x00")
                        + message(b"S", b"client_encoding\x00UTF8\x00")
                        + message(b"Z", b"I")
                    )

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield f"postgresql://me@127.0.0.1:{server.getsockname()[1]}/shop"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=60)


def test_a_postgresql_that_is_too_old_is_told_by_its_version(old_postgresql: str) -> None:
    with pytest.raises(CannotStart, match=r"is version 13; 14 or later is needed"):
        given.require_database(old_postgresql)


def test_keys_are_made_once_and_for_their_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "SECRETS_KEYS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PORTAL_DATA", str(tmp_path))
    assert keys.secret_key() == keys.secret_key()
    assert len(keys.secrets_keys()) == 1
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    monkeypatch.setenv("SECRET_KEY", "given")
    assert keys.secret_key() == "given"


def test_the_mark_of_static_files_changes_with_them(tmp_path: Path) -> None:
    (tmp_path / "app.js").write_text("1")
    first = static.mark(tmp_path)
    (tmp_path / "app.js").write_text("2")
    assert static.mark(tmp_path) != first
    (tmp_path / "app.js").write_text("1")
    assert static.mark(tmp_path) == first


def test_only_the_web_process_pools_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@db:5433/shop?sslmode=require")
    web, engine = services.database_settings(process="web"), services.database_settings(process="engine")
    assert "pool" in web["OPTIONS"]
    assert engine["OPTIONS"] == {"sslmode": "require"}
    assert (engine["HOST"], engine["PORT"], engine["NAME"]) == ("db", "5433", "shop")
