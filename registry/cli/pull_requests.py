"""`pr`: what a forge's jobs run for a pull request. Only `definitions` runs what it brings."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.cli.comment import comment
from registry.cli.computed import compute, sample
from registry.cli.session import token_option
from registry.kernel.output import Output, with_output

if TYPE_CHECKING:
    from registry.bootstrap import SqlRegistry
    from registry.core.compiled import Compiled
    from registry.core.pull_requests import Proposed, PullRequest
    from registry.kernel.settings import Settings
    from registry.ports import Principal
    from registry.service.pull_requests import Recorded

_FILE = click.Path(path_type=Path)


@click.group(name="pr")
def pr() -> None:
    """Take a pull request through review: definitions, sample, compute, record, comment, apply."""


pr.add_command(sample)
pr.add_command(compute)
pr.add_command(comment)


@pr.command()
@click.argument("folder", required=False, type=_FILE, metavar="[FOLDER]")
@click.option("--commit", required=True, help="The commit that is checked out.")
@click.option("--out", "file", required=True, type=_FILE, help="Where to write them.")
@with_output
def definitions(folder: Path | None, commit: str, file: Path, out: Output) -> None:
    """Read the definitions of a commit, as data for the jobs that have secrets.

    This runs the pull request's code: give it no secrets. Exits 0 when they do not load, too; the
    findings are in the file.

    \b
    Example:
      fieldhouse pr definitions --commit $GITHUB_SHA --out definitions.json
    """
    from registry.adapters.feast_loader import load_repository
    from registry.adapters.forge import write_proposed
    from registry.cli.session import project_settings
    from registry.core.pull_requests import Proposed
    from registry.settings import HOME, NAMESPACE, REPOSITORY

    settings = project_settings()
    result = load_repository(
        folder or settings.path(REPOSITORY),
        str(settings.get(NAMESPACE)),
        cache=settings.path(HOME) / "cache",
    )
    file.write_text(write_proposed(Proposed(commit, result.repository, result.findings)))
    found = len(result.findings)
    out.data({"commit": commit, "findings": found, "loaded": result.repository is not None})


def _event_options(function: Any) -> Any:
    for option in (
        click.option(
            "--definitions", "definitions_file", required=True, type=_FILE,
            help="What `pr definitions` wrote.",
        ),
        click.option(
            "--event", "event_file", required=True, type=_FILE,
            help="The forge's event, or its API's answer for the pull request.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


@pr.command()
@_event_options
@click.option(
    "--reviews", "reviews_file", required=True, type=_FILE, help="The API's list of its reviews."
)
@click.option(
    "--commits", "commits_file", type=_FILE, help="The API's list of its commits: their authors."
)
@click.option("--pusher", help="The login that pushed the head.")
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit 0 when no approval or answer is missing, 3 when one is, 1 for refused.",
)
@token_option
@with_output
def record(
    definitions_file: Path,
    event_file: Path,
    reviews_file: Path,
    commits_file: Path | None,
    pusher: str | None,
    detailed_exitcode: bool,
    token: str | None,
    out: Output,
) -> None:
    """Propose the head's plan, and take the reviews of the head as approvals.

    Whoever opened the pull request, pushed or committed is a proposer, whose approval never counts.
    Takes the role recorder. Nothing of the pull request is run.

    \b
    Example:
      fieldhouse pr record --event event.json --reviews reviews.json --definitions definitions.json
    """
    from registry.adapters.forge import read_committers, read_reviews
    from registry.cli.session import open_with_warehouse, principal_here, project_settings
    from registry.core.pull_requests import Account, behind
    from registry.service.pull_requests import record as take

    settings = project_settings()
    registry = open_with_warehouse(settings, runs_code=False)
    principal = principal_here(registry, settings, token, "recorder")
    proposed, pull = _read(definitions_file, event_file)
    compiled = _compiled(settings, registry, principal, proposed, pull)
    accounts = [pull.author, *([Account(pusher)] if pusher else [])]
    committers, emails = read_committers(commits_file) if commits_file else ((), ())
    names = behind(registry.context.owners, [*accounts, *committers], emails)
    recorded = take(registry.context, compiled, pull, read_reviews(reviews_file), principal, names)
    if recorded is None:
        out.data({"status": "unchanged"}, "no definition changes")
        return
    out.data(*_told(recorded))
    if detailed_exitcode and not recorded.standing.settled:
        click.get_current_context().exit(3)


def _read(definitions_file: Path, event_file: Path) -> "tuple[Proposed, PullRequest]":
    from registry.adapters.forge import read_proposed, read_pull_request

    return read_proposed(definitions_file), read_pull_request(event_file)


def _compiled(
    settings: "Settings",
    registry: "SqlRegistry",
    principal: "Principal",
    proposed: "Proposed",
    pull: "PullRequest",
) -> "Compiled":
    """The head's definitions, believed and compiled; raises `Refused`."""
    from registry.cli.session import compile_here
    from registry.kernel.errors import Refused
    from registry.service.pull_requests import believe

    repository = believe(
        registry.context, pull, proposed, registry.namespace, _expected(settings), principal
    )
    if repository is None:
        first = proposed.findings[0].message if proposed.findings else "for no reason given"
        raise Refused("the definitions do not load", first)
    return compile_here(settings, repository)


