"""The stand-in for an account's models: real token counts of made-up answers.

The same request gets the same answer. Prompts of 1,024 tokens and more are cached as the services document it: by
prefix, for each account and deployment.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from array import array
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ..sample.vocabulary import compose, kinds
from . import media
from .installation import Account, Deployment
from .tokens import MESSAGE_TOKENS, REPLY_TOKENS, encode, images, pieces_of, text_of

Json = dict[str, Any]

#: A prompt with this word is refused by the content filter.
FORBIDDEN = "FORBIDDEN"
#: Answers that documentation and tests expect.
_KNOWN = {"capital of france": "The capital of France is Paris."}
_CACHE_FROM, _CACHE_STEP = 1024, 128
#: Prefixes and responses that an account remembers.
_REMEMBERED = 20_000
_EFFORT = {"none": 0, "minimal": 0, "low": 64, "medium": 192, "high": 448}
_KINDS = ("support", "engineering", "finance", "legal", "research", "marketing")


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer. Cached and written ones are part of the prompt, reasoning of the completion."""

    prompt: int
    completion: int = 0
    cached: int = 0
    written: int = 0
    written_hour: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion."""
        return self.prompt + self.completion


@dataclass(frozen=True)
class Reply:
    """A model's answer before it has a surface's shape. ``pieces`` are what a stream sends, ``finish`` is OpenAI's."""

    answer_id: str
    deployment: str
    model: str
    created: int
    usage: Usage
    pieces: tuple[str, ...] = ()
    finish: str = "stop"
    tier: str = "default"
    tool: tuple[str, str] | None = None
    vectors: tuple[tuple[float, ...], ...] = ()
    #: Images as base64, and sound with its media type.
    images: tuple[str, ...] = ()
    sound: tuple[bytes, str] = (b"", "")

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)


class Refused(Exception):
    """The service's refusal: its status and its error object."""

    def __init__(self, status: int, error: Json):
        super().__init__(error.get("code"))
        self.status, self.error = status, error


@dataclass
class _Memory:
    """Bounded; the oldest is forgotten first."""

    items: OrderedDict[Any, Any] = field(default_factory=OrderedDict)

    def put(self, key: Any, value: Any) -> None:
        self.items[key] = value
        self.items.move_to_end(key)
        if len(self.items) > _REMEMBERED:
            self.items.popitem(last=False)


@dataclass
class _Prompt:
    """A request's prompt: its tokens in order, and those that no text has (images, the frame of messages)."""

    tokens: list[int] = field(default_factory=list)
    extra: int = 0
    #: Length of the prefix that the request asks to cache (Claude), and for how long.
    marked: int = 0
    hour: bool = False

    def add(self, content: Any) -> None:
        self.tokens += encode(text_of(content))
        self.extra += images(content)

    @property
    def count(self) -> int:
        return len(self.tokens) + self.extra


