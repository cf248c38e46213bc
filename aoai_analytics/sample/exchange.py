"""The text, bodies and tokens of one request and its response."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Any

from aoai_analytics.sample import bodies
from aoai_analytics.sample.bodies import Answered, Body, Usage, written
from aoai_analytics.sample.flaws import Flaws
from aoai_analytics.sample.vocabulary import Kind, Text, compose, kinds, put_together
from aoai_analytics.sample.world import REASONING, V1, Team, Workload

#: Tokens of a chat in addition to its texts: per message, and once.
MESSAGE_TOKENS, REPLY_TOKENS = 4, 3
#: Requested vector sizes; the second is the model's default.
_DIMENSIONS = {"embed-small": (512, 1536), "embed-large": (1024, 3072)}


@dataclass(frozen=True, slots=True)
class Ask:
    """A request: its body, its messages as the LLM log has them (JSON), the user's text, and its tokens."""

    body: Body | None
    messages: str
    text: str
    tokens: int
    tools: bool = False
    image: bool = False
    hostile: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its body, its messages as in the LLM log (JSON), its text, and its tokens."""

    body: Body
    messages: str
    text: str
    usage: Usage
    hostile: bool = False


def kind_of(team: Team, rng: Random) -> Kind:
    names = list(team.texts)
    return kinds()[names[0] if len(names) == 1 else rng.choices(names, list(team.texts.values()))[0]]


def text_of(rng: Random, kind: Kind, tokens: float, hostile_share: float) -> tuple[Text, bool]:
    """A text of the kind, sometimes containing a hostile or misleading sentence."""
    text = compose(kind, tokens, rng)
    if rng.random() >= hostile_share:
        return text, False
    sentences = list(text.sentences)
    sentences.insert(rng.randrange(len(sentences) + 1), rng.choice(kinds()["hostile"].sentences))
    return put_together(kind, sentences), True


def _length(rng: Random, median: float, spread: float, low: float, high: float) -> float:
    return min(max(rng.lognormvariate(math.log(median), spread), low), high)


def ask(
    rng: Random,
    team: Team,
    workload: Workload,
    kind: Kind,
    flaws: Flaws,
    *,
    stream: bool,
    with_usage: bool,
    end_user: str,
) -> Ask:
    """Draw a request's content. ``end_user`` goes into the body under the team's field, if it has one."""
    if workload.surface == "other":
        return Ask(None, "", "", 0)
    if workload.surface == "audio":
        seconds = rng.randrange(5, 90)
        size = seconds * 16_000 if flaws.documents else 3_000 + seconds
        return Ask(bodies.audio_request(size, flaws.body_limit), "", "", seconds * 10)
    if flaws.documents and rng.random() < workload.documents:
        wanted = _length(rng, 5500, 0.55, 2200, 32_000)
    else:
        wanted = _length(rng, workload.prompt * flaws.text_scale, 0.75, 6, 2600)
    text, hostile = text_of(rng, kind, wanted, 0.014)
    fields: dict[str, object] = {} if workload.api is not V1 else {"model": workload.deployment}
    tools = image = False
    if workload.surface == "chat":
        system = kinds()["system"].sentences[team.system]
        messages: list[dict[str, Any]] = [{"role": "system", "content": system.text}]
        tokens = REPLY_TOKENS + 2 * MESSAGE_TOKENS + system.tokens + text.tokens
        asked = text.text
        if rng.random() < 0.18:
            earlier, reply = compose(kind, wanted * 0.3, rng), compose(kind, workload.answer * 0.5, rng)
            messages += [{"role": "user", "content": earlier.text}, {"role": "assistant", "content": reply.text}]
            tokens += 2 * MESSAGE_TOKENS + earlier.tokens + reply.tokens
            asked = f"{earlier.text}\n{asked}"
        content: object = text.text
        draw = rng.random()
        if draw < 0.012:
            image = True
            inline = flaws.documents and rng.random() < 0.3
            tokens += 85 + 170 * rng.randrange(1, 7)
            url = {"url": bodies.image_url(rng, inline=inline)}
            content = [{"type": "text", "text": text.text}, {"type": "image_url", "image_url": url}]
        elif draw < 0.05 and not stream:
            tools = True
            tokens += bodies.TOOLS_TOKENS
        messages.append({"role": "user", "content": content})
        fields["messages"] = messages
        if tools:
            fields["tools"] = bodies.TOOLS
    else:
        tokens, asked = text.tokens, text.text
        messages = [{"role": "user", "content": asked}]
        if workload.surface == "completions":
            fields |= {"prompt": asked, "max_tokens": 2000}
        elif workload.surface == "embeddings":
            fields |= {"input": [asked], "encoding_format": "base64"}
        elif workload.surface == "images":
            fields |= {"prompt": asked, "n": 1, "size": "1024x1024"}
        else:
            fields |= {"input": asked}
            tokens += REPLY_TOKENS + MESSAGE_TOKENS
    if stream:
        fields["stream"] = True
        if with_usage and workload.surface == "chat":
            fields["stream_options"] = {"include_usage": True}
    if end_user and team.caller in ("user", "safety_identifier"):
        fields[team.caller] = end_user
    body = bodies.json_request(fields, escapes=team.escapes)
    return Ask(body, written(messages, escapes=False), asked, tokens, tools, image, hostile)


def answer(
    rng: Random,
    workload: Workload,
    asked: Ask,
    kind: Kind,
    flaws: Flaws,
    *,
    answer_id: str,
    created: int,
    model: str,
    stream: bool,
    with_usage: bool,
    partial: bool = False,
) -> Answer:
    """Draw the model's response. ``partial``: the client left during the stream."""
    limit, surface = flaws.body_limit, workload.surface
    if surface == "other":
        return Answer(Body("", rng.randrange(4_000, 9_000)), "", "", Usage())
    if surface == "embeddings":
        usage = Usage(asked.tokens)
        dimensions = rng.choices(_DIMENSIONS[workload.deployment], (7, 3))[0]
        body = bodies.embeddings_answer(
            usage, model, rng, dimensions=dimensions, usage_first=workload.api is V1, limit=limit
        )
        return Answer(body, "", "", usage)
    if workload.deployment == "posters":  # billed by the picture: no tokens, and no usage in the answer
        return Answer(bodies.linked_image_answer(created, rng, limit), "", "", Usage())
    if surface == "images":
        usage = Usage(asked.tokens, 0, rng.choice((272, 1056)))
        size = rng.randrange(900_000, 1_900_000) if flaws.documents else rng.randrange(1_800, 2_400)
        return Answer(bodies.image_answer(usage, created, size, limit), "", "", usage)

    hostile = False
    if workload.deployment == "gpt-41-nano":  # a classifier: one label is its answer
        text = put_together(kind, rng.choices(kinds()["labels"].sentences, k=1))
    else:
        if not asked.tools and rng.random() < flaws.long_answers and surface in ("chat", "responses"):
            wanted = _length(rng, 9000, 0.2, 7600, 14_000)
        else:
            wanted = _length(rng, workload.answer * flaws.text_scale, 0.65, 5, 1500)
        text, hostile = text_of(rng, kind, wanted, 0.008)
    if partial:
        text = put_together(kind, text.sentences[: rng.randrange(1, len(text.sentences) + 1)])
    reasoning = 64 * round(_length(rng, 5, 0.8, 0, 60)) if workload.deployment in REASONING else 0
    cached = 0
    if asked.tokens >= 1024 and rng.random() < 0.5 and surface != "completions":
        cached = max(1024, 128 * int(asked.tokens * rng.uniform(0.4, 0.98) / 128))
    if asked.tools:
        usage = Usage(asked.tokens, cached, bodies.TOOL_CALL_TOKENS + reasoning, reasoning)
        content = bodies.tool_call(rng)
        body = bodies.chat_answer(Answered(answer_id, created, model, usage, "tool_calls"), content)
        return Answer(body, f'[{{"role":"assistant","content":{content}}}]', "", usage)

    usage = Usage(asked.tokens, cached, text.tokens + reasoning, reasoning)
    draw = rng.random()
    finish = "length" if draw < 0.02 else "content_filter" if draw < 0.024 else "stop"
    envelope = Answered(answer_id, created, model, usage, finish)
    if surface == "audio":
        body = bodies.transcription_answer(usage, text.text)
    elif surface == "completions":
        body = bodies.completion_answer(envelope, text.text)
    elif surface == "responses":
        body = (
            bodies.responses_stream(envelope, text, complete=not partial, limit=limit)
            if stream
            else bodies.responses_answer(envelope, text.text)
        )
    elif stream:
        body = bodies.chat_stream(envelope, text, with_usage=with_usage, complete=not partial, limit=limit)
    else:
        body = bodies.chat_answer(envelope, bodies.quoted(text.text))
    messages = written([{"role": "assistant", "content": text.text}], escapes=False)
    return Answer(body, messages, text.text, usage, hostile)
