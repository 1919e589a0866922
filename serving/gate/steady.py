"""Is the answer a function of the rows alone? Asked later, and in another process. Pure."""

from collections.abc import Mapping

from serving.gate.policy import GatePolicy
from serving.gate.proper import QUESTION, distance, identical
from serving.gate.report import Check
from serving.tensors import Array

Answers = Mapping[str, Array]
# What a model could read of where it runs, each unlike what the first process was given.
ELSEWHERE = {
    "TZ": "Pacific/Chatham",
    "LANG": "C",
    "LC_ALL": "C",
    "HOSTNAME": "elsewhere",
    "USER": "somebody",
    "PYTHONHASHSEED": "20130101",
}


def check_later(first: Answers, later: Answers, seconds: float, requests: int) -> Check:
    """The same rows give the same bits after all the requests in between."""
    same = all(identical(first[name], later[name]) for name in first)
    after = f"after {requests} requests and {seconds:.1f} s"
    message = f"the same {after}" if same else f"other answers {after}"
    numbers = {"seconds": round(seconds, 3), "requests": requests}
    return Check("proper.later", QUESTION, same, message, numbers)


def check_elsewhere(first: Answers, elsewhere: Answers, policy: GatePolicy) -> Check:
    """Another process, with another time zone, host name, user and hash seed, answers the same."""
    worst = max(distance(elsewhere[name], first[name]) for name in first)
    message = f"another process, in another environment; the largest difference is {worst:.3g}"
    numbers = {"worst": worst, "environment": dict(ELSEWHERE)}
    return Check("proper.elsewhere", QUESTION, worst <= policy.tolerance, message, numbers)