class Model:
    """The models of one account."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._prefixes = _Memory()
        self._stored = _Memory()
        self._marks: set[int] = set()

    def answer(self, surface: str, name: str, body: Json, end: str) -> Reply:
        """The reply to *body* on a surface; *end* makes its id unique. Raises Refused."""
        deployment = self.account.deployment(name)
        if deployment is None:
            message = "The API deployment for this resource does not exist."
            raise Refused(404, {"code": "DeploymentNotFound", "message": message})
        _check_operation(surface, deployment)
        if FORBIDDEN in json.dumps(body, ensure_ascii=False):
            raise Refused(400, _filtered())
        if surface in media.MODELS:
            return _media(surface, deployment, body, end)
        _check_types(body)
        try:
            return self._answer(surface, deployment, body, end)
        except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            # Somewhere within the members that were checked, the shape is another than the API's.
            raise Refused(400, _wrong("The request does not have the shape of this API.", "body")) from error

    def _answer(self, surface: str, deployment: Deployment, body: Json, end: str) -> Reply:
        prompt = self._prompt(surface, body)
        created = int(time.time())
        if surface == "embeddings":
            vectors = tuple(_vector(each, int(body.get("dimensions") or 1536)) for each in _inputs(body))
            return Reply("", deployment.name, deployment.full_model, created, Usage(prompt.count), vectors=vectors)
        if body.get("n") not in (None, 1):
            raise Refused(400, _wrong("The sandbox answers with one choice: leave n out.", "n"))
        reply = self._spoken(surface, deployment, body, prompt, created, end)
        if surface == "responses" and body.get("store") is not False:
            self._stored.put(reply.answer_id, [*prompt.tokens, *encode(reply.text)])
        return reply

    def _spoken(
        self, surface: str, deployment: Deployment, body: Json, prompt: _Prompt, created: int, end: str
    ) -> Reply:
        seed = hashlib.sha256(array("I", prompt.tokens).tobytes() + deployment.name.encode()).digest()
        rng = Random(seed)
        # From gpt-5.1 on, a model reasons only where it is asked to.
        usual = "medium" if re.match(r"gpt-5(-|$)|o\d", deployment.model) else "none"
        effort = str(body.get("reasoning_effort") or (body.get("reasoning") or {}).get("effort") or usual)
        reasoning = _EFFORT.get(effort, 192) if re.match(r"gpt-[5-9]|o\d", deployment.model) else 0
        most = most_tokens(body) or 1 << 30
        tool = _tool_call(body)
        tokens = encode(f"{tool[0]}{tool[1]}") if tool else encode(_text(prompt, body, rng))
        reasoning = min(reasoning, most)
        finish = "length" if reasoning + len(tokens) > most else "tool_calls" if tool else "stop"
        tokens = tokens[: most - reasoning]
        cached, written = self._from_cache(surface, deployment, prompt)
        usage = Usage(prompt.count, reasoning + len(tokens), cached, written, written if prompt.hour else 0, reasoning)
        pieces = () if tool else tuple(pieces_of(tokens))
        prefix = {"responses": "resp_", "messages": "msg_", "completions": "cmpl-"}.get(surface, "chatcmpl-")
        tier = _tier(body, rng, surface)
        return Reply(
            prefix + end, deployment.name, deployment.full_model, created, usage, pieces, finish, tier,
            tool if finish == "tool_calls" else None,
        )  # fmt: skip

    def _prompt(self, surface: str, body: Json) -> _Prompt:
        prompt = _Prompt()
        if body.get("tools"):
            prompt.tokens += encode(json.dumps(body["tools"], ensure_ascii=False))
        if surface == "chat" or surface == "messages":
            messages = body.get("messages")
            if not isinstance(messages, list) or not messages:
                raise Refused(400, _wrong("'messages' is a required property", "messages"))
            if body.get("system"):
                self._add_blocks(prompt, body["system"])
            for message in messages:
                given = message if isinstance(message, dict) else {}
                self._add_blocks(prompt, given.get("content"))
                if given.get("tool_calls"):
                    prompt.tokens += encode(json.dumps(given["tool_calls"], ensure_ascii=False))
            prompt.extra += MESSAGE_TOKENS * len(messages) + REPLY_TOKENS
        elif surface == "responses":
            if body.get("input") is None:
                raise Refused(400, _wrong("'input' is a required property", "input"))
            earlier = body.get("previous_response_id")
            if earlier and earlier not in self._stored.items:
                raise Refused(400, no_such_response(str(earlier)))
            prompt.tokens += self._stored.items.get(earlier, [])
            items = body["input"] if isinstance(body["input"], list) else [body["input"]]
            for each in filter(None, [body.get("instructions"), *items]):
                prompt.add([each] if isinstance(each, str) else each.get("content", [each]))
            prompt.extra += MESSAGE_TOKENS * len(items) + REPLY_TOKENS
        else:
            name = "input" if surface == "embeddings" else "prompt"
            if not body.get(name):
                raise Refused(400, _wrong(f"'{name}' is a required property", name))
            for each in _inputs(body):
                prompt.tokens += each
        return prompt

    def _add_blocks(self, prompt: _Prompt, content: Any) -> None:
        for block in content if isinstance(content, list) else [content]:
            prompt.add([block] if isinstance(block, dict) else block)
            mark = block.get("cache_control") if isinstance(block, dict) else None
            if isinstance(mark, dict):
                prompt.marked = len(prompt.tokens)
                prompt.hour = mark.get("ttl") == "1h"

    def _from_cache(self, surface: str, deployment: Deployment, prompt: _Prompt) -> tuple[int, int]:
        """Prompt tokens that the cache had, and that were written to it."""
        claude = surface == "messages"
        until = prompt.marked if claude else len(prompt.tokens) // _CACHE_STEP * _CACHE_STEP
        if until < _CACHE_FROM:
            return 0, 0
        # Claude caches what was marked; the others every 128 tokens.
        marks = sorted({until, *(each for each in self._marks if each < until)})
        lengths = marks if claude else [*range(_CACHE_FROM, until, _CACHE_STEP), until]
        keys = list(_prefixes(deployment.name, prompt.tokens, lengths))
        found = [length for length, key in zip(lengths, keys, strict=True) if key in self._prefixes.items]
        cached = max(found, default=0)
        for key in keys[-1:] if claude else keys:
            self._prefixes.put(key, True)
        if claude:
            self._marks.add(until)
        return cached, until - cached if claude or _bills_writes(deployment.model) else 0


def _check_operation(surface: str, deployment: Deployment) -> None:
    """Refuses what this kind of model does not do."""
    kinds_of = [name for name, words in media.MODELS.items() if any(word in deployment.model for word in words)]
    if (kinds_of or [""])[0] != (surface if surface in media.MODELS else ""):
        message = f"The operation does not work with the specified model, {deployment.model}."
        raise Refused(400, {"code": "OperationNotSupported", "message": message})


def _media(surface: str, deployment: Deployment, body: Json, end: str) -> Reply:
    about = (end, deployment.name, deployment.full_model, int(time.time()))
    try:
        if surface == "images":
            found, prompt, completion = media.pictures(body)
            return Reply(*about, Usage(prompt, completion), images=tuple(found))
        if surface == "transcriptions":
            pieces, prompt, completion = media.transcript(body)
            return Reply(*about, Usage(prompt, completion), tuple(pieces))
        data, kind, prompt, completion = media.spoken(body)
    except media.WrongMedia as wrong:
        raise Refused(400, _wrong(*wrong.args)) from wrong
    return Reply(*about, Usage(prompt, completion), sound=(data, kind))


#: The types of members that may be left out or null; the others are looked at where they are used.
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("messages", "tools"), (list,)),
    **dict.fromkeys(("reasoning", "stream_options", "metadata"), (dict,)),
    **dict.fromkeys(("instructions", "reasoning_effort", "previous_response_id", "service_tier"), (str,)),
    "encoding_format": (str,),
    "stream": (bool,),
    "tool_choice": (str, dict),
}
_NUMBERS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "dimensions")


def _check_types(body: Json) -> None:
    wrong = [name for name, types in _TYPES.items() if not isinstance(body.get(name), (*types, type(None)))]
    for name in _NUMBERS:
        value = body.get(name)
        if value is not None and not (isinstance(value, int) and 1 <= value <= 1 << 20):
            wrong.append(name)
    if wrong:
        raise Refused(400, _wrong(f"Invalid value for '{wrong[0]}'.", wrong[0]) | {"code": "invalid_value"})


def most_tokens(body: Json) -> int | None:
    """The bound that a request sets for its answer's tokens."""
    for name in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        if isinstance(body.get(name), int):
            return int(body[name])
    return None


