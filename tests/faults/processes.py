"""Processes killed, stopped, and restarted in order."""

from __future__ import annotations

import random
import signal
import time
from contextlib import suppress

import psutil

from orchestration.engine.retry import MOST_ABANDONMENTS
from tests.faults.report import Report
from tests.faults.scene import Load, Scene, ask
from tests.portal_process import wait_for

LEASE_SECONDS, SUSPECT_CLAIMS = 30, 3  # of orchestration.store.statements, which needs Django
IN_HAND = """
    SELECT run.id, run.lease_token FROM orchestration_run AS run
    JOIN orchestration_enginehost AS host ON host.id = run.host_id WHERE host.pid = %s AND host.ended_at IS NULL
"""
CLAIMED = IN_HAND.replace("run.lease_token", "run.lease_token, run.claims")
LAST_EVENTS = IN_HAND.replace("run.lease_token", "run.last_seq")
ROLLING = {
    "web": signal.SIGTERM,
    "engine": signal.SIGTERM,
    "jobs": signal.SIGTERM,
    "redis": signal.SIGTERM,
    "postgres": signal.SIGINT,
}
"""How each of them is asked to end, in the order of an update."""
GO_ON_WITHIN = 180.0
"""Seconds: whatever is killed, by then somebody has its runs. A cluster that had to start again needs some of them, on
a machine that is busy with something else many; what it took is in the figures."""
TOKENS = "SELECT id, lease_token FROM orchestration_run WHERE id = ANY(%s)"


class Killer:
    """Kills (-9) one process at a time. An engine's victim is first stopped, so that what it has at work is known."""

    def __init__(self, scene: Scene, report: Report, chance: random.Random, *, workers_only: bool = False) -> None:
        self.scene, self.report, self.chance, self.workers_only = scene, report, chance, workers_only

    def strike(self) -> None:
        if not self.scene.hosts():
            self.scene.wait_for_hosts()
        with suppress(psutil.NoSuchProcess, IndexError, StopIteration):
            kind, victim = self._choose()
            self._kill(kind, victim)

    def _choose(self) -> tuple[str, psutil.Process]:
        roles = self._roles("engine")
        kinds = ["worker"] * 9
        if not self.workers_only:
            roles |= {f"jobs {kind}": found for kind, found in self._roles("jobs").items()}
            roles["web"] = [psutil.Process(self.scene.portal.pid("web"))]
            kinds += ["pusher", "monitor", "sentinel", "main", "web"]
            kinds += ["jobs worker", "jobs pusher", "jobs sentinel", "jobs main"]
        kind = self.chance.choice([kind for kind in kinds if roles.get(kind)])
        return kind, self.chance.choice(roles[kind])

    def _roles(self, cluster: str) -> dict[str, list[psutil.Process]]:
        main = psutil.Process(self.scene.portal.pid(cluster))
        found: dict[str, list[psutil.Process]] = {"main": [main], "sentinel": main.children()}
        hosts = set(self.scene.hosts())
        for process in (child for sentinel in main.children() for child in sentinel.children()):
            title = " ".join(process.cmdline())
            kind = next((kind for kind in ("pusher", "monitor") if kind in title), "")
            if not kind and (process.pid in hosts or cluster == "jobs"):
                kind = "worker"
            found.setdefault(kind, []).append(process)
        found.pop("", None)
        return found

    def _kill(self, kind: str, victim: psutil.Process) -> None:
        group = kind in {"sentinel", "main"}  # with either of them `up` ends the whole session
        everybody = self.scene.hosts()
        hosts = [victim.pid] if kind == "worker" else everybody if group else []
        still = [psutil.Process(pid) for pid in hosts]
        for process in still:
            process.suspend()
        if still:
            time.sleep(0.05)  # commits that were on their way
            self.report.in_flight += self.scene.at_work(hosts)
        in_hand = {run: (token, claims) for pid in hosts for run, token, claims in ask(CLAIMED, pid)}
        self.report.kills[kind] += 1
        began = time.monotonic()
        for process in [victim, *still]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        if kind == "worker" and in_hand:
            self._measure(in_hand, began, alone=set(everybody) <= {victim.pid})

    def _measure(self, in_hand: dict[object, tuple[int, int]], began: float, *, alone: bool) -> None:
        """Until all of its runs are in other hands; told apart by what had to come first."""
        report, runs = self.report, {run: token for run, (token, _) in in_hand.items()}
        if alone:
            times = report.go_on_alone
        elif any(claims >= SUSPECT_CLAIMS for _, claims in in_hand.values()):
            times = report.go_on_suspects
        else:
            times = report.go_on
        if not wait_for(lambda: taken_over(runs), GO_ON_WITHIN):
            report.expect(False, f"the runs of a killed host are in other hands within {GO_ON_WITHIN:g} s")
        times.append(time.monotonic() - began)


