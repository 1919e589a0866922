"""`propose`, `approve`, `reject` and `apply`: the way of a change into the registry."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.session import token_option
from registry.kernel.output import Output, plain, with_output
from registry.kernel.settings import Settings

if TYPE_CHECKING:
    from registry.core.definitions import Repository
    from registry.service.propose import Standing


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path), metavar="[FOLDER]")
@click.option("--reason", default="", help="Why, for those who approve.")
@token_option
@with_output
def propose(folder: Path | None, reason: str, token: str | None, out: Output) -> None:
    """Check the definitions and put their plan forward for approval.

    Prints the digest that names exactly these changes. Takes the role author.

    \b
    Example:
      fieldhouse propose --reason "delays by route, for the delay model"
    """
    from registry.cli.session import (
        load_here,
        open_with_warehouse,
        principal_here,
        project_settings,
    )
    from registry.kernel.errors import Refused
    from registry.reports.text import findings_text, standing_text, summary
    from registry.service.check import CheckFailed
    from registry.service.propose import propose as put_forward

    settings = project_settings()
    loaded = load_here(settings, folder)
    if loaded.compiled is None:
        out.say(findings_text(loaded.findings))
        raise Refused("the definitions do not load", loaded.findings[0].message)
    registry = open_with_warehouse(settings)
    principal = principal_here(registry, settings, token, "author")
    try:
        stands = put_forward(registry.context, loaded.compiled, principal, reason)
    except CheckFailed as failed:
        out.say(findings_text(failed.checked.findings))
        raise
    proposal = stands.proposal
    said = standing_text(proposal.status, stands.missing, stands.lacks, stands.questions)
    out.data(
        {**_facts(stands), "plan": plain(proposal.plan)},
        f"{proposal.digest}\n{summary(proposal.plan)}\n{said}",
    )


@click.command()
@click.argument("digest")
@click.option("--comment", default="", help="What you looked at.")
@token_option
@with_output
def approve(digest: str, comment: str, token: str | None, out: Output) -> None:
    """Consent to exactly the changes of one proposal.

    Who proposed it cannot approve it, nor can a bot. `proposals show` says whose approval it takes.

    \b
    Example:
      fieldhouse approve sha256:1f0c… --comment "no model reads the old one"
    """
    from registry.cli.session import open_here, principal_here, project_settings
    from registry.reports.text import standing_text
    from registry.service.propose import approve as consent

    settings = project_settings()
    registry = open_here(settings)
    principal = principal_here(registry, settings, token)
    stands = consent(registry.context, digest, principal, comment)
    out.data(
        _facts(stands),
        standing_text(stands.proposal.status, stands.missing, stands.lacks, stands.questions),
    )


@click.command()
@click.argument("digest")
@click.option("--reason", required=True, help="Why not.")
@token_option
@with_output
def reject(digest: str, reason: str, token: str | None, out: Output) -> None:
    """Close a proposal for good.

    \b
    Example:
      fieldhouse reject sha256:1f0c… --reason "repeats carrier_performance"
    """
    from registry.cli.session import open_here, principal_here, project_settings
    from registry.service.propose import reject as close

    settings = project_settings()
    registry = open_here(settings)
    principal = principal_here(registry, settings, token)
    proposal = close(registry.context, digest, principal, reason)
    out.data({"digest": proposal.digest, "status": proposal.status}, proposal.status)


@click.command()
@click.argument("digest")
@token_option
@with_output
def apply(digest: str, token: str | None, out: Output) -> None:
    """Carry out an approved proposal, all of it or nothing.

    Takes the role operator. Applying the same proposal again changes nothing.

    \b
    Example:
      fieldhouse apply sha256:1f0c…
    """
    from registry.cli.session import (
        compile_here,
        open_with_warehouse,
        principal_here,
        project_settings,
    )
    from registry.service.apply import apply as carry_out

    settings = project_settings()
    registry = open_with_warehouse(settings)
    principal = principal_here(registry, settings, token, "operator")
    with registry.context.store.read() as transaction:
        proposal = transaction.proposal(digest)
    compiled = compile_here(settings, proposal.repository)
    applied = carry_out(registry.context, proposal.digest, compiled, principal)
    _bring_feast_in_step(settings, proposal.repository, out)
    said = "applied" if applied.changed else "had been applied before"
    number = applied.published.number
    facts = {"digest": applied.proposal.digest, "changed": applied.changed, "number": number}
    out.data(facts, f"{said}; the published state is number {number}")


def _bring_feast_in_step(settings: Settings, repository: "Repository", out: Output) -> None:
    """Feast's registry follows ours. When it cannot, that is said, and the next apply mends it."""
    from registry.adapters.feast_sync import sync_feast
    from registry.adapters.feature_store import feature_store_yaml
    from registry.cli.session import load_here
    from registry.settings import FEAST_SYNC, HOME, REPOSITORY

    if not settings.get(FEAST_SYNC):
        return
    loaded = load_here(settings)
    if loaded.compiled is None or loaded.compiled.repository != repository:
        out.say("Feast's registry was left as it is: the working folder holds other definitions")
        return
    folder = settings.path(HOME) / "feast"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "registry.db"
    result = sync_feast(settings.path(REPOSITORY), file, repository.namespace)
    if not result.done:
        out.say(f"Feast's registry is behind: {result.findings[0].message}; apply again to mend it")
        return
    (folder / "feature_store.yaml").write_text(feature_store_yaml(repository.namespace, file))
    out.say(f"Feast's registry holds the same {len(result.views)} views: feast -c {folder} …")


def _facts(stands: "Standing") -> dict[str, object]:
    return {
        "digest": stands.proposal.digest,
        "status": stands.proposal.status,
        "missing_approvals": stands.missing,
        "missing": [str(lack) for lack in stands.lacks],
        "questions": plain(stands.questions),
    }
