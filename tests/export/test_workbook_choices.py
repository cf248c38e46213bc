"""What a reader chooses, clicks or types in the workbook arrives as it was meant, whatever names callers sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.export.embedding import FILTERS
from aoai_analytics.export.preview import preview_html
from aoai_analytics.export.workbook.filling import Chosen, filled
from aoai_analytics.export.workbook.parts import PREFIX
from aoai_analytics.export.workbook.steps import KEY
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from tests.export.conftest import END, START, coded

#: Names as callers send them. One that is a bare * cannot be chosen by itself: it stands for every name
#: (``embedding.ALL``).
AWKWARD = [
    "",
    "plain",
    "it's",
    'say "so"',
    "a,b|c",
    "back\\slash",
    "{TimeRange}",
    "{Apis}",
    "ünïcödé 模型",
    "x\ny",
    "<script>alert(1)</script>",
]


@pytest.fixture(scope="module")
def awkward_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    """Requests whose API, subscription, product, model and user have names as callers may send them: two of each."""
    folder = tmp_path_factory.mktemp("awkward")
    records = []
    for number, name in enumerate(AWKWARD * 2):
        answer = {"model": name or "unnamed", "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}
        properties = {
            "apiId": name,
            "apimSubscriptionId": name,
            "productId": name,
            "userId": name,
            "url": "https://gateway.example/openai/deployments/chat/chat/completions",
            "method": "POST",
            "responseCode": 200,
            "backendResponseCode": 200,
            "backendUrl": "https://account.openai.azure.com/openai",
            "responseBody": json.dumps(answer),
            "requestBody": json.dumps({"messages": [{"role": "user", "content": "hello"}]}),
        }
        records.append(
            {
                "time": f"2026-10-30T10:{number:02}:00Z",
                "category": "GatewayLogs",
                "correlationId": f"{number:08}-0000-0000-0000-000000000000",
                "callerIpAddress": "10.0.0.1",
                "durationMs": 100,
                "isRequestSuccess": True,
                "properties": properties,
            }
        )
    (folder / "logs.json").write_text("\n".join(json.dumps(each) for each in records), encoding="utf-8")
    lake = Lake.create(folder / "lake")
    ingest([folder / "logs.json"], lake)
    recompute(lake)
    engine = LocalEngine.open(folder / "lake")
    yield engine
    engine.close()


def of_requests(kql: str, question: str) -> str:
    """A *question* about the requests with all that stands before a tile's own: a third of the work of a tile."""
    kept = ("let ", f"{{{PREFIX}Choices}}", f"{{{PREFIX}AoaiRequests_Between}}")
    last = kql.index(kept[-1]) + len(kept[-1])
    return "\n".join([*(line for line in kql[:last].splitlines() if line.startswith(kept)), question])