def taken_over(runs: dict[object, int]) -> bool:
    """Whether each has been claimed since, or has ended."""
    return all(token > runs[run] for run, token in ask(TOKENS, list(runs)))


def takeover(scene: Scene, load: Load, report: Report, chance: random.Random, *, rounds: int = 10) -> None:
    """kill -9 of one of two hosts, nothing else: how long until each of its runs makes a step elsewhere."""
    for _ in range(rounds):
        scene.wait_for_hosts(2)
        victim, _ = _hung_with_runs(scene, chance)
        runs = dict(ask(LAST_EVENTS, victim.pid))
        report.in_flight += scene.at_work([victim.pid])
        report.kills["worker"] += 1
        began = time.monotonic()
        victim.kill()
        while runs and time.monotonic() - began < GO_ON_WITHIN:
            for run, seq in ask("SELECT id, last_seq FROM orchestration_run WHERE id = ANY(%s)", list(runs)):
                if seq > runs[run]:
                    report.go_on.append(time.monotonic() - began)
                    del runs[run]
            time.sleep(0.005)
        report.expect(not runs, f"the runs of a killed host go on elsewhere within {GO_ON_WITHIN:g} s")
        time.sleep(chance.uniform(0.5, 1.5))
    report.more["aim_seconds"] = 0.5
    report.more["beyond_aim"] = sum(seconds > 0.5 for seconds in report.go_on)


def _with_runs(scene: Scene) -> list[int]:
    return [pid for pid in scene.hosts() if ask(IN_HAND, pid)]


def kills(scene: Scene, load: Load, report: Report, chance: random.Random, *, count: int, every: float) -> None:
    """kill -9 at random moments over engine hosts, pushers, monitors, sentinels, main processes, web and jobs."""
    killer = Killer(scene, report, chance)
    wanted, end = sum(report.kills.values()) + count, time.monotonic() + 10 * count * every
    while sum(report.kills.values()) < wanted and time.monotonic() < end:  # some strike at what has just ended
        time.sleep(chance.uniform(0.3, 1.7) * every)
        killer.strike()


def workers(scene: Scene, load: Load, report: Report, chance: random.Random, *, count: int, every: float) -> None:
    """kill -9 of engine workers only."""
    killer = Killer(scene, report, chance, workers_only=True)
    for _ in range(count):
        time.sleep(chance.uniform(0.3, 1.7) * every)
        killer.strike()


def all_killed(scene: Scene, load: Load, report: Report, chance: random.Random, *, rounds: int = 3) -> None:
    """kill -9 of everything at once, `up` and its servers too, as when the power fails; then `up` is started again."""
    for _ in range(rounds):
        with scene.standing_still(scene.hosts()):
            report.in_flight += scene.at_work()
            scene.portal.kill_all()
        report.kills["everything"] += 1
        began = time.monotonic()
        scene.portal.start(seconds=240)
        report.go_on_alone.append(scene.seconds_to_go_on(began))
        scene.wait_for_hosts(1)
        time.sleep(chance.uniform(1.0, 3.0))


