"""A block in a notebook: the parts that Jupyter shows, and the block itself for the page."""

from __future__ import annotations

from typing import Any

from .blocks import MIME, Answer, Block, as_json

PLOTLY = "application/vnd.plotly.v1+json"
#: In the metadata of outputs that a page need not render, as the block says the same.
SHOWN_BY_BLOCK = {"aoai_analytics": {"shown_by": "block"}}


def bundles(block: Block) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The outputs of a block, each as (data by media type, metadata); the first one carries the block."""
    from ..charts import CONFIG, templates
    from .rendering import answer_bottom, notebook_top, plain_text

    outputs: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"text/plain": plain_text(block), "text/html": notebook_top(block), MIME: as_json(block)}, {})
    ]
    if isinstance(block, Answer):
        if block.figure:
            layout = block.figure["layout"] | {"template": templates()["light"]}
            drawn = {"data": block.figure["data"], "layout": layout, "config": CONFIG}
            outputs.append(({"text/plain": block.alt, PLOTLY: drawn}, SHOWN_BY_BLOCK))
        outputs.append(({"text/plain": f"{block.rows:,} rows", "text/html": answer_bottom(block)}, SHOWN_BY_BLOCK))
    return outputs


def display_block(block: Block) -> None:
    """Show *block* in the notebook that runs; in a plain Python process, print it in words."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import publish_display_data

    if not InteractiveShell.initialized():
        from .rendering import plain_text

        print(plain_text(block))
        return
    for data, metadata in bundles(block):
        publish_display_data(data=data, metadata=metadata)
