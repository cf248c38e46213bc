"""A block in a notebook: what Jupyter shows, and the block itself for the page."""

from __future__ import annotations

from typing import Any

from .blocks import MIME, PLOTLY, SHOWN_BY_BLOCK, Answer, Block, Overview, as_json
from .html import answer_bottom, notebook_top, plain_text


def bundles(block: Block) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The outputs of a block, each as (data by media type, metadata); the first one carries the block."""
    from ...charts import CONFIG, templates

    outputs: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"text/plain": plain_text(block), "text/html": notebook_top(block), MIME: as_json(block)}, {})
    ]
    if isinstance(block, Answer | Overview) and block.figure:
        layout = block.figure["layout"] | {"template": templates()["light"]}
        drawn = {"data": block.figure["data"], "layout": layout, "config": CONFIG}
        outputs.append(({"text/plain": block.alt, PLOTLY: drawn}, SHOWN_BY_BLOCK))
    if isinstance(block, Answer):
        outputs.append(({"text/plain": f"{block.rows:,} rows", "text/html": answer_bottom(block)}, SHOWN_BY_BLOCK))
    return outputs


def display_block(block: Block) -> None:
    """Show *block* in the running notebook; outside a notebook, print it as text."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import publish_display_data

    if not InteractiveShell.initialized():
        print(plain_text(block))
        return
    for data, metadata in bundles(block):
        publish_display_data(data=data, metadata=metadata)