def zombie(scene: Scene, load: Load, report: Report, chance: random.Random) -> None:
    """SIGSTOP of a host past its lease, then SIGCONT: others go on with its runs, and it writes nothing any more."""
    scene.wait_for_hosts(2)
    victim, runs = _hung_with_runs(scene, chance)
    stopped = time.monotonic()
    (host,) = {row[0] for row in ask("SELECT host_id FROM orchestration_run WHERE id = ANY(%s)", list(runs))}
    report.in_flight += scene.at_work([victim.pid])
    report.expect(
        bool(wait_for(lambda: taken_over(runs), LEASE_SECONDS * 3)), "the runs of a host that hangs are taken over"
    )
    report.go_on.append(time.monotonic() - stopped)
    time.sleep(2.0)
    held = [row[0] for row in ask("SELECT id FROM orchestration_run WHERE host_id = %s", host)]
    report.expect(not held, "a host that hangs holds no run past its lease")
    known, calls = _refusals(scene), _calls(runs)
    victim.resume()
    refused = wait_for(lambda: _refusals(scene) - known, 30)
    report.expect(bool(refused), "the zombie's writes are refused, and it says so")
    time.sleep(2.0)
    report.expect(_calls(runs) == calls, "the zombie begins no call under a lease that it has lost")
    report.more["writes_refused"] = refused


def _hung_with_runs(scene: Scene, chance: random.Random) -> tuple[psutil.Process, dict[object, int]]:
    """A host that has been stopped with runs in hand, and the tokens it has them by."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for pid in chance.sample(found := _with_runs(scene), len(found)):
            process = psutil.Process(pid)
            process.suspend()
            time.sleep(0.05)  # commits that were on their way
            if runs := dict(ask(IN_HAND, pid)):
                return process, runs
            process.resume()
    raise AssertionError("no host had a run in hand for 60 s")


def _refusals(scene: Scene) -> int:
    return sum("run lost" in line for line in list(scene.portal.lines))


def _calls(runs: dict[object, int]) -> int:
    """Outside calls entered in the ledger under these tokens."""
    return sum(
        ask("SELECT count(*) FROM orchestration_effect WHERE run_id = %s AND lease_token = %s", run, token)[0][0]
        for run, token in runs.items()
    )


def stolen(scene: Scene, load: Load, report: Report, chance: random.Random, *, rounds: int = 10) -> None:
    """Runs torn out of a living host's hands by force, so that two hosts drive them at once.

    Not those with a step that was torn away so often that once more would be its end: the engine takes it for what
    kills its hosts, and is right to (`engine/retry.py`).
    """
    scene.wait_for_hosts(2)
    for _ in range(rounds):
        time.sleep(chance.uniform(0.3, 1.0))
        hosts = scene.hosts()
        with scene.standing_still(hosts):
            report.in_flight += scene.at_work(hosts)
            runs = dict(
                ask(
                    "UPDATE orchestration_run AS run SET"
                    " host_id = NULL, lease_expires_at = NULL, due_at = clock_timestamp()"
                    " WHERE host_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM orchestration_noderun AS node"
                    " WHERE node.run_id = run.id AND node.status = 'running' AND node.attempts >= %s)"
                    " RETURNING id, lease_token",
                    MOST_ABANDONMENTS,
                )
            )
        began = time.monotonic()
        ask("SELECT pg_notify('ensemble_runs', '')")
        if runs and wait_for(lambda runs=runs: taken_over(runs), 30):  # type: ignore[misc]
            report.go_on.append(time.monotonic() - began)
    report.expect(bool(report.go_on), "runs that were torn away are claimed again")


def rolling(scene: Scene, load: Load, report: Report, chance: random.Random, *, rounds: int = 2) -> None:
    """All processes ended in order and started again, in turn, as an update would: no run fails, none is lost.

    Requests are refused only while there is no database; what was accepted is kept all the same."""
    refused: list[str] = []
    for _ in range(rounds):
        for name, number in ROLLING.items():
            before, known = scene.portal.pid(name), len(load.refused)
            if name in ("engine", "postgres"):  # what does not end within the drain is cut off and begun again
                report.in_flight += scene.at_work()
            began = time.monotonic()
            psutil.Process(before).send_signal(number)
            report.expect(scene.wait_for_another(name, before), f"{name} ends and is started again")
            if name == "engine":
                scene.wait_for_hosts(2)
            report.go_on.append(scene.seconds_to_go_on(began))
            report.kills[f"{name} ({number.name})"] += 1
            time.sleep(5.0)
            if name != "postgres":
                refused += [f"{name}: {what}" for what in load.refused[known:]]
    report.more["requests_refused"] = refused
    report.more["requests_refused_without_database"] = len(load.refused) - len(refused)
    report.expect(not refused, "no request is refused or dropped while a process other than the database is renewed")
