"""What ``docs/clients.md`` says of retries, errors and traps is what the libraries do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.conftest import needs
from tests.clients.gateway import KEY, Gateway, Refusal, installation
from tests.clients.snippets import PAGE, table

QUESTION = [{"role": "user", "content": "Good morning"}]
HEADERS = {"api-key": KEY}


def client(gateway: Gateway, **more: Any) -> Any:
    settings = {"base_url": f"{gateway.url}/openai/v1", "api_key": KEY, "default_headers": HEADERS, "max_retries": 0}
    return needs("openai").OpenAI(**settings | more)


def v1(gateway: Gateway, base: str = "base_url", **more: Any) -> dict[str, Any]:
    return {base: f"{gateway.url}/openai/v1", "api_key": KEY, "default_headers": HEADERS, **more}


def azure(gateway: Gateway, **more: Any) -> dict[str, Any]:
    return {"azure_endpoint": gateway.url, "api_key": KEY, "api_version": "2024-10-21", **more}


def chat_with_llama_index(gateway: Gateway, **more: Any) -> object:
    llm = needs("llama_index.llms.openai_like").OpenAILike(
        model="chat-mini", is_chat_model=True, **v1(gateway, "api_base", **more)
    )
    return llm.chat([needs("llama_index.core.llms").ChatMessage("Good morning")])


CALLS: dict[str, Callable[..., object]] = {
    "OpenAI": lambda gateway, **more: (
        needs("openai").OpenAI(**v1(gateway, **more)).chat.completions.create(model="chat-mini", messages=QUESTION)
    ),
    "LangChain, chat": lambda gateway, **more: (
        needs("langchain_openai").ChatOpenAI(model="chat-mini", **v1(gateway, **more)).invoke("Good morning")
    ),
    "LangChain, embeddings": lambda gateway, **more: (
        needs("langchain_openai")
        .OpenAIEmbeddings(model="embed-small", check_embedding_ctx_length=False, **v1(gateway, **more))
        .embed_query("Good morning")
    ),
    "LlamaIndex, chat": chat_with_llama_index,
    "LlamaIndex, embeddings, deployment-style": lambda gateway, **more: (
        needs("llama_index.embeddings.azure_openai")
        .AzureOpenAIEmbedding(deployment_name="embed-small", model="text-embedding-3-small", **azure(gateway, **more))
        .get_text_embedding("Good morning")
    ),
    "LlamaIndex, embeddings, v1": lambda gateway, **more: (
        needs("llama_index.embeddings.openai_like")
        .OpenAILikeEmbedding(model_name="embed-small", **v1(gateway, "api_base", **more))
        .get_text_embedding("Good morning")
    ),
}


def test_the_table_of_retries_has_every_library() -> None:
    assert [row[0] for row in table("requests of one call")] == list(CALLS)


@pytest.mark.parametrize(("library", "default", "setting", "then"), table("requests of one call"))
def test_a_call_makes_as_many_requests_as_the_page_says_and_waits_as_it_is_told(
    gateway: Gateway, waits: list[float], library: str, default: str, setting: str, then: str
) -> None:
    name, _, value = setting.partition("=")
    for more, expected in (({}, int(default)), ({name: int(value)}, int(then))):
        gateway.seen.clear()
        waits.clear()
        gateway.refusals[:] = [Refusal(429, "rate_limit_exceeded", retry_after="7", times=1000)]
        with pytest.raises(needs("openai").RateLimitError):
            CALLS[library](gateway, **more)
        assert len(gateway.seen) == expected
        assert waits == [7.0] * (expected - 1)


@pytest.mark.parametrize("library", CALLS)
def test_a_call_that_is_throttled_once_is_answered(gateway: Gateway, waits: list[float], library: str) -> None:
    gateway.refuse(Refusal(429, "rate_limit_exceeded", retry_after="7"))
    assert CALLS[library](gateway)
    assert [seen.status for seen in gateway.seen] == [429, 200]
    assert waits == [7.0]


def test_openai_gives_up_where_the_wait_is_above_two_minutes(gateway: Gateway, waits: list[float]) -> None:
    gateway.refuse(Refusal(429, "rate_limit_exceeded", retry_after="121"))
    with pytest.raises(needs("openai").RateLimitError):
        CALLS["OpenAI"](gateway)
    assert waits == []


def test_nobody_retries_a_used_up_month(gateway: Gateway, waits: list[float]) -> None:
    for call in CALLS.values():
        gateway.seen.clear()
        gateway.refuse(Refusal(403, "insufficient_quota", retry_after="86400"))
        with pytest.raises(needs("openai").PermissionDeniedError):
            call(gateway)
        assert len(gateway.seen) == 1
    assert waits == []


#: The types of Anthropic's errors (https://platform.claude.com/docs/en/api/errors).
ERROR_TYPES = {
    "invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error",
    "conflict_error", "request_too_large", "rate_limit_error", "api_error", "timeout_error", "overloaded_error",
}  # fmt: skip


#: How a client provokes an error by itself; the others the gateway is told to answer.
PROVOKED: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]] = {
    ("400", "content_filter"): ({}, {"messages": [{"role": "user", "content": "FORBIDDEN"}]}),
    ("401", "missing_credentials"): ({"default_headers": {"Authorization": "none"}}, {}),
    ("401", "invalid_api_key"): ({"default_headers": {"api-key": "wrong"}}, {}),
    ("404", "DeploymentNotFound"): ({}, {"model": "gpt-4o-mini"}),
}


@pytest.mark.parametrize(("status", "code", "name", "_advice"), table("errors"))
def test_an_error_is_the_class_that_the_page_says(
    gateway: Gateway, status: str, code: str, name: str, _advice: str
) -> None:
    settings, request = PROVOKED.get((status, code), ({}, {}))
    if (status, code) not in PROVOKED:
        gateway.refuse(Refusal(int(status), code))
    with pytest.raises(needs("openai").APIStatusError) as raised:
        client(gateway, **settings).chat.completions.create(**{"model": "chat-mini", "messages": QUESTION} | request)
    assert (raised.value.status_code, raised.value.code, type(raised.value).__name__) == (int(status), code, name)
    assert raised.value.body["message"] and set(raised.value.body) >= {"message", "type", "param", "code"}


@pytest.mark.parametrize(("status", "code", "name", "_advice"), table("errors"))
def test_anthropic_s_library_raises_the_class_of_the_same_name(
    gateway: Gateway, status: str, code: str, name: str, _advice: str
) -> None:
    anthropic = needs("anthropic")
    settings, request = PROVOKED.get((status, code), ({}, {}))
    if settings or (status, code) not in PROVOKED:
        gateway.refuse(Refusal(int(status), code))
    client = anthropic.Anthropic(
        base_url=f"{gateway.url}/anthropic", api_key=KEY, default_headers={"x-api-key": KEY}, max_retries=0
    )
    with pytest.raises(getattr(anthropic, name)) as raised:
        client.messages.create(**{"model": "claude", "max_tokens": 9, "messages": QUESTION} | request)
    assert (raised.value.status_code, raised.value.body["error"]["code"]) == (int(status), code)
    assert raised.value.type in ERROR_TYPES


@pytest.mark.parametrize("library", ["OpenAI", "Anthropic"])
def test_a_key_alone_is_taken_for_a_token(gateway: Gateway, library: str) -> None:
    url = f"{gateway.url}/{'openai/v1' if library == 'OpenAI' else 'anthropic'}"
    module = needs(library.lower())
    made = getattr(module, library)(base_url=url, api_key=KEY, max_retries=0)
    asked = {"model": "claude", "messages": QUESTION}
    with pytest.raises(module.AuthenticationError, match="token is not valid for this gateway"):
        made.messages.create(**asked, max_tokens=9) if library == "Anthropic" else made.chat.completions.create(**asked)


def test_a_forgotten_key_in_the_environment_spoils_a_token(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "of another service")
    settings = {"azure_endpoint": gateway.url, "api_version": "2024-10-21", "max_retries": 0}
    asked = needs("openai").AzureOpenAI(
        **settings, azure_ad_token_provider=lambda: gateway.issue("api://00000000-0000-0000-0000-000000000000")
    )
    with pytest.raises(needs("openai").AuthenticationError, match="invalid subscription key"):
        asked.chat.completions.create(model="chat-mini", messages=QUESTION)


def test_choices_without_a_look_fail_in_a_stream(gateway: Gateway) -> None:
    events = client(gateway).chat.completions.create(model="chat-mini", messages=QUESTION, stream=True)
    with pytest.raises(IndexError):
        [event.choices[0] for event in events]


def test_a_stream_that_declines_usage_gets_none(gateway: Gateway) -> None:
    events = list(
        client(gateway).chat.completions.create(
            model="chat-mini", messages=QUESTION, stream=True, stream_options={"include_usage": False}
        )
    )
    assert events[-1].choices and not any(event.usage for event in events)


def test_llama_index_repeats_an_azure_token_where_the_gateway_reads_keys(gateway: Gateway) -> None:
    settings = {"engine": "chat-mini", "model": "gpt-4o-mini", "api_version": "2024-10-21", "max_retries": 0}
    llm = needs("llama_index.llms.azure_openai").AzureOpenAI(
        **settings,
        azure_endpoint=gateway.url,
        use_azure_ad=True,
        azure_ad_token_provider=lambda: gateway.issue("api://00000000-0000-0000-0000-000000000000"),
    )
    with pytest.raises(needs("openai").AuthenticationError, match="invalid subscription key"):
        llm.chat([needs("llama_index.core.llms").ChatMessage("Good morning")])


def test_llama_index_knows_the_model_that_the_page_gives_it(gateway: Gateway) -> None:
    """It is the model of the example's chat-mini, and no retired one."""
    (model,) = set(re.findall(r'^    model="(gpt-[^"]*)",$', PAGE, re.M))
    llm = needs("llama_index.llms.azure_openai").AzureOpenAI(engine="chat-mini", model=model, **azure(gateway))
    assert llm.metadata.context_window > 100_000, "it raises ValueError for a name that it does not know"
    assert model == installation().accounts[0].deployment("chat-mini").model


