"""The access log keeps a line per lookup in memory and writes them when told to."""

import json

from featureserver import access_log
from featureserver.access_log import AccessLog


def noted(log, number=0):
    log.note(1380628800.5, b"r-%d" % number, "shop", "drivers", 200, 2, 340, 0.000123)


def test_a_line_tells_of_its_request_and_no_values(tmp_path):
    log = AccessLog(tmp_path / "access.jsonl")
    noted(log)
    assert not (tmp_path / "access.jsonl").exists()
    log.flush()
    (line,) = (tmp_path / "access.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "at": "2013-10-01T12:00:00.500Z",
        "request_id": "r-0",
        "caller": "shop",
        "service": "drivers",
        "status": 200,
        "rows": 2,
        "bytes": 340,
        "seconds": 0.000123,
    }


def test_flushing_adds_to_what_is_there_and_nothing_twice(tmp_path):
    first, second = AccessLog(tmp_path / "a"), AccessLog(tmp_path / "a")
    for log in (first, second, first):
        noted(log)
        log.flush()
        log.flush()
    assert len((tmp_path / "a").read_text().splitlines()) == 3


def test_what_comes_too_fast_is_counted_instead_of_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(access_log, "MOST_LINES", 3)
    log = AccessLog(tmp_path / "a")
    for number in range(5):
        noted(log, number)
    log.flush()
    *kept, last = map(json.loads, (tmp_path / "a").read_text().splitlines())
    assert [one["request_id"] for one in kept] == ["r-0", "r-1", "r-2"]
    assert last == {"dropped": 2}


def test_lines_may_go_to_stderr(capfdbinary):
    log = AccessLog("-")
    noted(log)
    log.flush()
    assert json.loads(capfdbinary.readouterr().err)["service"] == "drivers"
