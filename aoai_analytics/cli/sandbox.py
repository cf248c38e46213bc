"""``aoai sandbox``: a gateway on this machine to try everything without Azure."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import AoaiError, WrongUse

PORT = 8477

app = typer.Typer(help="Run a gateway on this machine to try everything without Azure.", no_args_is_help=True)

Port = Annotated[int, typer.Option("--port", help="Port of the sandbox.", metavar="N")]


@app.command()
def start(
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the logs.", metavar="DIR")] = Path("sandbox"),
    port: Port = PORT,
    host: Annotated[str, typer.Option("--host", help="Loopback address to listen on.", metavar="H")] = "127.0.0.1",
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Use the accounts and products in this aoai.toml.", metavar="FILE"),
    ] = None,
    body_bytes: Annotated[
        int | None,
        typer.Option(
            "--body-bytes", min=0, max=8192, help="Log this much of each body (default: as deployed, 0).", metavar="N"
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Random seed for late and repeated records.", metavar="S")] = 1,
    speed: Annotated[
        float, typer.Option("--speed", min=0, help="Speed of the models; 0 answers at once.", metavar="X")
    ] = 1.0,
    show_prompts: Annotated[bool, typer.Option("--show-prompts", help="Show prompts on the live page.")] = False,
    setup: Annotated[
        bool, typer.Option("--setup", help="Also simulate Azure, for setup notebooks with [setup] sandbox = true.")
    ] = False,
) -> None:
    """Start the sandbox. Ctrl-C stops it.

    It answers like the deployed gateway, with made-up text, and writes the same logs. Its keys open nothing else.
    """
    from contextlib import nullcontext

    from ..sandbox.azure.services import gateway_installation
    from ..sandbox.azure.serving import azure_of
    from ..sandbox.installation import DEFAULT, read_installation
    from ..sandbox.serve import bound, make, run, url_of
    from .workspace import LogsAsWorkspace

    if setup and config:
        raise WrongUse("--setup has an installation of its own and cannot be combined with --config")
    installation = gateway_installation() if setup else read_installation(config or DEFAULT)
    logs = out / "logs"
    pace = (0.05 / speed, 0.004 / speed) if speed else (0.0, 0.0)
    listening = bound(host, port)
    sandbox = make(
        logs, installation=installation, body_bytes=body_bytes, seed=seed, first_token=pace[0], per_token=pace[1],
        show_prompts=show_prompts,
    )  # fmt: skip
    url = url_of(listening)
    print(f"Sandbox, not Azure: {url}/openai/v1, answers are made up", file=sys.stderr)
    print(f"See your calls: {url}/sandbox/live", file=sys.stderr)
    for each in installation.subscriptions.values():
        print(f"{each.name:<24} {each.product:<10} api-key: {each.key}")
    if setup:
        print("Next: put '[setup]' and 'sandbox = true' into aoai.toml, and run notebooks/setup", file=sys.stderr)
    print(f"Next: aoai ingest {logs} --lake {out / 'lake'} --follow", file=sys.stderr, flush=True)
    with azure_of(sandbox, url, LogsAsWorkspace(logs, out / "lake")) if setup else nullcontext():
        run(sandbox, listening)
    print(f"{sandbox.calls:,} calls, {sandbox.log.written:,} log records: {logs}", file=sys.stderr)


@app.command()
def state(port: Port = PORT) -> None:
    """Show backends, products, subscriptions and their keys."""
    found = _ask(port, "GET", "state")
    print(f"{found['calls']:,} calls, logs in {found['logs']}")
    for each in found["backends"]:
        broken = "works" if each["broken"] is None else f"broken ({each['broken'] or 'no answer'})"
        print(f"{each['name']:<28} priority {each['priority']}  {broken}, breaker {each['breaker']}")
    for each in found["products"]:
        limits = "no limits"
        if each["tokensPerMinute"]:
            limits = f"{each['tokensPerMinute']:,} tokens/min, {each['tokensPerMonth']:,} a month"
        print(f"{each['name']:<28} {limits}: {', '.join(each['subscriptions']) or '-'}")


@app.command("break")
def break_backend(
    backend: Annotated[str, typer.Argument(help="Account or region, or a part of it.", metavar="BACKEND")],
    answer: Annotated[
        str, typer.Option("--answer", help="Status to answer with (401 to 599), or none.", metavar="A")
    ] = "503",
    port: Port = PORT,
) -> None:
    """Break a backend: all its answers become this one."""
    status = 0 if answer == "none" else int(answer) if answer.isdigit() else -1
    if status and not 401 <= status <= 599:
        raise WrongUse(f"{answer}: give a status from 401 to 599, or none")
    found = _ask(port, "PUT", f"backends/{backend}", {"status": status})
    print(f"{found['name']}: broken ({answer})")


@app.command()
def restore(
    backend: Annotated[str, typer.Argument(help="Account or region, or a part of it.", metavar="BACKEND")],
    port: Port = PORT,
) -> None:
    """Let a broken backend work again, and close its breaker."""
    found = _ask(port, "PUT", f"backends/{backend}", {"status": None})
    print(f"{found['name']}: works")


@app.command()
def limit(
    product: Annotated[str, typer.Argument(help="bronze, silver or gold.", metavar="PRODUCT")],
    minute: Annotated[
        int | None, typer.Option("--tokens-per-minute", min=1, help="Tokens/min of each subscription.", metavar="N")
    ] = None,
    month: Annotated[
        int | None, typer.Option("--tokens-per-month", min=1, help="Quota of a calendar month.", metavar="N")
    ] = None,
    port: Port = PORT,
) -> None:
    """Change a product's limits."""
    if minute is None and month is None:
        raise WrongUse("give --tokens-per-minute, --tokens-per-month, or both")
    found = _ask(port, "PUT", f"products/{product}", {"tokensPerMinute": minute, "tokensPerMonth": month})
    print(f"{found['name']}: {found['tokensPerMinute']:,} tokens/min, {found['tokensPerMonth']:,} a month")


