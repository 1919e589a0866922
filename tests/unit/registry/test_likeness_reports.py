"""A look-alike in every report: the other feature, the evidence, examples, and what to answer."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from registry.adapters.forge import read_reviews
from registry.core.changes import Plan
from registry.core.findings import Finding
from registry.core.pull_requests import Account, Review, answers_in
from registry.core.questions import ASK, settled
from registry.core.similarity.families import Member, families
from registry.core.similarity.kinship import Kin, Pair, kinships
from registry.core.similarity.likeness import Answer, Example, Likeness
from registry.reports.comment import Comment, comment_markdown
from registry.reports.kinship import kin_text
from registry.reports.likeness import answer_line, cut
from registry.reports.markdown import report_markdown
from registry.reports.sarif import sarif
from registry.reports.text import findings_text, standing_text
from registry.testing import NOON
from tests.forge import review

EXAMPLES = (
    Example("UA", NOON, "2", "100", agrees=False),
    Example("DL", NOON, "1.5", "90"),
)
NEAR = Likeness(
    "shop/copy:hours", "shop/base:minutes@1", ("k1", "k2"), "near-duplicate",
    "hours = minutes / 60, for 900 of 901 (key, time) pairs. Compared: 901 pairs.",
    headline="shop/copy:hours is nearly shop/base:minutes@1 (production, owner ops)",
    owner="ops", state="production", description="how late", unit="minute",
    readers=("service late", "model delay@3"), examples=EXAMPLES,
)  # fmt: skip
ASKED = Finding(
    "near-duplicate", "meaning", "warning", f"{NEAR.headline}: hours = minutes / 60", "copy:hours",
    hint=ASK, likeness=NEAR,
)  # fmt: skip
SAID = Answer("variant", "both are wanted", "bob", NOON, NEAR.feature, NEAR.other, NEAR.keys)
SETTLED = settled(ASKED, SAID, "warning")
COMMAND = "fieldhouse duplicates answer shop/copy:hours shop/base:minutes@1"
PLAN = Plan("shop", ())
EVIL = replace(
    NEAR, description="<img src=x> @all | \x1b[31m", evidence="</details> # x",
    examples=(Example("<b>|", NOON, "`x`", "[a](http://e.vil)\x07"),),
)  # fmt: skip


def test_a_terminal_shows_all_that_it_takes_to_decide() -> None:
    text = findings_text([ASKED])
    assert "hours = minutes / 60, for 900 of 901" in text
    assert "“how late”, in minute; read by service late, model delay@3" in text
    assert "UA   2013-10-01T12:00:00Z  2           100             does not fit" in text
    assert COMMAND in text
    assert text.count("shop/copy:hours is nearly") == 1


def test_an_answered_question_is_a_notice_that_says_who() -> None:
    text = findings_text([SETTLED])
    assert text.startswith("· notice [near-duplicate]")
    assert "answered   variant, both are wanted (bob, 2013-10-01)" in text
    assert COMMAND not in text


def test_a_comment_asks_on_top_and_folds_the_evidence() -> None:
    text = comment_markdown(Comment("c0ffee", PLAN, (ASKED,)))
    top, _, folded = text.partition("<details>")
    assert "- [ ] an answer, by a reviewer: shop/copy:hours is nearly shop/base:minutes@1" in top
    assert "| UA | 2013-10-01T12:00:00Z | 2 | 100 | does not fit |" in folded
    assert f"    {answer_line(NEAR)}" in folded
    assert "901 pairs" not in top


def test_a_comment_says_what_was_answered() -> None:
    text = comment_markdown(Comment("c0ffee", PLAN, (SETTLED,)))
    assert "- [ ]" not in text
    assert "Answered: variant, both are wanted (bob, 2013-10-01)" in text


def test_sarif_and_markdown_carry_the_evidence() -> None:
    (result,) = sarif([ASKED], "feature_repo")["runs"][0]["results"]
    assert "901 pairs" in result["message"]["text"]
    assert COMMAND in result["message"]["text"]
    assert "| DL | 2013-10-01T12:00:00Z | 1.5 | 90 |" in report_markdown(PLAN, [ASKED])


def test_a_proposal_lists_its_open_questions() -> None:
    text = standing_text("checked", 1, (), (NEAR,))
    assert "questions open: 1" in text
    assert "what is shop/copy:hours to shop/base:minutes@1 (production)?" in text


def test_what_data_and_definitions_say_becomes_neither_markup_nor_a_mention() -> None:
    evil = replace(ASKED, likeness=EVIL)
    text = comment_markdown(Comment("c0ffee", PLAN, (evil,))).replace("\\<", "")
    assert "<img" not in text
    assert "http://" not in text
    assert "@all" not in text
    assert text.count("</details>") == text.count("<details>")
    assert "\x1b" not in findings_text([evil])


def test_a_megabyte_is_cut() -> None:
    long = replace(NEAR, evidence="x" * 1_000_000, description="y" * 1_000_000)
    finding = replace(ASKED, likeness=long)
    assert len(findings_text([finding])) < 4000
    assert len(comment_markdown(Comment("c0ffee", PLAN, (finding,)))) < 6000
    assert cut("a\n b", 10) == "a b"


@pytest.mark.parametrize(
    ("line", "kind", "why"),
    [
        ("/fieldhouse answer a:x b:y distinct because another tax", "distinct", "another tax"),
        ("  /fieldhouse answer a:x b:y REUSE it is the same ", "reuse", "it is the same"),
    ],
)
def test_a_line_of_a_review_is_an_answer(line: str, kind: str, why: str) -> None:
    given = Review(1, Account("bob"), "APPROVED", "", "", "", f"Fine.\n{line}\nThanks")
    assert list(answers_in(given)) == [("a:x", "b:y", kind, why)]


@pytest.mark.parametrize(
    "line",
    [
        "/fieldhouse answer a:x b:y distinct",
        "/fieldhouse answer a:x b:y maybe because",
        "> /fieldhouse answer a:x b:y distinct because quoted",
        "/fieldhouse answer " + "x" * 1_000_000,
    ],
    ids=["no reason", "no answer", "quoted", "a megabyte"],
)
def test_other_lines_are_none(line: str) -> None:
    assert list(answers_in(Review(1, Account("bob"), "APPROVED", "", "", "", line))) == []


def test_the_words_of_a_review_are_read_as_the_forge_sends_them(tmp_path: Path) -> None:
    sent = [review("bob", "a" * 40, body="hello"), {**review("eve", "a" * 40), "body": None}]
    (tmp_path / "reviews.json").write_text(json.dumps(sent))
    assert [r.body for r in read_reviews(tmp_path / "reviews.json")] == ["hello", ""]


def member(ref: str, key: str, state: str = "production") -> Member:
    return Member(ref, key, "ada", state, "id int64", "")


def test_families_join_ties_of_every_kind_under_who_is_in_production() -> None:
    members = {m.ref: m for m in (member("s/a:x", "1", "draft"), member("s/b:y", "2"),
                                  member("s/c:z", "3"), member("s/d:w", "4"))}  # fmt: skip
    pairs = [
        Pair("s/a:x", "s/b:y", "near-duplicate", "a = b / 60"),
        Pair("s/b:y", "s/c:z", "duplicate", "values equal"),
    ]
    (kin,) = kinships(members, [], pairs, {("2", "3"): SAID})
    assert [m.ref for m in kin.members] == ["s/b:y", "s/c:z", "s/a:x"]
    assert [(t.verdict, t.answer) for t in kin.ties] == [
        ("duplicate", SAID),
        ("near-duplicate", None),
    ]
    assert kin.open


def test_a_familys_text_marks_each_tie_and_says_how_to_answer() -> None:
    shaped = families([replace(member("s/a:x", "1"), expression="a"),
                       replace(member("s/b:y", "1"), expression="a")])  # fmt: skip
    members = {m.ref: m for m in shaped[0].members}
    found: list[Kin] = kinships(members, shaped, [], {})
    text = kin_text(found)
    assert "  = s/b:y  production, ada\n      duplicate: computed alike" in text
    assert "→ fieldhouse duplicates answer s/b:y s/a:x" in text
    assert kin_text([]) == ""
