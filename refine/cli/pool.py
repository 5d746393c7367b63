"""Jobs in processes of their own: results in order, a watchdog, and an orderly end on Ctrl-C."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from refine.cli.status import CONTRADICTION, UNKNOWN
from refine.cli.work import Done, Interrupts, Job
from refine.engine.verdict import Tick

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

Ticker = Callable[[Job, Tick], None]

_LOOK = 0.2  # seconds between two looks at signals and clocks
_TICKS = 0.1  # seconds between two reports of one process
_BEGUN = "begun"  # what a process says when its job's time begins
_STARTING = 60.0  # seconds that a process may take until it says so
_FAREWELL = 5.0  # seconds after Ctrl-C


def run(jobs: Sequence[Job], count: int, tick: Ticker, interrupts: Interrupts) -> Iterator[Done | None]:
    """Yield what comes of each job, in order; None for those not begun when the user interrupted.

    Only a process of its own can be ended, so a job that has a timeout is always given to one.
    """
    count = min(count, len(jobs))
    if count > 1 or any(job.options.timeout is not None for job in jobs):
        yield from _Pool(jobs, count, tick, interrupts).run()
        return
    for job in jobs:
        yield None if interrupts.seen else interrupts.perform(job, _throttled(job, tick))


def grace(timeout: float) -> float:
    """How many seconds beyond its timeout a job may take to end by itself, with what it found."""
    return max(2.0, timeout / 10)


def _throttled(job: Job, tick: Ticker) -> Callable[[Tick], None]:
    last = 0.0

    def report(event: Tick) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _TICKS:
            last = now
            tick(job, event)

    return report


def _serve(connection: Connection) -> None:
    """Do jobs until there are no more: what runs in the other processes."""
    with Interrupts(again=False) as interrupts:
        while True:
            try:
                job = connection.recv()
            except EOFError:
                return
            connection.send(_BEGUN)
            connection.send(interrupts.perform(job, _throttled(job, lambda _, event: connection.send(event))))


class _Worker:
    """One process, and the number of the job that it is at."""

    def __init__(self) -> None:
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(other,), daemon=True)
        self.process.start()
        other.close()
        self.job: int | None = None
        self.since = 0.0
        self.begun = False

    def give(self, number: int, job: Job) -> None:
        self.job, self.since, self.begun = number, time.monotonic(), False
        self.connection.send(job)

    def begin(self) -> None:
        self.since, self.begun = time.monotonic(), True

    def interrupt(self) -> None:
        if self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, signal.SIGINT)

    def end(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join()


class _Pool:
    def __init__(self, jobs: Sequence[Job], count: int, tick: Ticker, interrupts: Interrupts) -> None:
        self._jobs = jobs
        self._tick = tick
        self._interrupts = interrupts
        self._left = iter(range(len(jobs)))
        self._done: dict[int, Done] = {}
        self._workers: list[_Worker] = []
        self._count = count
        self._told = 0.0  # when the workers were told to stop

    def run(self) -> Iterator[Done | None]:
        try:
            for _ in range(self._count):
                self._start()
            for number in range(len(self._jobs)):
                while number not in self._done and self._workers:
                    self._look()
                yield self._done.pop(number, None)
        finally:
            for worker in self._workers:
                worker.end()

    def _start(self) -> None:
        """Begin the next job, if there is one, in a process of its own."""
        number = next(self._left, None)
        if number is not None and not self._interrupts.seen:
            worker = _Worker()
            self._workers.append(worker)
            worker.give(number, self._jobs[number])

    def _look(self) -> None:
        """Wait a little for news; then see who has been at it for too long."""
        from multiprocessing.connection import wait

        ready = wait([worker.connection for worker in self._workers], _LOOK)
        for worker in [w for w in self._workers if w.connection in ready]:
            self._hear(worker)
        now = time.monotonic()
        if self._interrupts.seen and not self._told:
            self._told = now
            for worker in self._workers:
                worker.interrupt()
        for worker in list(self._workers):
            if self._told and now - self._told > _FAREWELL:
                self._drop(worker, Done(trouble="interrupted", status=UNKNOWN))
            elif self._overdue(worker, now):
                self._drop(worker, Done(trouble="out of time, and had to be ended", status=UNKNOWN))
                self._start()

    def _hear(self, worker: _Worker) -> None:
        assert worker.job is not None, "only processes with a job are listened to"
        job = self._jobs[worker.job]
        try:
            message = worker.connection.recv()
        except (EOFError, ConnectionError):
            worker.process.join()
            code = worker.process.exitcode
            killed = code == -signal.SIGKILL
            why = (
                "its process was killed, perhaps for want of memory"
                if killed
                else f"its process ended ({code})"
            )
            self._drop(worker, Done(trouble=why, status=UNKNOWN if killed else CONTRADICTION))
            self._start()
            return
        if message == _BEGUN:
            worker.begin()
            return
        if isinstance(message, Tick):
            self._tick(job, message)
            return
        self._done[worker.job] = message
        number = None if self._interrupts.seen else next(self._left, None)
        if number is None:
            self._drop(worker, None)
        else:
            worker.give(number, self._jobs[number])

    def _overdue(self, worker: _Worker, now: float) -> bool:
        if worker.job is None or (timeout := self._jobs[worker.job].options.timeout) is None:
            return False
        return now - worker.since > timeout + (grace(timeout) if worker.begun else _STARTING)

    def _drop(self, worker: _Worker, done: Done | None) -> None:
        if done is not None and worker.job is not None:
            self._done[worker.job] = done
        self._workers.remove(worker)
        worker.end()
