"""Real client libraries call the sandbox as they call Azure."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.sandbox.app import Sandbox
from aoai_analytics.sandbox.call import Call
from aoai_analytics.sandbox.policies import named_value
from aoai_analytics.sandbox.serve import make, running
from tests.clients.conftest import needs
from tests.sandbox.waiting import wait_for

KEY = "key-of-sub-finance"
HEADERS = {"api-key": KEY}
MESSAGES: Any = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER: Any = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}


class Served:
    """A sandbox's URL and the calls that it finished."""

    def __init__(self, url: str, sandbox: Sandbox, calls: list[Call], folder: Path) -> None:
        self.url, self.sandbox, self.calls, self.folder = url, sandbox, calls, folder

    def logged(self) -> set[str]:
        """The categories that have records."""
        return {each.name for each in self.folder.iterdir()}

    def totals(self, count: int) -> list[int]:
        """Tokens that the models counted for each call, once there are so many."""
        wait_for(lambda: len(self.calls) >= count)
        return sorted(call.answered.reply.usage.total for call in self.calls if call.answered and call.answered.reply)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    calls: list[Call] = []
    sandbox = make(tmp_path, watch=calls.append)
    with running(sandbox) as url:
        yield Served(url, sandbox, calls, tmp_path)


def test_openai_asynchronous_and_at_once(served: Served) -> None:
    openai = needs("openai")

    async def ask() -> list[int]:
        v1 = openai.AsyncOpenAI(base_url=f"{served.url}/openai/v1", api_key=KEY, default_headers=HEADERS)
        azure = openai.AsyncAzureOpenAI(azure_endpoint=served.url, api_key=KEY, api_version="2024-10-21")

        async def streamed(client: Any) -> int:
            total = 0
            stream = await client.chat.completions.create(model="chat-mini", messages=MESSAGES, stream=True)
            async for event in stream:
                total = event.usage.total_tokens if event.usage else total
            return total

        async def responded() -> int:
            async with v1.responses.stream(model="chat-prod", input="Good morning") as stream:
                async for _ in stream:
                    pass
                return int((await stream.get_final_response()).usage.total_tokens)

        return sorted(await asyncio.gather(streamed(v1), streamed(azure), responded()))

    assert asyncio.run(ask()) == served.totals(3)


def test_openai_calls_a_tool_and_parses_its_arguments(served: Served) -> None:
    openai = needs("openai")
    client = openai.OpenAI(base_url=f"{served.url}/openai/v1", api_key=KEY, default_headers=HEADERS)
    tool = {"type": "function", "function": {"name": "forecast", "parameters": WEATHER}}
    answer = client.chat.completions.create(model="chat-mini", messages=MESSAGES, tools=[tool], tool_choice="required")
    (call,) = answer.choices[0].message.tool_calls
    assert (answer.choices[0].finish_reason, call.function.name) == ("tool_calls", "forecast")
    assert call.function.arguments == '{"city": "example", "days": 1}'
    response = client.responses.create(
        model="chat-mini",
        input="Good morning",
        tools=[{"type": "function", "name": "forecast", "parameters": WEATHER}],
        tool_choice={"type": "function", "name": "forecast"},
    )
    assert [item.type for item in response.output] == ["function_call"]
    total = answer.usage.total_tokens + response.usage.total_tokens
    assert sum(served.totals(2)) == total


