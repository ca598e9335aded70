"""What the library does, for Python's logging."""
from __future__ import annotations

import atexit
import logging
import queue
import threading

from ._abi import Str, lib, log_callback
from ._errors import check

# Texts that wait for a slow handler at most; more are dropped, counted.
WAITING = 1024
# From the library's levels: ERROR, WARN, INFO, DEBUG, TRACE.
_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG, 5: logging.DEBUG - 5}


class _Log:
    """Takes texts on the library's threads, which a handler must not hold up, and hands them to the logger on its own."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._texts: queue.Queue[tuple[int, str, str] | None] = queue.Queue(WAITING)
        self._dropped = 0
        self._lock = threading.Lock()
        self._callback = log_callback(self._heard)
        self._thread = threading.Thread(target=self._run, name="jmeet-log", daemon=True)
        self._thread.start()

    def start(self, level: int) -> None:
        check(lib.jmeet_log_set_callback(level, self._callback, None))

    def stop(self) -> None:
        """The library has another callback, or none: this one does not run any more."""
        self._texts.put(None)
        self._thread.join()

    def _heard(self, level: int, target: Str, text: Str, _: int | None) -> None:
        try:
            self._texts.put_nowait((_LEVELS.get(level, logging.DEBUG), str(target), str(text)))
        except queue.Full:
            with self._lock:
                self._dropped += 1

    def _run(self) -> None:
        while (said := self._texts.get()) is not None:
            level, target, text = said
            self._logger.log(level, "%s: %s", target, text)
            with self._lock:
                dropped, self._dropped = self._dropped, 0
            if dropped:
                self._logger.warning("%d texts of the log were dropped: a handler is slow", dropped)


_log: _Log | None = None
_changing = threading.Lock()


def log_to(logger: logging.Logger | None, level: int = logging.INFO) -> None:
    """Has a logger hear what the library does, up to a level of `logging`, on a thread of its own; for the whole process. None ends it, which
    is how it begins. Above DEBUG nothing names people, rooms, addresses or keys. Not for inside a handler of that logger.
    """
    global _log
    with _changing:
        before, _log = _log, None
        if logger is not None:
            wanted = max((n for n, own in _LEVELS.items() if own >= level), default=1)
            _log = _Log(logger)
            _log.start(wanted)
        elif before is not None:
            check(lib.jmeet_log_set_callback(0, log_callback(), None))
        if before is not None:
            before.stop()


atexit.register(log_to, None)
