"""The door of the model room: everything that is done with models, each in a few lines."""

import contextlib
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from registry.kernel.clock import Clock
from registry.kernel.errors import FieldhouseError, Refused
from registry.kernel.settings import Settings
from registry.ports import ModelRecord, Registry
from serving import settings as names
from serving.bundle import MANIFEST, TrainedOn, decode_manifest
from serving.deciding import Deciding
from serving.package import Parts, package_model
from serving.ports import FeatureLookup
from serving.runtimes import find_format
from serving.runtimes.port import import_library
from serving.signature import Output, Signature, signature_of_service
from serving.store import bundle_folder

if TYPE_CHECKING:
    from pathlib import Path

    from serving.deferred import DeferredLookup
    from serving.follow import ModelFollower
    from serving.gate.evidence import Evidence, OfflineSample
    from serving.gate.policy import GatePolicy
    from serving.gate.report import GateReport
    from serving.loaded import Router
    from serving.packing import PackageSpec
    from serving.predict import Predictor
    from serving.rebuild import Rebuilt, Tolerance
    from serving.restore import Restored


class Serving(Deciding):
    """Models from package to prediction. What an act needs is imported when it is first done."""

    def signature(
        self, service: str, outputs: Sequence[Output], columns: Sequence[str] | None = None
    ) -> Signature:
        """The signature of a model over a feature service, pinned as it is published now."""
        return signature_of_service(self.registry.published(), service, outputs, columns)

    def incumbent_signature(self, name: str) -> Signature | None:
        """The champion's signature, None while there is no champion."""
        champion = self.registry.models.champion(name)
        return self.bundle(name, champion.version).manifest.signature if champion else None

    def trained_on(self, training_set: str) -> TrainedOn:
        """What a bundle records of a training set; raises `NotFound`."""
        record = self.registry.datasets.get(training_set)
        return TrainedOn(record.name, record.manifest_digest, tuple(record.features))

    def sample(self, signature: Signature, keys: Mapping[str, Sequence[Any]]) -> "OfflineSample":
        """What the warehouse gives for these lookup keys now, for the gate to compare with."""
        from serving.offline import offline_sample
        from warehouse.bootstrap import open_engine

        engine = open_engine(self.settings)
        return offline_sample(keys, signature, self.registry.published(), engine, self.clock())

    def package(self, parts: Parts, *, actor: str) -> ModelRecord:
        """Package, sign, store and register. Raises as `serving.package.package_model`."""
        return package_model(
            parts,
            actor=actor,
            stores=self.stores,
            models=self.registry.models,
            key=self.signing_key,
            policy=self.policy,
            clock=self.clock,
        )

    def package_spec(self, spec: "PackageSpec", folder: "Path", *, actor: str) -> ModelRecord:
        """Package what a specification names, its files relative to `folder`."""
        from serving.packing import parts_of

        return self.package(parts_of(self, spec, folder), actor=actor)

    def restore(
        self, name: str, version: str | None = None, *, actor: str
    ) -> "tuple[Restored, ...]":
        """Bring bundles and reports back from the backup. Raises as `serving.restore` says."""
        from serving.restore import restore_model

        return restore_model(self, name, version, actor)

    def rebuild(
        self,
        name: str,
        version: str | None = None,
        tolerance: "Tolerance | None" = None,
        *,
        part: str = "test",
        venv: bool = False,
        actor: str,
    ) -> "Rebuilt":
        """Train a version again and compare; the outcome is audited. See `serving.rebuild`."""
        from serving.rebuild import Tolerance, rebuild_model

        record = self.registry.models.get(name, version)
        bundle = self.bundle(name, record.version)
        found = rebuild_model(self, bundle, tolerance or Tolerance(), part=part, venv=venv)
        action = "model:rebuilt" if found.passed else "model:rebuild-failed"
        self.registry.models.save(record, actor, action, "", {"found": found.message})
        return found

    def gate(
        self,
        name: str,
        version: str | None,
        evidence: "Evidence",
        policy: "GatePolicy",
        *,
        actor: str,
    ) -> "GateReport":
        """Run the gate, store its signed report, and move a version that passed to `gated`.

        Raises `NotFound`, `Refused` (already approved, rejected or retired) or `Corrupt`.
        """
        from serving.gate.run import run_gate
        from serving.gate.watch import GateTools

        record = self.registry.models.get(name, version)
        if record.state not in ("packaged", "gated"):
            raise Refused(
                f"model {name} {record.version} is {record.state}", "it cannot be gated again"
            )
        bundle = self.bundle(name, record.version)
        champion = self.registry.models.champion(name)
        incumbent = self.bundle(name, champion.version) if champion else None
        tools = GateTools(
            self.settings,
            self.clock,
            self.registry.published,
            lambda: self.lookup,
            self._lookup is None,
            str(self.settings.get(names.IMAGE)),
        )
        report = run_gate(bundle, incumbent, evidence, policy, actor, tools)
        self.keep_report(record, report, actor)
        return report

    def keep_report(self, record: ModelRecord, report: "GateReport", actor: str) -> ModelRecord:
        """Store a signed report and note what it says in the model book."""
        from serving.reports import keep_report

        return keep_report(self, record, report, actor)

    def predictor(
        self, models: Sequence[tuple[str, str]] | None = None, **placing: bool
    ) -> "Predictor":
        """The predictor over the registry's champions, or over exactly these versions.

        `placing` as in `serving.placement.place_predictor`. Close it when done.
        """
        from serving.placement import place_predictor

        return place_predictor(self, models, **placing)

    def follower(
        self, router: "Router", features: "DeferredLookup | None" = None
    ) -> "ModelFollower":
        """What keeps `router` in step with the model book; `refresh` it, or `start` it."""
        from serving.placement import follower_of

        return follower_of(self, router, features)


def import_runtimes(serving: Serving, models: Sequence[tuple[str, str]]) -> None:
    """Import what these bundles' formats need, so that loading them can be measured alone.

    The manifests are read unverified for their formats' names only; `load` verifies.
    """
    import_module("serving.predict")
    for name, version in models:
        with contextlib.suppress(FieldhouseError):
            raw = serving.stores.primary.read(bundle_folder(name, version), MANIFEST)
            package = find_format(decode_manifest(raw).model.format).package
            import_library(package, serving.policy)


def open_serving(
    settings: Settings,
    registry: Registry | None = None,
    lookup: FeatureLookup | None = None,
    clock: Clock | None = None,
    own_process: bool = False,
) -> Serving:
    """The model room over these settings; what is not passed is opened when first needed.

    `own_process` says that the process is a model server and nothing else.
    """
    return Serving(settings, registry, lookup, clock, own_process)


def open_predictor(
    settings: Settings, registry: Registry | None = None, lookup: FeatureLookup | None = None
) -> "Predictor":
    """The predictor in process: champions of the registry, followed. Close it when done."""
    return open_serving(settings, registry, lookup).predictor()
