"""What `manage.py up` does, from taking the data folder to giving it back.

    hold the folder → end what a killed predecessor left → PostgreSQL, Redis → migrate, seed → web, engine, jobs
    … keep them running, watch them …
    on SIGTERM or SIGINT: web, then engine and jobs, then Redis and PostgreSQL

Everything that runs is a child of this process, in a session of its own, and ends with it. This process holds no state
that matters: the database has it all, so it may be killed at any time.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Coroutine
from functools import partial

from portal.runtime import folder, given, health, programs, services
from portal.runtime.announce import Announcer
from portal.runtime.console import Console
from portal.runtime.errors import CannotStart
from portal.runtime.leftovers import Register
from portal.runtime.listener import address_of, listen
from portal.runtime.options import Options
from portal.runtime.postgres import PostgresServer
from portal.runtime.redis import RedisServer
from portal.runtime.service import Service, describe
from portal.runtime.watch import Watch

# Seconds. A stop takes at most STOP; what web leaves of it, less the servers' share, is the clusters'.
STOP, WEB_STOP, REDIS_STOP, POSTGRES_STOP = 14.3, 3.2, 0.8, 2.5
FAILED_STARTS = 3  # ends of a process before the portal has ever been ready that make the start fail


class Supervisor:
    """Of one data folder, which the caller holds."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._console = Console()
        self._announcer = Announcer(self._console)
        self._service = partial(Service, console=self._console, register=Register(options.data))
        self._stop = asyncio.Event()
        self._servers: list[Service] = []
        self._web: Service | None = None
        self._clusters: list[Service] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._database_url = self._redis_url = ""

    async def run(self, listener: socket.socket) -> None:
        """Returns after an orderly stop. Raises CannotStart. The folder is taken by the caller."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # started by nohup: it is to outlive the terminal
            loop.add_signal_handler(number, self._stop.set)
        try:
            await self._until_stopped(self._start(listener))
            await self._stop.wait()
        finally:
            self._announcer.logins()
            listener.close()
            await self._end()

    async def _until_stopped(self, work: Coroutine[None, None, None]) -> None:
        """Do the work, and drop it when a stop is asked for meanwhile."""
        task, stopped = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    async def _start(self, listener: socket.socket) -> None:
        address = address_of(listener)
        await self._start_servers()
        services.write_down(self._options.data, database_url=self._database_url, redis_url=self._redis_url)
        environment = {
            "DATABASE_URL": self._database_url,
            "REDIS_URL": self._redis_url,
            "PORTAL_DATA": str(self._options.data),
            "PUBLIC_URL": os.environ.get("PUBLIC_URL") or address,
            "ALLOWED_HOSTS": os.environ.get("ALLOWED_HOSTS") or ",".join(programs.host_names(self._options.host)),
            "LOG_FORMAT": os.environ.get("LOG_FORMAT") or "console",
        }
        await self._prepare(environment)
        self._web = self._service("web", programs.web(listener, environment=environment))
        engine = self._service("engine", programs.command("engine", environment=environment))
        watch = Watch(self._database_url, engine=engine, web=self._web, address=address)
        jobs = self._service("jobs", programs.command("jobs", environment=environment), heard=watch.heard_from_jobs)
        watch.jobs = jobs
        self._clusters = [engine, jobs]
        for service in (self._web, engine, jobs):
            await service.start()
            self._keep(service)
        await self._wait_for_web(address)
        self._keepers.append(asyncio.create_task(watch.run()))
        self._announcer.ready(address)

    async def _start_servers(self) -> None:
        """The private servers for those not given by the environment. Redis and PostgreSQL start side by side."""
        self._database_url, self._redis_url = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
        starts = []
        if self._database_url:
            starts.append(asyncio.to_thread(given.require_database, self._database_url))
        else:
            postgres = PostgresServer.below(self._options.data)
            self._database_url = postgres.url
            starts.append(self._start_server("postgres", postgres, signal.SIGINT))
        if self._redis_url:
            starts.append(asyncio.to_thread(given.require_redis, self._redis_url))
        else:
            redis = RedisServer.below(self._options.data)
            self._redis_url = redis.url
            starts.append(self._start_server("redis", redis, signal.SIGTERM))
        for outcome in await asyncio.gather(*starts, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _start_server(self, name: str, server: PostgresServer | RedisServer, stop: signal.Signals) -> None:
        def make_way() -> None:
            folder.end_server(server)
            server.prepare()

        # Redis has no way to keep its start-up lines to itself.
        service = self._service(name, server.program, stop_signal=stop, before=make_way, quiet=name == "redis")
        # PostgreSQL last in the list: servers are stopped from its front.
        self._servers.insert(0 if name == "redis" else len(self._servers), service)
        await service.start()
        await asyncio.to_thread(server.wait_ready, service.dead)
        self._keep(service)

    async def _prepare(self, environment: dict[str, str]) -> None:
        """Migrate, and seed an empty database, in a process of its own that then gives its memory back."""
        read, write = os.pipe()
        arguments = ["prepare", "--report", str(write), *([] if self._options.demo else ["--no-demo"])]
        program = programs.command(*arguments, environment=environment, keep_open=(write,))
        service = self._service("prepare", program)
        self._servers.insert(0, service)
        try:
            await service.start()
        finally:
            os.close(write)
        status = await service.wait()
        self._servers.remove(service)
        with os.fdopen(read, encoding="utf-8") as report:  # its writer has ended: no wait
            self._announcer.keep(json.loads(report.read() or "[]"))
        if status:
            raise CannotStart(f"The database could not be prepared (it {describe(status)}); see the lines above.")

    async def _wait_for_web(self, address: str) -> None:
        """Until it answers. Gives up when a process cannot even start."""
        while not await asyncio.to_thread(health.answers, address):
            for service in self._all():
                if service.ends >= FAILED_STARTS:
                    raise CannotStart(f"{service.name} ended {service.ends} times while starting; see its lines above.")
            await asyncio.sleep(0.1)

    def _keep(self, service: Service) -> None:
        self._keepers.append(asyncio.create_task(service.keep()))

    def _all(self) -> list[Service]:
        return [*([self._web] if self._web else []), *self._clusters, *self._servers]

    async def _end(self) -> None:
        """Stop in order: nobody loses what it still needs."""
        self._console.say("Stopping.")
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, partial(self._console.say, "Already stopping."))
        begun = time.monotonic()
        if self._web:
            await self._end_service(self._web, WEB_STOP)
        left = STOP - REDIS_STOP - POSTGRES_STOP - (time.monotonic() - begun)
        await asyncio.gather(*(self._end_service(cluster, left) for cluster in self._clusters))
        for server in self._servers:
            await self._end_service(server, REDIS_STOP if server.name == "redis" else POSTGRES_STOP)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._console.say("Stopped.")

    async def _end_service(self, service: Service, seconds: float) -> None:
        if not await service.stop(seconds=seconds):
            self._console.say(
                f"{service.name} did not stop within {seconds:.1f} s and was killed; nothing recorded is lost."
            )


def supervise(options: Options) -> None:
    """Run until stopped; the exit status of `up` is 0 after an orderly stop and 1 when it could not start."""
    try:
        with folder.taken(options), listen(options.host, options.port) as listener:
            asyncio.run(Supervisor(options).run(listener))
    except CannotStart as reason:
        sys.exit(f"Cannot start: {reason}")
    except KeyboardInterrupt:  # before the supervisor took charge of signals, e.g. at the question of --reset
        sys.exit(130)
