"""Decisions about models: approve, reject, release, take back, let retrained ones pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from registry.kernel.errors import Corrupt, NotFound, Refused
from registry.ports import ModelRecord, Principal
from serving import settings as names
from serving.room import Room

if TYPE_CHECKING:
    from serving.approval import Desk
    from serving.gate.report import GateReport
    from serving.history import LiveModel
    from serving.retraining import Rails, Retrained


class Deciding(Room):
    """Who may do what with a gated version. Every act checks the bundle and its report anew.

    What is refused is an event of the audit chain too: who tried, what, and why it was not let
    through.
    """

    @contextmanager
    def _audited(self, what: str, name: str, version: str, by: Principal) -> Iterator[None]:
        try:
            yield
        except (Refused, Corrupt) as refused:
            action = f"model:{what}:refused"
            self.registry.models.note(name, version, by.subject, action, str(refused))
            raise

    @property
    def desk(self) -> "Desk":
        """What decisions are made with, at this moment."""
        from serving.approval import Desk

        return Desk(
            models=self.registry.models,
            key=self.signing_key,
            trusted=self.trusted,
            now=self.clock(),
            needs=self.approvers,
            valid_days=int(self.settings.get(names.APPROVAL_DAYS)),
        )

    @property
    def approvers(self) -> tuple[str, ...]:
        """The roles that must each approve a model."""
        return tuple(self.settings.get(names.APPROVERS))

    def report(self, name: str, version: str | None = None) -> "GateReport":
        """The newest gate report of a version, verified. Raises `Refused`, `Corrupt`."""
        from serving.reports import read_report

        return read_report(self, self.registry.models.get(name, version))

    def approve(
        self, name: str, version: str, by: Principal, comment: str, role: str | None = None
    ) -> ModelRecord:
        """Give one role's word on a gated version. Raises `Forbidden`, `Refused`, `Corrupt`."""
        from serving.approval import approve_model

        with self._audited("approval", name, version, by):
            record = self._gated(name, version)
            report = self.report(name, record.version)
            return approve_model(record, report, by, comment, self.desk, role)

    def _gated(self, name: str, version: str) -> ModelRecord:
        """The record of a version that may be approved, its bundle verified."""
        from serving.approval import check_gated

        record = self.registry.models.get(name, version)
        self.bundle(name, record.version)
        check_gated(record)
        return record

    def reject(self, name: str, version: str, by: Principal, reason: str) -> ModelRecord:
        """Reject a version for good."""
        from serving.approval import reject_model

        record = self.registry.models.get(name, version)
        with self._audited("rejection", name, record.version, by):
            return reject_model(record, by, reason, models=self.registry.models)

    def promote(self, name: str, version: str, by: Principal) -> ModelRecord:
        """Make an approved version the champion. Raises as `serving.release.promote_model`."""
        from serving.release import promote_model

        with self._audited("promotion", name, version, by):
            self.bundle(name, version)
            return promote_model(name, version, by, self.desk)

    def rollback(self, name: str, by: Principal, reason: str) -> ModelRecord:
        """Swap back to the version before. Raises as `serving.release.rollback_model`."""
        from serving.release import rollback_model

        champion = self.registry.models.champion(name)
        with self._audited("rollback", name, champion.version if champion else "none", by):
            return rollback_model(name, by, reason, self.desk)

    def allow_retraining(
        self, name: str, rails: "Rails", by: Principal, comment: str, role: str | None = None
    ) -> ModelRecord:
        """Give one role's word that retrained versions of the champion may pass within rails."""
        from serving.retraining import declare

        champion = self._champion(name)
        with self._audited("retraining", name, champion.version, by):
            return declare(champion, rails, by, comment, self.desk, role)

    def approve_retrained(self, name: str, version: str, by: Principal) -> ModelRecord:
        """Approve a gated version by the policy on its base. Raises `Refused` with every reason."""
        from serving.retraining import approve_retrained

        with self._audited("approval", name, version, by):
            return approve_retrained(self._retrained(name, version), by, self.desk)

    def _retrained(self, name: str, version: str) -> "Retrained":
        from serving.retraining import BASE, Retrained

        record = self._gated(name, version)
        champion = self._champion(name)
        base = self.registry.models.get(name, champion.facts.get(BASE) or champion.version)
        earlier = [
            one for one in self.registry.models.all(name) if one.facts.get(BASE) == base.version
        ]
        return Retrained(
            record,
            self.bundle(name, record.version).manifest,
            self.report(name, record.version),
            base,
            self.bundle(name, base.version).manifest,
            self.report(name, base.version),
            len(earlier),
            champion,
        )

    def _champion(self, name: str) -> ModelRecord:
        champion = self.registry.models.champion(name)
        if champion is None:
            raise NotFound("champion of model", name)
        return champion

    def live(self, name: str, at: datetime | None = None) -> "LiveModel | None":
        """Which version answered at `at` (aware; default now), by whose word, on what evidence."""
        from serving.history import live_at

        return live_at(self.registry.models.history(name), at or self.clock())