@pytest.mark.parametrize("choice", FILTERS)
def test_a_choice_of_any_name_leaves_the_requests_of_that_name(
    choice: str, awkward_lake: LocalEngine, declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    """The drop-down offers each name under a value that a query can hold, and that value chooses its requests."""
    within = {"start": START, "end": END}
    nothing = Chosen(START, END, stored=True)
    offered = awkward_lake.query(filled(declared[choice]["query"], declared, nothing), **within).frame
    rows = awkward_lake.query(f"AoaiRequests | project Name = {FILTERS[choice]}", **within).frame["Name"]
    assert dict(zip(offered["value"], offered["label"], strict=True)) == {coded(n): n or "(none)" for n in set(rows)}
    names = sorted(set(rows))
    tile = queries["tokens who tokens/by-surface"]
    light = of_requests(tile, "AoaiRequests_Between | summarize Requests = count()")
    # Each name is in different ones of these choices: one that is lost, or that brings another with it, shows.
    bits = range(len(names).bit_length())
    asked = [(tile, names[::2])]
    asked += [(light, [name for n, name in enumerate(names, 1) if n >> bit & 1]) for bit in bits]
    for text, chosen in (*asked, (light, names[:1])):
        values = Chosen(START, END, {choice: [coded(name) for name in chosen]}, stored=True)
        found = awkward_lake.query(filled(text, declared, values), **within).frame
        assert list(found["Requests"]) == [int(rows.isin(chosen).sum())], chosen


def test_a_chosen_user_is_the_one_whose_row_was_clicked(
    awkward_lake: LocalEngine, declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    within = {"start": START, "end": END}
    top = awkward_lake.query(
        filled(queries["users who users/top"], declared, Chosen(START, END, stored=True)), **within
    ).frame
    assert dict(zip(top[KEY], top["User"], strict=True)) == {coded(name): name for name in top["User"]}
    tile = queries["users who user users/user-summary"]
    light = of_requests(tile, "AoaiRequests_Between | distinct User | where User == user")
    for text, name in (*((light, name) for name in top["User"]), (tile, 'say "so"')):
        chosen = Chosen(START, END, {"SelectedUser": coded(name)}, stored=True)
        found = awkward_lake.query(filled(text, declared, chosen), **within).frame
        assert list(found["User"]) == [name]


def test_own_prices_and_a_discount_change_every_cost_and_a_line_that_is_none_is_said(
    traffic: LocalEngine, declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    given = {
        "OwnPrices": "gpt-4o, prompt, 1.5\r\ngpt-4o, completion, 6; nonsense\ngpt-9-preview,prompt,2,data-zone",
        "Discount": "50",
    }
    text = filled(queries["cost prices prices"], declared, Chosen(START, END, given, stored=True))
    rows = traffic.query(text, start=START, end=END).frame
    own = rows[rows["Origin"] == "own"].set_index("Model")
    assert (own.loc["gpt-4o", "Prompt"], own.loc["gpt-4o", "Completion"]) == (1.5, 6.0)
    assert own.loc["gpt-9-preview", "Scope"] == "data-zone"
    assert list(rows[rows["Origin"].str.startswith("invalid")]["Model"]) == ["nonsense"]
    book = rows[(rows["Origin"] == "price book") & (rows["Model"] == "gpt-4o-mini") & (rows["Scope"] == "global")]
    full = traffic.query(
        'AoaiPrices | where Model == "gpt-4o-mini" and Scope == "global" and Direction == "prompt" '
        'and Tier == "default"'
    ).frame
    assert list(book["Prompt"])[:1] == [full["PricePerMillion"].iloc[-1] / 2]
    assert (
        rows[(rows["Origin"] == "price book") & (rows["Model"] == "gpt-4o") & (rows["Scope"] == "global")]["Prompt"]
        .isna()
        .all()
    )


@given(st.text())
def test_what_a_reader_types_stays_in_its_string(text: str) -> None:
    declared = {"SearchText": {"name": "SearchText", "type": 1}}
    line = filled('let text = "{SearchText:escapejson}";', declared, Chosen(START, END, {"SearchText": text}))
    literal = line.removeprefix("let text = ").removesuffix(";")
    assert json.loads(literal) == text and "\n" not in literal


def test_the_preview_shows_steps_and_rows_escapes_names_and_hides_texts(
    awkward_lake: LocalEngine, made_workbook: dict[str, Any]
) -> None:
    """Of some of the steps: what stands at the top, the links, and two tiles, one of which shows prompts."""
    wanted = ("users who users/top", "prompts wrote prompts/completions")

    def kept(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = []
        for step in items:
            if step["type"] == 12:
                inner = kept(step["content"]["items"])
                found += [step | {"content": step["content"] | {"items": inner}}] if inner else []
            elif step["type"] != 3 or step["name"] in wanted:
                found.append(step)
        return found

    some = made_workbook | {"items": kept(made_workbook["items"])}
    hidden = preview_html(some, awkward_lake, start=START, end=END)
    assert "Top users" in hidden and "Prompts and responses are hidden" in hidden
    assert "&lt;script&gt;alert(1)" in hidden and "<script>alert(1)" not in hidden
    assert "Latest prompts" not in hidden and ">hello<" not in hidden and "src=" not in hidden.split("plotly")[0]
    shown = preview_html(some, awkward_lake, start=START, end=END, show_prompts=True)
    assert "Latest prompts" in shown and "hello" in shown