def _bills_writes(model: str) -> bool:
    """Writes to the cache are counted from gpt-5.6 on."""
    found = re.match(r"gpt-(\d+)\.(\d+)", model)
    return bool(found) and (int(found[1]), int(found[2])) >= (5, 6) if found else False


def _prefixes(deployment: str, tokens: list[int], lengths: Iterable[int]) -> Iterable[bytes]:
    digest, at = hashlib.blake2b(deployment.encode(), digest_size=16), 0
    for length in lengths:
        digest.update(array("I", tokens[at:length]).tobytes())
        at = length
        yield digest.copy().digest()


def _text(prompt: _Prompt, body: Json, rng: Random) -> str:
    asked = json.dumps(body.get("messages") or body.get("input") or body.get("prompt"), ensure_ascii=False).lower()
    for words, text in _KNOWN.items():
        if words in asked:
            return text
    kind = kinds()[rng.choice(_KINDS)]
    return compose(kind, min(max(rng.lognormvariate(math.log(60), 0.7), 8), 900), rng).text


def _tier(body: Json, rng: Random, surface: str) -> str:
    asked = body.get("service_tier")
    if surface == "messages":
        return "standard"
    # The service grants priority while it has the capacity.
    return {"flex": "flex", "priority": "priority" if rng.random() < 0.8 else "default"}.get(str(asked), "default")


