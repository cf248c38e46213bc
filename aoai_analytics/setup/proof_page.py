"""A proof as one HTML page, without anything from elsewhere."""

from __future__ import annotations

import html

from .proving import Part, Proof

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #ddd }
.scroll { overflow-x: auto } .bad { color: #a4262c; font-weight: 600 }
"""


def page(proof: Proof) -> str:
    """The whole page; everything in it is escaped."""
    title = "Everything agrees" if not proof.failed else differing(proof)
    parts = "".join(map(_part, proof.parts))
    about = f"Run on {proof.started:%Y-%m-%d %H:%M} UTC against {html.escape(proof.place)}."
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Proof: {title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style>'
        f"<main><h1>{title}</h1><p>{about} Calls went through OpenAI's library, those for Claude directly; what "
        f"clients were told of each call is compared with the logs.</p>{parts}</main></html>\n"
    )


def differing(proof: Proof) -> str:
    """How much differs, in words: ``1 difference or failure``."""
    return "1 difference or failure" if proof.failed == 1 else f"{proof.failed:,} differences or failures"


def _part(part: Part) -> str:
    heads = "".join(f"<th>{html.escape(each)}</th>" for each in part.headings)
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n" for row in part.rows)
    state = f'<span class="bad">{part.failed:,} of {len(part.rows):,} failed</span>' if part.failed else "good"
    table = f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    return f"<h2>{html.escape(part.title)}: {state}</h2>{table}\n"
