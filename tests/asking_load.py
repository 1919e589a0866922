"""Clients that ask a model server for predictions, and keep account of each request."""

import select
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec
import numpy as np

from serving.wire import Address, Connection, encode_request
from tests.model_room import COLUMNS, flights

PATH = "/v2/models/delay/infer"
TOLERANCE = 1e-6  # the gate's
_PAUSE_SECONDS = 0.004
_ANSWER_SECONDS = 60.0  # on a machine that is busy with other things
_AWAY_SECONDS = 0.05


@dataclass
class Account:
    """What became of each request by its id: `answered`, `refused 503` and the like, or `closed`.

    `wrong` says which answers were another's, of other values, or came twice.
    """

    fate: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.fate.values())

    @property
    def answered(self) -> set[str]:
        return {name for name, fate in self.fate.items() if fate == "answered"}


class Clients:
    """A thread for each address, each asking one row after the other until the block ends.

    Ids are `<run>-<client>-<turn>`, so that no two requests ever share one; the row asked about is
    the turn's, so that an answer to another request shows.
    """

    def __init__(self, addresses: list[Address], expected: Any, run: str) -> None:
        self._expected, self._run = expected, run
        self._stop = threading.Event()
        self.account = Account()
        self._threads = [
            threading.Thread(target=self._ask_on, args=(address, place), daemon=True)
            for place, address in enumerate(addresses)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * _ANSWER_SECONDS)
        assert not any(thread.is_alive() for thread in self._threads), "a request hangs"

    def _ask_on(self, address: Address, place: int) -> None:
        turn = 0
        while not self._stop.is_set():
            try:
                with Connection(address, _ANSWER_SECONDS) as link:
                    while not self._stop.is_set():
                        turn += 1
                        self._ask(link, f"{self._run}-{place}-{turn}", turn)
            except OSError:
                time.sleep(_AWAY_SECONDS)

    def _ask(self, link: Connection, name: str, turn: int) -> None:
        row = turn % len(self._expected)
        self.account.fate[name] = "closed"  # until we know better
        reply = link.send(request(name, row))
        if reply.status != 200:
            assert msgspec.json.decode(reply.body)["error"]
            self.account.fate[name] = f"refused {reply.status}"
            return
        told = msgspec.json.decode(reply.body)
        self.account.fate[name] = "answered"
        (value,) = told["outputs"][0]["data"]
        if told["id"] != name or abs(value - self._expected[row]) > TOLERANCE:
            self.account.wrong.append(f"{name} row {row}: {told['id']} {value}")
        if has_more(link):
            self.account.wrong.append(f"{name} was answered twice")
        time.sleep(_PAUSE_SECONDS)


def has_more(link: Connection) -> bool:
    """Whether bytes came behind an answer."""
    readable, _, _ = select.select([link._socket], [], [], 0)
    return bool(readable) and bool(link._socket.recv(1, socket.MSG_PEEK))


def request(name: str, row: int) -> bytes:
    """The HTTP request for one row of `flights`, its prediction id `name`."""
    values = np.nan_to_num(flights().rows[row]).tolist()
    inputs = [
        {"name": column, "datatype": "FP64", "shape": [1], "data": [value]}
        for column, value in zip(COLUMNS, values, strict=True)
    ]
    return encode_request("POST", PATH, msgspec.json.encode({"id": name, "inputs": inputs}))