def test_llama_index_does_not_know_a_deployment_s_name(gateway: Gateway) -> None:
    OpenAI = needs("llama_index.llms.openai").OpenAI
    with pytest.raises(ValueError, match="Unknown model 'chat-mini'"):
        OpenAI(model="chat-mini", **v1(gateway, "api_base", max_retries=0)).complete("Good morning")
    assert not gateway.seen
    with pytest.raises(needs("openai").NotFoundError):
        OpenAI(model="gpt-4o-mini", **v1(gateway, "api_base", max_retries=0)).chat(
            [needs("llama_index.core.llms").ChatMessage("Good morning")]
        )


def test_langchain_s_embeddings_send_numbers_unless_told_not_to(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bytes:
        """A tokenizer that needs no download."""

        def encode_ordinary(self, text: str) -> list[int]:
            return list(text.encode())

    monkeypatch.setattr("tiktoken.encoding_for_model", lambda _: Bytes())
    embeddings = needs("langchain_openai").OpenAIEmbeddings(model="embed-small", **v1(gateway))
    embeddings.embed_documents(["Good morning"])
    assert gateway.seen[0].sent["input"] == [list(b"Good morning")]


@pytest.mark.parametrize("library", ["LangChain", "LlamaIndex"])
def test_the_end_user_can_be_named_in_the_other_libraries_too(gateway: Gateway, library: str) -> None:
    if library == "LangChain":
        needs("langchain_openai").ChatOpenAI(model="chat-mini", **v1(gateway)).invoke("Good morning", user="a1b2")
    else:
        chat_with_llama_index(gateway, additional_kwargs={"user": "a1b2"})
    assert gateway.seen[0].sent["user"] == "a1b2"
