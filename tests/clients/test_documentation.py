"""Every program of ``docs/clients.md`` runs as it stands, prints what stands below it, and calls as its title says."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aoai_analytics.sandbox.issuer import CALLER
from aoai_analytics.sandbox.policies import named_value
from tests.clients.conftest import needs
from tests.clients.gateway import CLAUDE, KEY, Gateway, installation
from tests.clients.snippets import PAGE, Snippet, snippets
from tests.conftest import REPO

SNIPPETS = {snippet.title: snippet for snippet in snippets()}
SETTINGS = "Set the gateway's address"
DEPLOYMENTS = [each.name for each in installation().accounts[0].deployments if each != CLAUDE]

BY_KEY, BY_TOKEN = "key sub-try-out", f"token {CALLER}"
CHAT, CHAT_V1 = "/deployments/{deployment-id}/chat/completions", "/v1/chat/completions"
EMBED, EMBED_V1 = "/deployments/{deployment-id}/embeddings", "/v1/embeddings"
MESSAGES = "/anthropic/v1/messages"
RESPONSES, RESPONSES_V1 = "/responses", "/v1/responses"

#: What the gateway sees of each program: who calls, and on which routes.
CALLS: dict[str, tuple[str, list[str]]] = {
    "v1 with a key": (BY_KEY, [CHAT_V1]),
    "v1 with an Entra token": (BY_TOKEN, [CHAT_V1]),
    "Deployment-style with a key": (BY_KEY, [CHAT]),
    "Deployment-style with an Entra token": (BY_TOKEN, [CHAT]),
    "Stream": (BY_KEY, [CHAT_V1]),
    "Concurrent requests": (BY_KEY, [CHAT_V1] * 3),
    "Asynchronous stream with an Entra token": (BY_TOKEN, [CHAT_V1]),
    "Embeddings": (BY_KEY, [EMBED_V1]),
    "Responses API": (BY_KEY, [RESPONSES_V1]),
    "Responses API, stream": (BY_KEY, [RESPONSES]),
    "Claude with a key": (BY_KEY, [MESSAGES]),
    "Claude, stream with an Entra token": (BY_TOKEN, [MESSAGES]),
    "LangChain, v1 with a key": (BY_KEY, [CHAT_V1]),
    "LangChain, deployment-style with an Entra token": (BY_TOKEN, [CHAT]),
    "LangChain, stream": (BY_KEY, [CHAT] * 2),
    "LangChain, embeddings": (BY_KEY, [EMBED_V1]),
    "LangChain, Responses API": (BY_KEY, [RESPONSES_V1]),
    "LlamaIndex, v1 with a key": (BY_KEY, [CHAT_V1]),
    "LlamaIndex, v1 with an Entra token": (BY_TOKEN, [CHAT_V1]),
    "LlamaIndex, deployment-style with a key": (BY_KEY, [CHAT]),
    "LlamaIndex, stream": (BY_KEY, [CHAT] * 2),
    "LlamaIndex, embeddings": (BY_KEY, [EMBED_V1, EMBED]),
    "LlamaIndex, Responses API": (BY_KEY, [RESPONSES_V1]),
    "curl, v1 with a key": (BY_KEY, [CHAT_V1]),
    "curl, deployment-style with an Entra token": (BY_TOKEN, [CHAT]),
    "curl, stream": (BY_KEY, [CHAT_V1]),
    "curl, embeddings": (BY_KEY, [EMBED_V1]),
    "curl, Responses API": (BY_KEY, [RESPONSES_V1]),
    "Set retries and timeouts": (BY_KEY, [CHAT_V1] * 2),
    "Name the end user": (BY_KEY, [CHAT_V1]),
    "Show the remaining tokens": (BY_KEY, [CHAT_V1]),
    "Read an error": (BY_KEY, [CHAT_V1]),
}
PYTHON = [title for title in CALLS if SNIPPETS[title].language == "python"]
SHELL = [title for title in CALLS if SNIPPETS[title].language == "bash"]


def run_python(snippet: Snippet) -> str:
    """What the program prints. It runs in this process, as a script's text: the libraries are loaded once."""
    for module in sorted(snippet.modules()):
        needs(module)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(snippet.code, f"docs/clients.md, {snippet.title}", "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def run_shell(snippet: Snippet, folder: Path) -> str:
    """What the program prints, with a stand-in for ``az`` that gets a token for the scope that it is given."""
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    (folder / "az").write_text(f"#!{sys.executable}\n{AZ}")
    (folder / "az").chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", snippet.code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr + run.stdout
    return run.stdout


AZ = """
import json, os, sys, urllib.request
given = sys.argv[1:]
assert given[:3] == ["account", "get-access-token", "--scope"] and given[3].endswith("/.default"), given
assert given[4:] == ["--query", "accessToken", "--output", "tsv"], given
url = os.environ["IDENTITY_ENDPOINT"] + "?resource=" + given[3].removesuffix("/.default")
request = urllib.request.Request(url, headers={"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]})
print(json.load(urllib.request.urlopen(request))["access_token"])
"""


def test_every_program_of_the_page_is_run() -> None:
    assert len(SNIPPETS) == len(snippets()), "two programs under one heading"
    assert set(SNIPPETS) == {SETTINGS, *CALLS}
    assert PAGE.count("```python") + PAGE.count("```bash") == len(SNIPPETS), "a program that is not read"


@pytest.mark.parametrize("title", PYTHON)
def test_a_python_program_prints_what_the_page_says(gateway: Gateway, title: str) -> None:
    snippet = SNIPPETS[title]
    assert snippet.output, "the page does not show what it prints"
    assert run_python(snippet) == snippet.output
    check_calls(gateway, title)


@pytest.mark.parametrize("title", SHELL)
def test_a_shell_program_gets_an_answer(gateway: Gateway, title: str, tmp_path: Path) -> None:
    printed = run_shell(SNIPPETS[title], tmp_path)
    check_calls(gateway, title)
    if "stream" in title:
        events = [line.removeprefix("data: ") for line in printed.splitlines() if line]
        assert events[-1] == "[DONE]"
        assert json.loads(events[-2])["usage"]["total_tokens"] == gateway.seen[0].tokens
    else:
        assert json.loads(printed)["usage"]["total_tokens"] == gateway.seen[0].tokens


def check_calls(gateway: Gateway, title: str) -> None:
    caller, routes = CALLS[title]
    assert [seen.route for seen in gateway.seen] == routes
    assert {seen.caller for seen in gateway.seen} == {caller}
    for seen in gateway.seen:
        # A token goes alone: the gateway would judge a key beside it first.
        header = "x-api-key" if seen.route == MESSAGES else "api-key"
        assert (header in seen.headers) == (caller == BY_KEY)
        if seen.route.startswith("/v1"):
            assert seen.sent["model"] in {*DEPLOYMENTS, "no-such-deployment"}
        if "responses" in seen.route:
            assert seen.sent["store"] is False, "a stored response is in one account only"


def test_the_settings_are_those_that_the_programs_read(gateway: Gateway) -> None:
    shown = SNIPPETS[SETTINGS].code.replace("export ", "").split()
    assert dict(line.split("=") for line in shown) == {"GATEWAY_URL": "https://gateway.contoso.com", "GATEWAY_KEY": KEY}
    read = {name for name in os.environ for title in CALLS if f'environ["{name}"]' in SNIPPETS[title].code}
    assert read == {"GATEWAY_URL", "GATEWAY_KEY"}


def test_the_page_asks_for_tokens_of_the_audience_that_the_policies_accept() -> None:
    scope = f"{named_value('entra-audience')}/.default"
    assert f"`{scope}`" in PAGE
    for snippet in SNIPPETS.values():
        assert snippet.code.count("/.default") == snippet.code.count(scope)


def test_the_page_s_deployments_are_those_of_the_example() -> None:
    example = (REPO / "setup_scripts/infra/dev.bicepparam").read_text("utf-8")
    for deployment in DEPLOYMENTS:
        assert f"name: '{deployment}'" in example
        assert f"`{deployment}`" in PAGE


def test_the_end_user_reaches_the_model_as_a_pseudonym(gateway: Gateway) -> None:
    run_python(SNIPPETS["Name the end user"])
    (seen,) = gateway.seen
    assert len(seen.sent["safety_identifier"]) == 32
    assert "jane" not in json.dumps(seen.sent)


@pytest.mark.parametrize("title", [title for title in CALLS if "stream" in title.lower()])
def test_a_stream_s_program_bears_the_event_that_the_gateway_adds(gateway: Gateway, title: str, tmp_path: Path) -> None:
    snippet = SNIPPETS[title]
    assert "include_usage" not in snippet.code
    run_python(snippet) if snippet.language == "python" else run_shell(snippet, tmp_path)
    for seen in gateway.seen:
        assert ("stream_options" in seen.sent) == seen.route.endswith("/chat/completions")
