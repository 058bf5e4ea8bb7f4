"""What the tests of the app share."""

import pytest

from explorer import visitors


@pytest.fixture(autouse=True)
def _visitor_at_this_computer(monkeypatch):
    """AppTest has no connection."""
    monkeypatch.setattr(visitors, "connection", visitors.Connection)