def test_openai_continues_a_response_at_the_account_that_has_it(served: Served) -> None:
    openai = needs("openai")
    client = openai.OpenAI(base_url=f"{served.url}/openai/v1", api_key=KEY, default_headers=HEADERS)
    first = client.responses.create(model="chat-mini", input="Good morning")
    second = client.responses.create(model="chat-mini", input="And then?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > first.usage.total_tokens
    other = client.with_options(default_headers={"api-key": "key-of-sub-platform"})
    with pytest.raises(openai.BadRequestError, match="not found"):
        other.responses.create(model="chat-mini", input="And then?", previous_response_id=first.id)


@pytest.mark.parametrize("dimensions", [None, 256])
def test_openai_embeds_texts_and_tokens(served: Served, dimensions: int | None) -> None:
    openai = needs("openai")
    client = openai.OpenAI(base_url=f"{served.url}/openai/v1", api_key=KEY, default_headers=HEADERS)
    more = {} if dimensions is None else {"dimensions": dimensions}
    texts = client.embeddings.create(model="embed-small", input=["Good morning", "Good evening"], **more)
    tokens = client.embeddings.create(model="embed-small", input=[[1, 2, 3]], encoding_format="float", **more)
    assert [len(each.embedding) for each in [*texts.data, *tokens.data]] == [dimensions or 1536] * 3
    assert tokens.usage.prompt_tokens == 3
    assert sum(value * value for value in texts.data[0].embedding) == pytest.approx(1, abs=1e-4)


def test_anthropic_asks_streams_and_calls_a_tool(served: Served) -> None:
    anthropic = needs("anthropic")
    client = anthropic.AnthropicFoundry(base_url=f"{served.url}/anthropic", api_key=KEY)
    asked: Any = {"model": "claude", "max_tokens": 400, "messages": MESSAGES}
    whole = client.messages.create(**asked)
    assert whole.content[0].text == "The capital of France is Paris." and whole.stop_reason == "end_turn"
    with client.messages.stream(**asked) as stream:
        final = stream.get_final_message()
    assert (final.content[0].text, final.usage.output_tokens) == (whole.content[0].text, whole.usage.output_tokens)
    tool = {"name": "forecast", "input_schema": WEATHER}
    used = client.messages.create(**asked, tools=[tool], tool_choice={"type": "tool", "name": "forecast"})
    assert used.stop_reason == "tool_use" and used.content[0].input == {"city": "example", "days": 1}


#: What was done -> the class of Anthropic's client, the type of its error, and the code in the log. Status and type are
#: those of https://platform.claude.com/docs/en/api/errors; the class is by status.
REFUSED_MESSAGES = {
    "wrong key": ("AuthenticationError", "authentication_error", "invalid_api_key"),
    "key in another header": ("AuthenticationError", "authentication_error", "invalid_api_key"),
    "wrong token": ("AuthenticationError", "authentication_error", "invalid_api_key"),
    "limit": ("RateLimitError", "rate_limit_error", "rate_limit_exceeded"),
    "quota": ("PermissionDeniedError", "permission_error", "insufficient_quota"),
    "unknown deployment": ("NotFoundError", "not_found_error", "DeploymentNotFound"),
    "no messages": ("BadRequestError", "invalid_request_error", ""),
    "throttled": ("RateLimitError", "rate_limit_error", "429"),
    "refused identity": ("InternalServerError", "api_error", "backend_unauthorized"),
    "no answer": ("ServiceUnavailableError", "overloaded_error", "backend_unavailable"),
}


@pytest.mark.parametrize("done", REFUSED_MESSAGES)
def test_anthropics_client_knows_each_refusal(served: Served, done: str) -> None:
    anthropic = needs("anthropic")
    name, kind, code = REFUSED_MESSAGES[done]
    url = f"{served.url}/anthropic"
    key = "wrong" if done == "wrong key" else KEY
    client = anthropic.Anthropic(base_url=url, api_key=key, default_headers={"x-api-key": key}, max_retries=0)
    if done == "key in another header":
        # The library sends its key as a Bearer token too, which is judged where there is no key in x-api-key.
        client = anthropic.Anthropic(base_url=url, api_key=KEY, default_headers=HEADERS, max_retries=0)
    if done == "wrong token":
        client = anthropic.Anthropic(base_url=url, auth_token="none", max_retries=0)
    asked: Any = {"model": "claude", "max_tokens": 400, "messages": MESSAGES}
    deciding = served.sandbox.deciding
    if done in ("limit", "quota"):
        deciding.set_limits("silver", *((1, None) if done == "limit" else (None, 1)))
        client.messages.create(**asked)
    broken = {"throttled": 429, "refused identity": 401, "no answer": 0}.get(done)
    for each in deciding.pools.backends.values():
        each.broken = broken
    asked |= {"unknown deployment": {"model": "none"}, "no messages": {"messages": []}}.get(done, {})
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(**asked)
    assert type(caught.value).__name__ == name
    assert list(caught.value.body) == ["type", "error"] and caught.value.body["type"] == "error"
    error = caught.value.body["error"]
    assert (caught.value.type, error["type"], error["code"] or "") == (kind, kind, code)
    assert error["message"] in str(caught.value)


def test_langchain_asks_streams_and_parses_a_structure(served: Served) -> None:
    langchain = needs("langchain_openai")
    chat = langchain.ChatOpenAI(
        model="chat-mini", base_url=f"{served.url}/openai/v1", api_key=KEY, default_headers=HEADERS
    )
    answer = chat.invoke("What is the capital of France?")
    assert (answer.content, answer.usage_metadata["total_tokens"]) == ("The capital of France is Paris.", 21)
    azure = langchain.AzureChatOpenAI(
        azure_endpoint=served.url, azure_deployment="chat-prod", api_key=KEY, api_version="2024-10-21"
    )
    pieces = list(azure.stream("What is the capital of France?"))
    assert "".join(piece.content for piece in pieces) == answer.content
    assert sum(piece.usage_metadata["total_tokens"] for piece in pieces if piece.usage_metadata) == 21
    schema = {"title": "forecast", "description": "A forecast.", **WEATHER}
    parsed = chat.with_structured_output(schema, method="function_calling").invoke("How will it be?")
    assert parsed == {"city": "example", "days": 1}


def test_openai_makes_pictures_transcribes_and_speaks(served: Served) -> None:
    openai = needs("openai")
    client = openai.OpenAI(base_url=f"{served.url}/openai/v1", api_key=KEY, default_headers=HEADERS, max_retries=0)
    azure = openai.AzureOpenAI(azure_endpoint=served.url, api_key=KEY, api_version="2025-04-01-preview")
    pictures = client.images.generate(model="pictures", prompt="a lighthouse", size="1024x1024", quality="low", n=2)
    # The published tokens of an image of this size and quality.
    assert pictures.usage.output_tokens == 2 * 272 and pictures.usage.input_tokens > 0
    assert base64.b64decode(pictures.data[1].b64_json).startswith(b"\x89PNG")
    edited = client.images.edit(model="pictures", image=("a.png", b"\x89PNG....", "image/png"), prompt="brighter")
    assert edited.usage.input_tokens > 300

    wav = client.audio.speech.create(model="voice", voice="alloy", input="Good morning", response_format="wav")
    assert wav.content.startswith(b"RIFF")
    said = ("hello.wav", wav.content, "audio/wav")
    text = azure.audio.transcriptions.create(model="dictation", file=said)
    assert text.text and text.usage.input_token_details.audio_tokens == text.usage.input_tokens == 10
    assert client.audio.transcriptions.create(model="dictation", file=said, response_format="text").strip() == text.text
    events = list(client.audio.transcriptions.create(model="dictation", file=said, stream=True))
    assert events[-1].type == "transcript.text.done" and events[-1].text == text.text
    with pytest.raises(openai.BadRequestError, match="does not work with the specified model"):
        client.images.generate(model="chat-mini", prompt="a lighthouse")

    wait_for(lambda: len(served.calls) == 7)
    assert [call.surface for call in served.calls[:3]] == ["images", "images", "speech"]
    assert {call.deployment for call in served.calls} == {"pictures", "voice", "dictation", "chat-mini"}
    # As in Azure, no LLM row is logged for them.
    wait_for(lambda: served.logged() == {"insights-logs-gatewaylogs"})


def test_pictures_and_sound_have_a_limit_of_requests(served: Served) -> None:
    openai = needs("openai")
    client = openai.OpenAI(base_url=f"{served.url}/openai/v1", api_key=KEY, default_headers=HEADERS, max_retries=0)
    limit = int(named_value("media-calls-per-minute"))
    for _ in range(limit):
        client.audio.speech.create(model="voice", voice="alloy", input="Hi")
    with pytest.raises(openai.RateLimitError) as refused:
        client.images.generate(model="pictures", prompt="a lighthouse")
    assert refused.value.code == "rate_limit_exceeded" and 0 < int(refused.value.response.headers["retry-after"]) <= 60