def _expected(settings: "Settings") -> dict[str, str]:
    from registry.settings import FORGE_BASE, FORGE_REPOSITORY

    return {
        "repository": str(settings.get(FORGE_REPOSITORY)),
        "base": str(settings.get(FORGE_BASE)),
    }


def _told(recorded: "Recorded") -> tuple[dict[str, Any], str]:
    from registry.kernel.output import plain
    from registry.reports.text import standing_text

    stands = recorded.standing
    facts = {
        "digest": stands.proposal.digest,
        "status": stands.proposal.status,
        "missing": [str(lack) for lack in stands.lacks],
        "questions": plain(stands.questions),
        "approvals": [a.subject for a in stands.approvals],
        "ignored": plain(recorded.ignored),
    }
    ignored = [f"  not counted: {i.login}: {i.why}" for i in recorded.ignored]
    text = "\n".join(
        [
            stands.proposal.digest,
            standing_text(stands.proposal.status, stands.missing, stands.lacks, stands.questions),
            *ignored,
        ]
    )
    return facts, text


@pr.command()
@click.option(
    "--definitions", "definitions_file", required=True, type=_FILE,
    help="What `pr definitions` wrote for the merged commit.",
)  # fmt: skip
@token_option
@with_output
def apply(definitions_file: Path, token: str | None, out: Output) -> None:
    """Apply what a merge brought, when exactly that plan was proposed and approved.

    Run it in a checkout of the commit before the merge: its policy and owners decide. Takes the
    role operator. A merge that changes no definition is no error.

    \b
    Example:
      fieldhouse pr apply --definitions definitions.json
    """
    from registry.adapters.forge import read_proposed
    from registry.cli.session import (
        compile_here,
        open_with_warehouse,
        principal_here,
        project_settings,
    )
    from registry.kernel.errors import Refused
    from registry.service.pull_requests import merge

    settings = project_settings()
    registry = open_with_warehouse(settings)
    principal = principal_here(registry, settings, token, "operator")
    proposed = read_proposed(definitions_file)
    repository = proposed.repository
    if repository is None or repository.namespace != registry.namespace:
        raise Refused(
            "the merged definitions cannot be applied",
            "they do not load" if repository is None else f"they are {repository.namespace}'s",
        )
    applied = merge(registry.context, compile_here(settings, repository), principal)
    if applied is None:
        out.data({"changed": False}, "no definition changed")
        return
    number = applied.published.number
    facts = {"digest": applied.proposal.digest, "changed": applied.changed, "number": number}
    out.data(facts, f"applied; the published state is number {number}")