@app.command()
def call(
    subscription: Annotated[str, typer.Argument(help="Subscription to call as.", metavar="SUBSCRIPTION")],
    prompt: Annotated[str, typer.Argument(help="Prompt to send.", metavar="PROMPT")] = "What is the capital of France?",
    times: Annotated[int, typer.Option("--times", min=1, max=1000, help="Number of calls.", metavar="N")] = 1,
    deployment: Annotated[str, typer.Option("--deployment", help="Deployment to call.", metavar="D")] = "chat-mini",
    stream: Annotated[bool, typer.Option("--stream", help="Request a stream.")] = False,
    port: Port = PORT,
) -> None:
    """Call the sandbox as one of its subscriptions, and print status, tokens and the answer of each call."""
    keys = _ask(port, "GET", "state")["subscriptions"]
    if subscription not in keys:
        raise WrongUse(f"{subscription}: no such subscription; there are {', '.join(keys)}")
    body = {"model": deployment, "messages": [{"role": "user", "content": prompt}], "stream": stream}
    for _ in range(times):
        status, text, wait = _send(port, "POST", "openai/v1/chat/completions", body, {"api-key": keys[subscription]})
        print(_said(status, text, wait))
    _ask(port, "GET", "state")  # an ingest that follows at once finds the logs of these calls


def _said(status: int, text: str, wait: str) -> str:
    chunks = list(_data(text)) if text.startswith("data:") else [json.loads(text)]
    if error := chunks[0].get("error"):
        return f"{status}  {error['message']}" + (f" (Retry-After: {wait})" if wait else "")
    usage: dict[str, Any] = next((each["usage"] for each in reversed(chunks) if each.get("usage")), {})
    parts = [each for chunk in chunks for each in chunk["choices"]]
    said = "".join((each.get("message") or each.get("delta"))["content"] or "" for each in parts if _speaks(each))
    return f"{status}  {usage.get('prompt_tokens', '?')} + {usage.get('completion_tokens', '?')} tokens  {said}"


def _speaks(choice: dict[str, Any]) -> bool:
    return "content" in (choice.get("message") or choice.get("delta") or {})


def _data(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


def _ask(port: int, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    status, text, _ = _send(port, method, f"sandbox/{path}", body, {})
    found: dict[str, Any] = json.loads(text)
    if status >= 400:
        raise WrongUse(str(found["error"]))
    return found


def _send(
    port: int, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
) -> tuple[int, str, str]:
    """Status, text and Retry-After of an answer of the sandbox on this machine."""
    data = None if body is None else json.dumps(body).encode()
    # No proxy of the environment: the sandbox is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for host in ("127.0.0.1", "[::1]"):
        request = urllib.request.Request(f"http://{host}:{port}/{path}", data, headers, method=method)
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode(), ""
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode(), refused.headers.get("Retry-After", "")
        except OSError:
            continue
    raise AoaiError(f"no sandbox answers on port {port}; start one with 'aoai sandbox start'")
