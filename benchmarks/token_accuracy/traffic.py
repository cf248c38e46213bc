"""Requests of mixed traffic and the log records they leave: for mixes that ``aoai sample`` does not make.

Callers differ in what a token is in bytes, what is around their text, and how much of it is logged. Only sizes, times
and counts matter to an estimate, so texts are words without sense.
"""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from aoai_analytics.sample.records import blob_folder, cut, gateway_line, hour_of, llm_lines, log_time

FIRST = datetime(2026, 11, 2, tzinfo=UTC)
DAYS = 10
ENTRY_BYTES, BODY_BYTES = 32_768, 8_192
REASONING = ("o4-mini-2025-04-16", "gpt-5-2025-08-07")
#: Model -> milliseconds a token of the answer takes.
SPEED = {"gpt-4o-2024-08-06": 12, "gpt-4o-mini-2024-07-18": 7, "gpt-4.1-2025-04-14": 13} | dict.fromkeys(REASONING, 9)
#: Model -> tokens that a picture takes, by its size.
PICTURES = {"gpt-4o-mini-2024-07-18": (2833, 14167, 25501)}
_PICTURE = (85, 425, 765, 1105)
_WORDS = "all the work that a team does in a week is in these few words and some numbers 12 of 40 for each day "
_TEXT = _WORDS * 6000
_ENCODED = "iVBORw0KGgoAAAANSUhEUgAA" * 8000
TRUTH = (
    "CorrelationId", "TimeGenerated", "User", "SubscriptionId", "ModelName", "Surface", "PromptTokens", "CachedTokens",
    "CompletionTokens",
)  # fmt: skip


@dataclass(frozen=True)
class Caller:
    """Who asks, and how. Sizes are tokens or bytes, ``prompt`` and ``answer`` medians in tokens, others shares."""

    user: str
    subscription: str
    address: str
    models: tuple[str, ...] = ("gpt-4o-2024-08-06",)
    surface: str = "chat"
    weight: float = 1.0
    text_bytes: float = 4.2  # of a prompt's token
    answer_bytes: float = 4.4  # of an answer's token
    header: int = 620
    system: int = 40
    tools: int = 0  # tokens of its tools, which are in the body and not among the messages
    prompt: float = 220.0
    answer: float = 140.0
    spread: float = 0.8
    documents: float = 0.0
    document_bytes: float = 4.2
    stream: float = 0.3
    asks_usage: float = 0.6
    pictures: float = 0.0
    inline: float = 0.5  # of its pictures: in the body, not by address
    escaped: bool = False
    named: bool = True
    cached: float = 0.0
    failing: float = 0.02  # refused by the filter, timed out, or left by the client; each as often
    other: float = 0.0  # of its texts: in another script, a token of which has ``other_bytes``, in answers too
    other_bytes: float = 2.2
    bulk: float = 0.0  # of its requests: jobs of ``bulk_prompt`` and ``bulk_answer``
    bulk_prompt: float = 9000.0
    bulk_answer: float = 700.0
    thoughts: float = 6.0  # hidden tokens of a reasoning model, in 64s
    pace: float = 0.12  # how far the time of an answer strays
    array: int = 0  # most texts in an embedding's array
    growth: int = 0  # tokens by which its tools grow a day


@dataclass(frozen=True)
class Request:
    """What one request was, and its sizes on the wire."""

    caller: Caller
    moment: datetime
    model: str
    stream: bool
    asks_usage: bool
    outcome: str
    prompt: int
    cached: int
    completion: int
    messages: str
    body: str
    answer: str
    answer_bytes: int
    usage_logged: bool  # its answer has a usage
    backend_time: int


@dataclass(frozen=True)
class Kept:
    """What the logs keep of a request: rows of the LLM log, the count in them, the bodies, and their limits."""

    rows: bool = True
    count: bool = True
    bodies: bool = True
    entry_bytes: int = ENTRY_BYTES


Loss = Callable[[Request, Random], Kept]


def text(rng: Random, size: float) -> str:
    """Words of so many bytes."""
    begin = rng.randrange(len(_WORDS))
    return _TEXT[begin : begin + max(1, round(size))]


