"""An exchange told message by message, from the LLM log's pieces or from bodies."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.library import library

from .raw_logs import answered, llm, request

SYSTEM = {"role": "system", "content": "Be brief."}
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"n": "7"}'}}
PICTURE = [
    {"type": "text", "text": 'see "this"'},
    {"type": "image_url", "image_url": {"url": "https://p.example/1.png"}},
]
TURNS = [
    SYSTEM,
    {"role": "user", "content": "one\ntwo"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "content": "seven"},
    {"role": "user", "content": PICTURE},
]
TOLD = [
    ("system", "Be brief.", 0),
    ("user", "one\ntwo", 0),
    ("assistant", 'find({"n": "7"})', 0),
    ("tool", "seven", 0),
    ("user", 'see "this"', 1),
]
ANSWER = {"role": "assistant", "content": "Fine."}
RESPONSES = "https://gateway.example/openai/v1/responses"
EMBEDDINGS = "https://gateway.example/openai/deployments/embed/embeddings"
CUT = json.dumps({"messages": [SYSTEM, {"role": "user", "content": "y" * 9000}]})[:8192]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    answer_body = json.dumps({"choices": [{"message": ANSWER}]})
    call_body = json.dumps({"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [CALL]}}]})
    gateway = [
        request("log"),
        request("body", RequestBody=json.dumps({"messages": TURNS}), ResponseBody=answer_body),
        request("call", RequestBody=json.dumps({"messages": [SYSTEM]}), ResponseBody=call_body),
        request("cut", RequestBody=CUT),
        request(
            "responses",
            Url=RESPONSES,
            RequestBody=json.dumps({"instructions": "Be kind.", "input": "hello"}),
            ResponseBody=json.dumps({"output": [{"content": [{"type": "output_text", "text": "hi"}]}]}),
        ),
        request("embedding", Url=EMBEDDINGS, RequestBody=json.dumps({"input": ["a", "b"]})),
        request("nothing"),
    ]
    rows = [
        llm("log", 1, RequestMessages=json.dumps(TURNS)),
        llm("log", 2, ResponseMessages=json.dumps([ANSWER])),
    ]
    folder = tmp_path_factory.mktemp("conversation")
    answered(folder, "AoaiLlmTexts", gateway, rows)  # writes the logs
    recompute(Lake(folder))  # the answers' texts are AoaiMessages', which a lake stores
    return LocalEngine.open(folder).query("AoaiConversation").frame.set_index("CorrelationId")


def turns(told: pd.DataFrame, name: str) -> list[tuple[str, str, int]]:
    rows = told.loc[[name]].sort_values("Index")
    assert list(rows["Index"]) == list(range(len(rows)))
    return list(rows[["Role", "Text", "Attachments"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("name", ["log", "body"])
def test_all_turns_stand_in_order_and_last_the_answer(told: pd.DataFrame, name: str) -> None:
    assert turns(told, name) == [*TOLD, ("assistant", "Fine.", 0)]
    assert told.loc[[name], "IsComplete"].all()
    assert set(told.loc[[name], "MessageSource"]) == {"llm-log" if name == "log" else "body"}


def test_an_answer_that_only_calls_a_tool_says_the_call(told: pd.DataFrame) -> None:
    assert turns(told, "call")[-1] == ("assistant", 'find({"n": "7"})', 0)


def test_of_a_cut_request_the_messages_that_can_be_read_are_there(told: pd.DataFrame) -> None:
    (system, user) = turns(told, "cut")
    assert system[:2] == ("system", "Be brief.")
    assert user[0] == "user" and set(user[1]) == {"y"} and 8000 < len(user[1]) < 9000
    assert not told.loc[["cut"], "IsComplete"].any()


def test_the_other_surfaces_are_told_too(told: pd.DataFrame) -> None:
    assert turns(told, "responses") == [("system", "Be kind.", 0), ("user", "hello", 0), ("assistant", "hi", 0)]
    assert turns(told, "embedding") == [("user", "a", 0), ("user", "b", 0)]
    assert "nothing" not in told.index


def test_the_question_asks_for_one_exchange() -> None:
    query = library().get("prompts/conversation")
    assert query.parameters["correlationId"].default == '""' and query.header["shows"] == "prompts"
    assert query.name == "prompts/" + "conversation"
