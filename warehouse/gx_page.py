"""A report as the page that Great Expectations makes of its own results. Knows GX; reads no data.

The page loads its styles and scripts in the reader's browser, from where GX keeps them.
"""

import json
import warnings
from datetime import datetime
from typing import Any

from registry.kernel.clock import format_instant
from warehouse.gx import engine_name, great_expectations
from warehouse.quality_report import QualityReport, QualityResult


def gx_page(suite: str, run: str, report: QualityReport, at: datetime) -> str:
    """The HTML page of what was expected of `suite` in the run of that name and instant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        great_expectations()
        from great_expectations.render.renderer import ValidationResultsPageRenderer
        from great_expectations.render.view import DefaultJinjaPageView

        document = ValidationResultsPageRenderer().render(_validation(suite, run, report, at))
        return str(DefaultJinjaPageView().render(document))


def _validation(suite: str, run: str, report: QualityReport, at: datetime) -> Any:
    from great_expectations.core import ExpectationSuiteValidationResult

    total, failed = len(report.results), len(report.failures)
    return ExpectationSuiteValidationResult(
        success=report.success,
        suite_name=suite,
        results=[_outcome(one, report.rows_checked) for one in report.results],
        statistics={
            "evaluated_expectations": total,
            "successful_expectations": total - failed,
            "unsuccessful_expectations": failed,
            "success_percent": 100 * (total - failed) / total if total else None,
        },
        meta={
            "great_expectations_version": engine_name().split()[-1],
            "run_id": {"run_name": run, "run_time": format_instant(at)},
        },
    )


def _outcome(result: QualityResult, rows: int) -> Any:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    arguments = json.loads(result.arguments or "{}")
    return ExpectationValidationResult(
        success=result.success,
        expectation_config=ExpectationConfiguration(type=result.kind, kwargs=arguments),
        result=_seen(result, rows),
        exception_info={
            "raised_exception": bool(result.error),
            "exception_message": result.error,
            "exception_traceback": "",
        },
        meta={},
    )


def _seen(result: QualityResult, rows: int) -> dict[str, Any]:
    """As GX has it: of single values counts and examples, of everything else what was observed."""
    observed = json.loads(result.observed) if result.observed else None
    counts = {
        "element_count": rows,
        "unexpected_count": result.unexpected,
        "unexpected_percent": 100 * result.unexpected_share,
    }
    if result.unexpected:
        return {**counts, "partial_unexpected_list": observed if isinstance(observed, list) else []}
    return {"observed_value": observed} if observed else counts