def draw(rng: Random, caller: Caller) -> Request:
    """One request of *caller*."""
    moment = FIRST + timedelta(microseconds=rng.randrange(DAYS * 86_400_000_000))
    model = rng.choice(caller.models)
    stream = caller.surface in ("chat", "responses") and rng.random() < caller.stream
    is_document = rng.random() < caller.documents
    caller, usual = _this_time(rng, caller, moment), caller
    asked = rng.lognormvariate(math.log(6000 if is_document else caller.prompt), 0.5 if is_document else caller.spread)
    texts = rng.randint(1, caller.array) if caller.array else 1
    asked = round(min(max(texts * asked, 3), 60_000))
    size = asked * (caller.document_bytes if is_document else caller.text_bytes) * math.exp(rng.gauss(0, 0.06))
    count = rng.choice((1, 1, 1, 2, 3, 5)) if rng.random() < caller.pictures else 0
    pictures = sum(rng.choice(PICTURES.get(model, _PICTURE)) for _ in range(count))
    prompt = asked + pictures
    answer = round(min(max(rng.lognormvariate(math.log(caller.answer), 0.7), 1), 6000))
    if caller.surface == "embeddings":
        answer = 0
    thought = 64 * round(min(rng.lognormvariate(math.log(caller.thoughts), 0.9), 80)) if model in REASONING else 0
    chat = caller.surface in ("chat", "responses")
    if chat:
        prompt += 7 + caller.system + caller.tools
    words = text(rng, size)
    messages, body = _asked(rng, caller, model, words, count, stream)
    outcome = "success"
    if chat and rng.random() < 3 * caller.failing:
        outcome = rng.choice(("content-filter", "timeout", "client-closed"))
    shown = answer * caller.answer_bytes * math.exp(rng.gauss(0, 0.06))
    time = 250 + SPEED.get(model, 10) * (answer + thought) * math.exp(rng.gauss(0, caller.pace)) + 0.02 * prompt
    share = 1.0
    if outcome == "client-closed":
        share = rng.uniform(0.2, 0.9)
    elif outcome != "success":
        answer = thought = 0  # the prompt is billed
        time = 180 if outcome == "content-filter" else 60_000
    answer, thought, shown, time = round(answer * share), round(thought * share), shown * share, time * share
    cached = 128 * int(prompt * rng.uniform(0.4, 0.95) / 128) if prompt >= 1024 and rng.random() < caller.cached else 0
    pieces = texts if caller.array else answer
    told = _answered(rng, caller, model, stream, (prompt, cached, answer + thought), outcome, shown, pieces)
    asks = rng.random() < caller.asks_usage or caller.surface != "chat"
    usage_logged = outcome == "success" and (not stream or asks) and caller.surface != "minutes"
    if not usage_logged:
        told = told.replace('"usage"', '"unused"')
    counts = (0, 0, 0) if caller.surface == "minutes" else (prompt, cached, answer + thought)
    return Request(
        usual, moment, model, stream, asks, outcome, *counts, messages, body, told, len(told), usage_logged,
        round(time),
    )  # fmt: skip


def _this_time(rng: Random, caller: Caller, moment: datetime) -> Caller:
    """The caller as it is for one request: it may write another script, run a job, or have more tools by then."""
    if caller.bulk and rng.random() < caller.bulk:
        caller = replace(caller, prompt=caller.bulk_prompt, answer=caller.bulk_answer)
    if caller.other and rng.random() < caller.other:
        caller = replace(caller, text_bytes=caller.other_bytes, answer_bytes=caller.other_bytes)
    return replace(caller, tools=caller.tools + caller.growth * (moment - FIRST).days) if caller.growth else caller


def _asked(rng: Random, caller: Caller, model: str, words: str, pictures: int, stream: bool) -> tuple[str, str]:
    """The messages as the LLM log has them, and the request's body."""
    if caller.surface in ("audio", "minutes"):
        return "", "RIFF" + "\ufffd" * 200
    content: object = words
    if pictures:
        urls = [
            "data:image/png;base64," + _ENCODED[: 4 * rng.randrange(2_000, 30_000)]
            if rng.random() < caller.inline
            else f"https://pictures.example/{rng.getrandbits(60):x}.png"
            for _ in range(pictures)
        ]
        content = [{"type": "text", "text": words}, *({"type": "image_url", "image_url": {"url": u}} for u in urls)]
    system = text(rng, caller.system * caller.text_bytes)
    told = [{"role": "system", "content": system}, {"role": "user", "content": content}]
    if caller.surface == "embeddings":
        fields: dict[str, object] = {"input": [words]}
        told = [{"role": "user", "content": words}]
    elif caller.surface == "responses":
        fields = {"model": model[:-11], "input": told}
    else:
        fields = {"messages": told}
    if stream:
        fields |= {"stream": True}
    if caller.named:
        fields |= {"user": caller.user}
    if caller.tools:
        fields |= {"tools": [{"type": "function", "function": {"description": text(rng, caller.tools * 4.6)}}]}
    body = json.dumps(fields)
    if caller.escaped:
        body = body.replace("the ", "\\u306e\\u3092 ")
    return json.dumps(told, separators=(",", ":")), body


