"""Statuses, stages, and the one exception of this package."""
from __future__ import annotations

import ctypes
from enum import IntEnum

from . import _abi
from ._abi import lib


class _Open(IntEnum):
    """Numbers that newer libraries may add are members named UNKNOWN, not failures."""

    @classmethod
    def _missing_(cls, value: object) -> _Open | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_, member._value_ = "UNKNOWN", value
        return member


class Status(_Open):
    """What a call, a request or a meeting came to: the `jmeet_status` of the C header, which explains each."""

    OK = 0
    NULL = 1
    INVALID_HANDLE = 2
    GONE = 3
    INVALID_ARGUMENT = 4
    INVALID_UTF8 = 5
    STATE = 6
    BUSY = 7
    IN_USE = 8
    UNSUPPORTED = 9
    WRONG_EVENT = 10
    TIMEOUT = 11
    CLOSED = 12
    FORKED = 13
    PANIC = 14
    RESOURCES = 15
    TOO_LARGE = 16
    NO_SUCH_PARTICIPANT = 17
    OPTIONS = 18
    NO_SUCH_TRACK = 19
    RESOLVE = 100
    CONNECT = 101
    TLS = 102
    TLS_UNTRUSTED = 103
    TLS_HOSTNAME = 104
    UPGRADE = 105
    INSECURE = 106
    STREAM = 200
    HOST_UNKNOWN = 201
    PROTOCOL = 202
    DISCONNECTED = 203
    REPLACED = 204
    SERVER_TIMEOUT = 205
    AUTH = 300
    CREDENTIALS_REQUIRED = 301
    NO_MECHANISM = 302
    SERVER_PROOF = 303
    BIND = 304
    CONFERENCE_REQUEST = 400
    AUTHENTICATION_REQUIRED = 401
    RESERVATION = 402
    REDIRECTED = 403
    NOT_LIVE = 404
    JOIN = 500
    ROOM_PASSWORD = 501
    NOT_ALLOWED = 502
    ROOM_FULL = 503
    MEMBERS_ONLY = 504
    DISPLAY_NAME_REQUIRED = 505
    ROOM_DOES_NOT_EXIST = 506
    NICKNAME_CONFLICT = 507
    KICKED = 510
    DESTROYED = 511
    REMOVED = 512
    REQUEST = 600
    REQUEST_TIMEOUT = 601
    CANCELLED = 602
    ICE = 700
    DTLS = 701
    CODEC = 702
    FULL = 703
    MUTED = 704
    NOT_READY = 705
    NOT_BUILT = 706


class Stage(_Open):
    """Where on the way into, through, or out of a meeting something happened."""

    NONE = 0
    RESOLVE = 1
    CONNECT = 2
    TLS = 3
    UPGRADE = 4
    STREAM = 5
    AUTH = 6
    BIND = 7
    CONFERENCE_REQUEST = 8
    JOIN = 9
    JOINED = 10
    MEDIA = 11
    LEAVE = 12


class Error(Exception):
    """A call, a request or a meeting failed."""

    def __init__(self, code: Status, stage: Stage = Stage.NONE, condition: str = "", text: str = "") -> None:
        super().__init__(code, stage, condition, text)
        self.code = code
        self.stage = stage
        #: The protocol's own name for it, such as "not-authorized"; may be empty.
        self.condition = condition
        #: A sentence for people; may be empty.
        self.text = text

    def __str__(self) -> str:
        where = f" while in stage {self.stage.name.lower()}" if self.stage else ""
        why = ": ".join(part for part in (self.condition, self.text) if part)
        return f"{self.code.name}{where}{': ' + why if why else ''}"


def from_info(info: _abi.ErrorInfo) -> Error:
    return Error(Status(info.status), Stage(info.stage), str(info.condition), str(info.text))


def check(status: int, error: ctypes.c_void_p | None = None) -> None:
    """Raises what a call answered; `error` is what it filled, freed here."""
    if status == 0:
        return
    if error:
        info = _abi.ErrorInfo()
        try:
            if lib.jmeet_error_get(error, ctypes.byref(info)) == 0:
                raise from_info(info)
        finally:
            lib.jmeet_error_free(error)
    raise Error(Status(status))
