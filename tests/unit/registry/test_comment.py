from dataclasses import replace

from registry.core.apply import apply_plan
from registry.core.changes import Change, Plan
from registry.core.findings import Finding
from registry.core.planning import plan
from registry.core.policy import Approval, Lack, Need
from registry.core.pull_requests import Ignored
from registry.core.readers import Reader
from registry.core.state import NamespaceState
from registry.core.value_diff import ValueDiff, ValuePair
from registry.reports.comment import MARKER, Comment, comment_markdown
from registry.reports.markup import code, plain
from registry.reports.sentences import differing_parts, sentences
from registry.testing import NOON
from tests.definitions import QUERY, compiled, feature, service, sql_source, view

EMPTY = NamespaceState("flights")
FIRST = compiled(view(), services=(service("delays:mean_delay"),))
HELD = apply_plan(plan(FIRST, EMPTY, {}), FIRST, EMPTY, NOON)
CHANGED = compiled(
    view(
        feature("mean_delay", version=2),
        feature("worst_delay"),
        source=sql_source(QUERY.replace("avg(delay)", "median(delay)")),
    ),
    services=(service("delays:mean_delay"),),
)
MODEL = Reader("model", "delay@3", "grace")
PLAN = plan(CHANGED, HELD, {"delays:mean_delay@1": (MODEL,)})
MEANT = Need("meaning", "owner ops@example.com", 1, ("olga",), ("delays:mean_delay",))
DIFF = ValueDiff(
    "delays:mean_delay", 10, 5, 0, 1, 0.4, (("0", 5, 0), ("1", 5, 10)),
    (ValuePair("UA", NOON, "1", "2"),),
)  # fmt: skip
COMMENT = Comment("c0ffee" * 6, PLAN, lacks=(Lack(MEANT, 1),), values=(DIFF,))


def test_the_comment_begins_with_its_marker() -> None:
    assert comment_markdown(COMMENT).splitlines()[0] == MARKER


def test_what_changes_is_said_in_a_sentence() -> None:
    (said,) = sentences(PLAN)
    assert said.startswith("`delays:mean_delay` means something else from version 2: expression ")
    assert "who reads the version before keeps it" in said


def test_who_is_affected_is_named_with_its_owner_and_what_shifts_most() -> None:
    text = comment_markdown(COMMENT)
    reads = "- model delay@3 (`grace`) reads `delays:mean_delay`; its values shift by 0.40 of 1"
    assert reads in text


def test_what_is_missing_is_said_before_it_can_merge() -> None:
    text = comment_markdown(COMMENT)
    assert "### Features: consent is missing" in text
    assert "- [ ] an approval of `olga`, as owner ops@example.com" in text


def test_with_every_approval_it_is_ready() -> None:
    given = Approval("olga", frozenset(), False, NOON)
    text = comment_markdown(replace(COMMENT, lacks=(), approvals=(given,)))
    assert "### Features: ready to merge" in text
    assert "- [x] approved by `olga`" in text


def test_a_review_that_does_not_count_is_explained() -> None:
    text = comment_markdown(replace(COMMENT, ignored=(Ignored("ada-l", "it is the author's own"),)))
    assert "a review of `ada-l` does not count: it is the author's own" in text


def test_errors_refuse_and_warnings_are_folded() -> None:
    error = Finding("unit-missing", "cosmetic", "error", "no unit", "delays:mean_delay")
    warning = replace(error, severity="warning", message="looks odd")
    text = comment_markdown(replace(COMMENT, findings=(error, warning)))
    top, _, folded = text.partition("<details>")
    assert "refused as they stand" in top
    assert "no unit" in top
    assert "looks odd" in folded
    assert "looks odd" not in top


def test_values_are_shown_side_by_side_and_folded() -> None:
    _, _, folded = comment_markdown(COMMENT).partition("<details>")
    assert "5 of 10 values change (50%), shift 0.40, nulls 0 → 1" in folded
    assert "    before 0 ██ 1\n    after  0  █ 1" in folded
    assert "| UA | 2013-10-01T12:00:00Z | 1 | 2 |" in folded


def test_unloadable_definitions_say_so() -> None:
    finding = Finding("definition-raises", "serving", "error", "boom", "a.py")
    text = comment_markdown(Comment("c0ffee", None, (finding,)))
    assert "these definitions do not load" in text
    assert "boom" in text


def test_a_large_plan_stays_short_at_the_top() -> None:
    changes = tuple(
        Change("remove", "feature", f"v{n}:x@1", "state", version=1) for n in range(500)
    )
    text = comment_markdown(Comment("c0ffee", Plan("flights", changes)))
    top, _, _ = text.partition("<details>")
    assert "and 492 more, below" in top
    assert len(text) < 65536  # the most that GitHub takes


def test_what_definitions_say_does_not_become_markup_or_a_mention() -> None:
    evil = "<img src=x> [x](http://e.vil) @grace-h `x` </details> | # *b*"
    shown = plain(evil)
    assert "<" not in shown.replace("\\<", "")
    assert "@grace" not in shown
    assert "http://" not in shown
    assert code("a`b\n</details>") == "`a'b </details>`"


def test_long_expressions_show_what_differs() -> None:
    words = " ".join(f"w{n}" for n in range(60))
    before, after = f"{words} 15 {words}", f"{words} 30 {words}"
    assert differing_parts(before, after) == ("… w58 w59 15 w0 w1 …", "… w58 w59 30 w0 w1 …")
    assert differing_parts("a", "b") == ("a", "b")