def _answered(
    rng: Random, caller: Caller, model: str, stream: bool, counts: tuple[int, int, int], outcome: str, shown: float,
    events: int,
) -> str:  # fmt: skip
    """The answer's body."""
    if outcome == "content-filter":
        return '{"error":{"message":"The prompt was filtered.","code":"content_filter","status":400}}'
    if outcome == "timeout":
        return '{"error":{"message":"The operation was timed out.","code":"Timeout"}}'
    prompt, cached, completion = counts
    names = ("input", "output") if caller.surface in ("responses", "audio") else ("prompt", "completion")
    usage = (
        f'"usage":{{"{names[0]}_tokens":{prompt},"{names[0]}_tokens_details":{{"cached_tokens":{cached}}},'
        f'"{names[1]}_tokens":{completion},"total_tokens":{prompt + completion}}}'
    )
    words = text(rng, shown)
    if caller.surface == "embeddings":
        vectors = ",".join([f'{{"embedding":"{_ENCODED[:5464]}"}}'] * max(1, events))
        return f'{{"object":"list","model":"{model}","data":[{vectors}],{usage}}}'
    if caller.surface in ("audio", "minutes"):
        return f'{{"text":"{words}",{usage}}}'
    if not stream:
        place = (
            '"output":[{"type":"message","content":"' if caller.surface == "responses" else '"choices":[{"message":"'
        )
        return f'{{"id":"x","model":"{model}","padding":"{"p" * 420}",{place}{words}"}}],{usage}}}'
    each = f'data: {{"id":"chatcmpl-0","object":"chunk","model":"{model}","choices":[{{"delta":{{"content":"'
    pieces = max(1, events)
    length = len(words) / pieces
    told = [each + words[round(n * length) : round((n + 1) * length)] + '"}}]}\n\n' for n in range(pieces)]
    if outcome == "client-closed":
        return "".join(told)
    if caller.surface == "responses":
        end = f'data: {{"type":"response.completed","response":{{{usage}}}}}\n\n'
    else:
        end = f'data: {{"choices":[],{usage}}}\n\ndata: [DONE]\n\n'
    return "".join(told) + end


def write_logs(folder: Path, callers: Sequence[Caller], loss: Loss, requests: int, seed: str) -> None:
    """Write ``logs`` (blobs of both categories) and ``truth.csv`` of so many requests to *folder*."""
    rng = Random(seed)
    lines: dict[tuple[str, datetime], list[bytes]] = defaultdict(list)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "truth.csv").open("w", encoding="utf-8", newline="") as file:
        truth = csv.writer(file, lineterminator="\n")
        truth.writerow(TRUTH)
        drawn = rng.choices(callers, [caller.weight for caller in callers], k=requests)
        for number, caller in enumerate(drawn):
            request = draw(rng, caller)
            name = f"{seed}-{number:06}".replace(" ", "").replace(",", "-")
            _record(lines, request, loss(request, rng), name, rng)
            surface = "audio" if caller.surface == "minutes" else caller.surface
            truth.writerow(
                (name, log_time(request.moment), caller.user, caller.subscription, request.model, surface,
                 request.prompt, request.cached, request.completion)
            )  # fmt: skip
    for (container, hour), rows in lines.items():
        blob = folder / "logs" / blob_folder(container, hour) / "PT1H.json"
        blob.parent.mkdir(parents=True)
        blob.write_bytes(b"\n".join(rows) + b"\n")


_PATHS = {
    "chat": "chat/completions",
    "embeddings": "embeddings",
    "audio": "audio/transcriptions",
    "minutes": "audio/transcriptions",
}
_CODES = {"success": (200, 200), "content-filter": (400, 400), "timeout": (408, 408), "client-closed": (499, 200)}


def _record(lines: dict, request: Request, kept: Kept, name: str, rng: Random) -> None:
    caller = request.caller
    code, backend_code = _CODES[request.outcome]
    deployment = request.model[:-11] if caller.surface != "minutes" else "whisper"
    path = "/openai/v1/responses"
    if caller.surface != "responses":
        path = f"/openai/deployments/{deployment}/{_PATHS[caller.surface]}?api-version=2024-10-21"
    upload = round(1600 * request.prompt * math.exp(rng.gauss(0, 0.05)))
    upload = (
        upload if caller.surface == "audio" else rng.randrange(80_000, 900_000) if caller.surface == "minutes" else 0
    )
    properties: dict[str, object] = {
        "method": "POST", "url": f"https://gateway.example{path}", "responseCode": code, "cache": "none",
        "requestSize": caller.header + rng.randrange(16) + len(request.body.encode()) + upload,
        "responseSize": rng.randrange(700, 760) + request.answer_bytes, "apiId": "models",
        "apimSubscriptionId": caller.subscription, "productId": "all", "clientTime": 3, "backendId": "pool",
        "backendUrl": f"https://account.openai.azure.com{path}", "backendResponseCode": backend_code,
        "backendTime": request.backend_time,
    }  # fmt: skip
    if request.outcome == "client-closed":
        properties["lastError"] = {"reason": "ClientConnectionFailure", "source": "forward-request"}
    if kept.bodies:
        properties |= {"requestBody": cut(request.body, BODY_BYTES), "responseBody": cut(request.answer, BODY_BYTES)}
    line, _ = gateway_line(
        request.moment, name, duration=request.backend_time + 20, caller=caller.address, success=code < 400,
        properties=properties, limit=kept.entry_bytes,
    )  # fmt: skip
    lines["insights-logs-gatewaylogs", hour_of(request.moment)].append(line)
    if not kept.rows or caller.surface in ("audio", "minutes"):
        return
    has_count = kept.count and request.usage_logged
    counts = (request.prompt, request.completion) if has_count else (0, 0)
    rows = llm_lines(
        request.moment, name, request_id=name, api_version="2024-10-21", stream=request.stream,
        served=(deployment, request.model, *counts) if request.outcome == "success" else None,
        request_messages=request.messages, response_messages="",
    )  # fmt: skip
    lines["insights-logs-gatewayllmlogs", hour_of(request.moment)].extend(rows)
