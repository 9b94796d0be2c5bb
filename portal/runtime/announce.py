"""What `up` tells the person who started it: the address and, once, the logins."""

import sys
from collections.abc import Sequence
from pathlib import Path

from portal.runtime.console import Console

Login = dict[str, str]  # {"username", "password", ...} of portal.core.services.seeding.Login


class Announcer:
    """Says each thing once."""

    def __init__(self, console: Console) -> None:
        self._say = console.plain
        self._logins: Sequence[Login] = ()

    def keep(self, logins: Sequence[Login]) -> None:
        """Remember them until they are told. The passwords exist nowhere else."""
        self._logins = logins

    def ready(self, address: str) -> None:
        self._say("")
        self._say(f"  Ensemble is ready at {address}/")
        self.logins()
        self._say("")
        self._say("  Stop with Ctrl-C.")
        self._say("")

    def logins(self) -> None:
        """Tell them unless that was done; also when the start fails after they were made."""
        if not self._logins:
            return
        width = max(len(login["username"]) for login in self._logins)
        self._say("")
        for login in self._logins:
            self._say(f"  login {login['username']:<{width}}   password {login['password']}")
        # The command by which the portal was started: `manage.py` in a checkout, `ensemble` where it is installed.
        command = Path(sys.argv[0]).name
        self._say(f"  The passwords are shown this once. `{command} changepassword NAME` sets a new one.")
        self._logins = ()
