"""The workbook's preview hides what may quote a prompt in any of its tiles, not only in those that show prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.export.preview import preview_html
from tests.faults.planting import leaks, plant


@pytest.mark.parametrize("show_prompts", [False, True])
def test_the_preview_hides_texts_in_any_tile(tmp_path: Path, show_prompts: bool) -> None:
    engine = LocalEngine(plant(tmp_path / "lake"), "planted")
    grid = {"visualization": "table", "gridSettings": {"labelSettings": [], "formatters": []}}
    content = {"title": "Errors", "query": "AoaiRequests | project ErrorMessage"} | grid
    tile = {"type": 3, "content": content, "name": "errors reliability/errors"}
    page = preview_html({"items": [tile]}, engine, start=None, end=None, show_prompts=show_prompts)
    engine.close()
    shown = page[page.index("Errors") :][:2_000]
    assert bool(leaks(shown)) is show_prompts and ("[hidden: " in shown) is not show_prompts
