"""Start one program so that it cannot outlive its starter, and never as root where it must not be.

Run as a file, with nothing but the standard library, between fork and exec of a server:

    python -I -S launch.py --parent PID --death-signal N [--uid U --gid G] [--read-everywhere] -- program args...

- `--death-signal`: the kernel sends it to the program when its starter dies, however it dies (Linux,
  prctl(PR_SET_PDEATHSIG)). Set after the change of user, which clears it.
- `--uid`, `--gid`: give up root for this account. PostgreSQL refuses to run as root.
- `--read-everywhere`: keep the right to pass through folders closed to that account (a virtual environment below
  /root, say) as the one ambient capability. Linux; see capabilities(7).
"""

import argparse
import ctypes
import os
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def _become(uid: int, gid: int, *, read_everywhere: bool) -> None:
    libc = ctypes.CDLL(None, use_errno=True) if read_everywhere else None
    if libc:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if libc:
        _keep_reading(libc)


def _keep_reading(libc: ctypes.CDLL) -> None:
    """Reduce the capabilities to the one that reads everywhere. Containers often grant only the wider of the two."""
    header, data = _Header(CAPABILITY_VERSION_3, 0), (_Data * 2)()
    if libc.capget(ctypes.byref(header), data) != 0:
        return
    kept = next((c for c in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if data[0].permitted & (1 << c)), None)
    if kept is None:
        return
    for half in data:
        half.effective = half.permitted = half.inheritable = 0
    data[0].effective = data[0].permitted = data[0].inheritable = 1 << kept
    if libc.capset(ctypes.byref(header), data) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept, 0, 0)


def main() -> None:
    options = argparse.ArgumentParser(prog="launch")
    options.add_argument("--parent", type=int, required=True)
    options.add_argument("--death-signal", type=int, default=0)
    options.add_argument("--uid", type=int)
    options.add_argument("--gid", type=int)
    options.add_argument("--read-everywhere", action="store_true")
    options.add_argument("program", nargs=argparse.REMAINDER)
    given = options.parse_args()
    program = given.program[1:] if given.program[:1] == ["--"] else given.program
    if given.uid is not None:
        _become(given.uid, given.gid, read_everywhere=given.read_everywhere)
    if given.death_signal and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, given.death_signal, 0, 0, 0)
        if os.getppid() != given.parent:  # the starter died before the kernel knew what to do then
            sys.exit(1)
    os.execv(program[0], program)  # noqa: S606  the program is to take this process's place


main()
