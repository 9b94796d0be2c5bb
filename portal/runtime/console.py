"""The one log stream of `up`: each line with the name of the process it came from."""

import asyncio
import os
import sys
from collections.abc import Callable

LONGEST_LINE = 1_000_000
COLOURS = {"web": 36, "engine": 35, "jobs": 34, "postgres": 33, "redis": 33, "up": 32}


class Console:
    """Writes to standard output. Goes on in silence when nobody reads it any more (`up | head`)."""

    def __init__(self) -> None:
        self._closed = False
        self._coloured = sys.stdout.isatty()

    def say(self, text: str) -> None:
        """A line of the supervisor's own."""
        self.line("up", text)

    def line(self, name: str, text: str) -> None:
        mark = f"{name:<8} | "
        if self._coloured:
            mark = f"\x1b[{COLOURS.get(name, 37)}m{mark}\x1b[0m"
        self.plain(mark + text)

    def plain(self, text: str) -> None:
        if self._closed:
            return
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except OSError:
            self._closed = True
        except UnicodeEncodeError:  # a terminal that cannot show all characters
            sys.stdout.write(text.encode("ascii", "backslashreplace").decode("ascii") + "\n")

    @staticmethod
    async def follow(pipe: int, hear: Callable[[str], None]) -> None:
        """Hand a process's lines to `hear` until its output is closed. Takes over the pipe's reading end."""
        stream = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(pipe, "rb", 0))
        rest = b""
        while chunk := await stream.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                hear(line.decode("utf-8", "replace").rstrip("\r"))
        if rest:
            hear(rest.decode("utf-8", "replace"))
