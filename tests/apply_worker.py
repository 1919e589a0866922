"""A program that applies changes to a registry until it is killed: `python apply_worker.py HOME URL
MODE SEED`. Prints a line for each apply that returned.

Mode `loop` goes on for ever. Mode `every` makes one apply for each statement that an apply takes,
each in a child process of its own that kills itself right before that statement, and at the end one
that lives; a line of JSON says what was found after each.
"""

import json
import os
import random
import signal
import sys
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from registry.bootstrap import SqlRegistry, open_registry
from registry.core.compile import compile_repository
from registry.core.compiled import Compiled
from registry.core.publish import publish
from registry.core.state import newest_features
from registry.kernel.errors import Refused
from registry.kernel.settings import Settings
from registry.ports import Principal
from registry.service.apply import apply
from registry.service.propose import approve, propose
from registry.service.verify import verify_audit
from tests.definitions import compiled, facts, feature, service, view

ADA = Principal("ada", frozenset({"author", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))


def opened(home: Path, url: str) -> SqlRegistry:
    table = {"project": {"namespace": "flights"}, "registry": {"url": url}}
    return open_registry(Settings(home, None, table, {}))


def next_change(registry: SqlRegistry, number: int) -> Compiled:
    """A new description each time; every third time a new meaning with its next version."""
    with registry.context.store.read() as transaction:
        newest = newest_features(transaction.state("flights")).get("delays:mean_delay")
    version = newest.version if newest else 1
    ttl = 3600.0 * (1 + version)
    if newest and number % 3 == 0:
        version, ttl = version + 1, ttl + 3600.0
    said = facts(version=version, description=f"how late, {number}")
    mean = feature("mean_delay")
    mean = type(mean)(mean.name, mean.dtype, said)
    worst = type(mean)("worst_delay", mean.dtype, facts(version=version))
    reading = (service("delays:mean_delay"),)
    return compiled(view(mean, worst, ttl_seconds=ttl), services=reading)


def put_forward(registry: SqlRegistry, made: Compiled) -> str:
    digest = propose(registry.context, made, ADA).proposal.digest
    approve(registry.context, digest, BOB)
    return digest


def loop(registry: SqlRegistry, seed: int) -> None:
    chosen = random.Random(seed)
    for _ in count():
        made = next_change(registry, chosen.randrange(10**9))
        try:
            applied = apply(registry.context, put_forward(registry, made), made, ADA)
        except Refused:  # somebody else was first: plan again
            continue
        print(applied.proposal.digest, applied.published.number, flush=True)


def problems(registry: SqlRegistry) -> list[str]:
    """What is not as it must be between two applies; nothing when all is well."""
    found = list(verify_audit(registry.context).problems)
    with registry.context.store.read() as transaction:
        state = transaction.state("flights")
        published = transaction.published("flights")
        events = list(transaction.events())
        landed = [e.event for e in events if e.event.action == "proposal:applied"]
        last = transaction.proposal(landed[-1].subject) if landed else None
        statuses = {e.subject: transaction.proposal(e.subject).status for e in landed}
    if published is None or last is None:
        return [*found, *(["something is there"] if state.number or published else [])]
    if published != publish(state, published.at):
        found.append("the published state is not the state's")
    if state.number != len(landed):
        found.append(f"number {state.number} after {len(landed)} applies")
    if set(statuses.values()) != {"applied"}:
        found.append(f"audited as applied, but: {statuses}")
    wanted = compile_repository(last.repository).features
    held = newest_features(state)
    for ref, made in wanted.items():
        record = held.get(ref)
        if record is None or (record.meaning, record.text) != (made.meaning, made.text):
            found.append(f"{ref} is not what the last applied proposal says")
    return found


def every(home: Path, url: str) -> None:
    """Kill an apply before its first statement, its second, and so on until one lives."""
    for statement in count(1):
        before = opened(home, url)
        made = next_change(before, statement)
        digest = put_forward(before, made)
        number = before.published().number
        before.database.close()
        status = _in_child(lambda: _apply_until(home, url, digest, made, statement))  # noqa: B023
        after = opened(home, url)
        grown = after.published().number - number
        facts = {
            "statement": statement,
            "killed": os.WIFSIGNALED(status),
            "grown": grown,
            "problems": problems(after),
        }
        print(json.dumps(facts), flush=True)
        after.database.close()
        if not facts["killed"]:
            return


def _in_child(work: object) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()  # type: ignore[operator]
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def _apply_until(home: Path, url: str, digest: str, made: Compiled, statement: int) -> None:
    registry = opened(home, url)
    seen = count(1)

    def step(*_: object) -> None:
        if next(seen) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    engine = registry.database._engine
    sa.event.listen(engine, "before_cursor_execute", step)
    sa.event.listen(engine, "commit", step)
    apply(registry.context, digest, made, ADA)


if __name__ == "__main__":
    home, url, mode, seed = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    if mode == "every":
        every(home, url)
    else:
        loop(opened(home, url), seed)