def _tool_call(body: Json) -> tuple[str, str] | None:
    """Name and arguments of the tool that the request insists on."""
    choice, tools = body.get("tool_choice"), body.get("tools") or []
    wanted = ""
    if isinstance(choice, dict):
        wanted = str(choice.get("name") or (choice.get("function") or {}).get("name") or "")
    insists = bool(wanted) or choice == "required" or (isinstance(choice, dict) and choice.get("type") == "any")
    for tool in tools if insists else ():
        inner = tool.get("function") or tool
        if wanted in ("", inner.get("name")):
            schema = inner.get("parameters") or inner.get("input_schema") or {}
            return str(inner.get("name")), json.dumps(_example(schema))
    return None


def _example(schema: Json) -> Any:
    """A value that a JSON schema takes."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return {name: _example(inner) for name, inner in (schema.get("properties") or {}).items()}
    if kind == "array":
        return [_example(schema.get("items") or {"type": "string"})]
    return {"integer": 1, "number": 1.5, "boolean": True, "null": None}.get(str(kind), "example")


def _inputs(body: Json) -> list[list[int]]:
    """The inputs of an embedding or completion as tokens: a text, texts, tokens, or lists of tokens."""
    given = body.get("input", body.get("prompt"))
    if isinstance(given, str):
        return [encode(given)]
    if not isinstance(given, list):
        raise Refused(400, _wrong("'input' must be a text or a list", "input"))
    if given and not isinstance(given[0], str | list):
        return [_token_ids(given)]
    return [encode(each) if isinstance(each, str) else _token_ids(each) for each in given]


def _token_ids(given: Any) -> list[int]:
    """A prompt that is sent as tokens: whole numbers of 32 bits without a sign."""
    ids = given if isinstance(given, list) else [given]
    if not all(isinstance(each, int) and 0 <= each < 1 << 32 for each in ids):
        raise Refused(400, _wrong("'input' has a token that no tokenizer makes", "input"))
    return ids


def _vector(tokens: list[int], dimensions: int) -> tuple[float, ...]:
    rng = Random(array("I", tokens).tobytes())
    values = [rng.gauss(0, 1) for _ in range(dimensions)]
    length = math.sqrt(sum(value * value for value in values))
    return tuple(value / length for value in values)


def _wrong(message: str, parameter: str) -> Json:
    return {"message": message, "type": "invalid_request_error", "param": parameter, "code": None}


def no_such_response(earlier: str) -> Json:
    """The error of a request that continues a response which the account does not have."""
    error = _wrong(f"Previous response with id '{earlier}' not found.", "previous_response_id")
    return error | {"code": "previous_response_not_found"}


def _filtered() -> Json:
    return {
        "message": "The response was filtered due to the prompt triggering the content management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {"violence": {"filtered": True, "severity": "medium"}},
        },
    }
