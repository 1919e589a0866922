"""schemathesis reads our OpenAPI document and finds no answer that it does not allow."""

import pytest

from bench.conformance.openapi import examine


@pytest.mark.slow
def test_requests_made_from_the_document_find_nothing() -> None:
    assert examine(examples=20) == 0
