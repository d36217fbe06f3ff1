"""Processes that answer: each is given a question once, then ranges of it, and sends back one answer for each.

They are started afresh (not forked), end with their parent, and leave an interrupt to it.
"""

import pickle
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Protocol, TypeVar, cast

Q = TypeVar("Q")
R = TypeVar("R")
A = TypeVar("A")
R_in = TypeVar("R_in", contravariant=True)
A_out = TypeVar("A_out", covariant=True)
_PATIENCE = 2.0  # seconds for a process to end


class Answerer(Protocol[R_in, A_out]):
    """What a process holds: an answer for each range."""

    def part(self, of: R_in, /) -> A_out:
        """The answer for one range."""
        ...


class Worker(Generic[R, A]):
    """One process, seen from its parent."""

    def __init__(self, process: BaseProcess, pipe: "Connection[Any, Any]") -> None:
        self._process = process
        self._pipe = pipe

    def give(self, of: R) -> None:
        """Have the process answer this range, after those it was given before."""
        self._pipe.send(of)

    def take(self) -> A:
        """Its next answer. Raises what it met, and EOFError where it is gone."""
        answer: object = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return cast("A", answer)

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._pipe.close()
        self._process.terminate()
        self._process.join(_PATIENCE)


def start(question: Q, answerer: Callable[[Q], Answerer[R, A]], count: int) -> list[Worker[R, A]]:
    """So many processes, each with the question."""
    context = get_context("spawn")
    workers: list[Worker[R, A]] = []
    with _interrupts_ignored():
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_answer, args=(theirs, question, answerer), daemon=True)
            process.start()
            theirs.close()
            workers.append(Worker(process, ours))
    return workers


@contextmanager
def _interrupts_ignored() -> Generator[None]:
    """What is started here does not see Ctrl-C: its parent does, and ends it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _answer(pipe: "Connection[Any, Any]", question: Q, answerer: Callable[[Q], Answerer[R, A]]) -> None:
    """The life of a process: until its parent closes the pipe."""
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        holder = answerer(question)
        while True:
            of = pipe.recv()
            try:
                answer: object = holder.part(of)
            except Exception as error:
                answer = _sendable(error)
            pipe.send(answer)


def _sendable(error: Exception) -> Exception:
    """The error, if it can be sent, else its text."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(str(error))
    return error
