"""Mixes of traffic on which estimates go wrong, one for each way that was seen: who asks, and what the logs lose."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from .traffic import Caller, Kept, Loss, Request

FOUR_O, MINI, FOUR_ONE, O4, GPT_5 = (
    "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18", "gpt-4.1-2025-04-14", "o4-mini-2025-04-16", "gpt-5-2025-08-07"
)  # fmt: skip


@dataclass(frozen=True)
class Mix:
    """``callers`` draws who asks, ``loss`` what is kept of each request; ``about`` says what is odd."""

    name: str
    about: str
    callers: Callable[[Random], Sequence[Caller]]
    loss: Loss


def _people(rng: Random, count: int = 36, *, spread: float = 0.2, teams: int = 5, **columns: object) -> list[Caller]:
    """Callers of some teams; ``spread`` is how far apart they are in bytes per token."""
    people = []
    for number in range(count):
        team = number % teams
        models = ((FOUR_O, MINI), (MINI,), (FOUR_ONE,), (FOUR_O, FOUR_ONE), (O4, MINI))[team % 5]
        people.append(
            Caller(
                f"user-{number:03}", f"sub-{team}", f"10.0.{team}.{number}", models=models,
                weight=rng.lognormvariate(0, 0.9),
                text_bytes=4.2 * math.exp(rng.gauss(0, spread)), answer_bytes=4.4 * math.exp(rng.gauss(0, spread / 2)),
                header=rng.randrange(450, 900), system=rng.choice((20, 60, 150, 400)),
                prompt=rng.lognormvariate(math.log(220), 0.6), answer=rng.lognormvariate(math.log(140), 0.4),
            )
        )  # fmt: skip
    return [replace(caller, **columns) for caller in people]  # type: ignore[arg-type]


def _some(share: float, kept: Kept | None = None) -> Loss:
    """So large a share of the requests loses its usage wholly, or all but *kept*."""
    less = kept or Kept(rows=False, bodies=False)
    return lambda _request, rng: less if rng.random() < share else Kept()


def _documents(rng: Random) -> list[Caller]:
    return [
        replace(caller, documents=0.12, document_bytes=caller.text_bytes * math.exp(rng.gauss(-0.12, 0.1)))
        for caller in _people(rng)
    ]


def _agents(rng: Random) -> list[Caller]:
    people = _people(rng)
    return [
        replace(caller, tools=rng.choice((600, 1500, 3000))) if n % 4 == 0 else caller
        for n, caller in enumerate(people)
    ]


def _one_agent(rng: Random) -> list[Caller]:
    people = [replace(caller, weight=caller.weight / 20) for caller in _people(rng)]
    return [replace(people[0], weight=60.0, tools=1200, prompt=500.0), *people[1:]]


def _recordings(rng: Random) -> list[Caller]:
    people = _people(rng, 20)
    return [
        *people,
        *(replace(c, surface="minutes", models=("whisper-2024-01-01",), weight=0.6) for c in people[:5]),
        *(
            replace(c, surface="audio", models=("gpt-4o-transcribe-2025-03-20",), prompt=400.0, weight=0.5)
            for c in people[5:9]
        ),
    ]


def _responses(rng: Random) -> list[Caller]:
    return [
        replace(caller, surface="responses", models=(GPT_5,) if n % 2 else (MINI,)) if n % 3 == 0 else caller
        for n, caller in enumerate(_people(rng))
    ]


def _escapes(rng: Random) -> list[Caller]:
    return [replace(caller, escaped=n % 3 == 0) for n, caller in enumerate(_people(rng))]


def _strangers(rng: Random) -> list[Caller]:
    """Nobody names a user, and a team's people share an address: what can be told apart is fewer than who asks."""
    return [replace(caller, named=False, address=f"203.0.113.{n % 6}") for n, caller in enumerate(_people(rng))]


def _scripts(rng: Random) -> list[Caller]:
    return [
        replace(caller, other=rng.choice((0, 0, 0.3, 0.6, 0.95)), other_bytes=rng.uniform(1.7, 2.9))
        for caller in _people(rng)
    ]


def _thinkers(rng: Random) -> list[Caller]:
    models = ((O4,), (GPT_5,), (O4, MINI))
    return [
        replace(
            caller, models=models[n % 3], thoughts=rng.lognormvariate(math.log(6), 0.8), pace=0.3, stream=0.6,
            asks_usage=0.25,
        )
        for n, caller in enumerate(_people(rng))
    ]  # fmt: skip


def _arrays(rng: Random) -> list[Caller]:
    embeddings = ("text-embedding-3-large-2024-01-25",)
    return [
        replace(caller, surface="embeddings", models=embeddings, array=rng.choice((1, 4, 16, 48)), prompt=80.0)
        if n % 2
        else caller
        for n, caller in enumerate(_people(rng))
    ]


def _night(rng: Random) -> list[Caller]:
    people = [replace(caller, weight=caller.weight / 10) for caller in _people(rng)]
    job = replace(people[0], weight=36.0, prompt=300.0, answer=5.0, bulk=0.1, bulk_prompt=14_000.0, stream=0.0)
    return [job, *people[1:]]


_NOTHING = Kept(rows=False, bodies=False)
_BODIES = Kept(rows=False)
_SILENT_ROWS = Kept(count=False, bodies=False)


def _bodies_alone(_request: Request, _rng: Random) -> Kept:
    return _BODIES


def _rows_alone(_request: Request, _rng: Random) -> Kept:
    return Kept(bodies=False)


def _without_large(request: Request, _rng: Random) -> Kept:
    return _NOTHING if len(request.body) > 20_000 else Kept()


def _here_and_there(lost: float, *without: Kept) -> Loss:
    """So large a share of the usage is lost, each in one of the ways *without*; half of the others have bodies."""

    def loss(_request: Request, rng: Random) -> Kept:
        return rng.choice(without) if rng.random() < lost else Kept(bodies=rng.random() < 0.5)

    return loss


def _of_callers(share: float) -> Loss:
    """All usage of so large a share of the callers is lost, that of the same ones each time."""
    return lambda request, _rng: _NOTHING if Random(request.caller.user).random() < share else Kept()


def _most_large(request: Request, rng: Random) -> Kept:
    return _NOTHING if rng.random() < (0.8 if len(request.body) > 20_000 else 0.05) else Kept()


def _callers_and_some(request: Request, rng: Random) -> Kept:
    return _NOTHING if Random(request.caller.user).random() < 0.3 or rng.random() < 0.1 else Kept()


def _of_one_team(request: Request, _rng: Random) -> Kept:
    return Kept() if request.caller.subscription == "sub-0" else _NOTHING


def _of_a_model(request: Request, _rng: Random) -> Kept:
    return _NOTHING if request.model == FOUR_ONE else Kept()


def _of_responses(request: Request, rng: Random) -> Kept:
    return _NOTHING if request.caller.surface == "responses" and rng.random() < 0.6 else Kept()


def _nearly_all(request: Request, _rng: Random) -> Kept:
    return Kept() if request.moment.microsecond % 1000 < 3 else _NOTHING


MIXES = (
    Mix("plain", "a tenth of the requests, at random", _people, _some(0.1)),
    Mix(
        "large",
        "only bodies are logged: requests over 8 KB and entries over 32 KB lose their usage",
        _documents,
        _bodies_alone,
    ),
    Mix("large-rows", "requests over 20 KB lose all they have", _documents, _without_large),
    Mix(
        "tools",
        "agents whose tools are in the body and not in the LLM log",
        _agents,
        _here_and_there(0.4, _SILENT_ROWS, _BODIES),
    ),
    Mix(
        "one-agent",
        "an agent with tools makes most of the traffic",
        _one_agent,
        _here_and_there(0.2, _SILENT_ROWS, Kept(count=False)),
    ),
    Mix(
        "styles",
        "a third of the callers, very different ones, have no known usage at all",
        lambda rng: _people(rng, 48, spread=0.35),
        _of_callers(0.33),
    ),
    Mix("strangers", "nobody is named, addresses are shared", _strangers, _some(0.2)),
    Mix("one-team", "one team's usage is logged, no other's", lambda rng: _people(rng, 40), _of_one_team),
    Mix("unseen-model", "one model's usage is never logged", _people, _of_a_model),
    Mix(
        "unknown-mode",
        "half have neither bodies nor rows; answers think and stream",
        lambda rng: _people(rng, stream=0.5, models=(O4, MINI)),
        _some(0.5),
    ),
    Mix(
        "silent-streams",
        "most streams are asked for no usage",
        lambda rng: _people(rng, stream=0.7, asks_usage=0.3),
        _rows_alone,
    ),
    Mix(
        "pictures",
        "pictures in a quarter of the requests",
        lambda rng: _people(rng, pictures=0.25),
        _some(0.25, _SILENT_ROWS),
    ),
    Mix(
        "pictures-cut",
        "pictures in a quarter of the requests; only bodies are logged",
        lambda rng: _people(rng, pictures=0.25),
        _bodies_alone,
    ),
    Mix("recordings", "audio by the minute beside audio by tokens", _recordings, _some(0.2)),
    Mix(
        "refused",
        "a fifth is refused by the filter, times out or is left by the client",
        lambda rng: _people(rng, failing=0.07),
        _some(0.05),
    ),
    Mix(
        "escapes",
        "some clients escape their text: one text, two lengths",
        _escapes,
        _here_and_there(0.3, _SILENT_ROWS, _NOTHING),
    ),
    Mix("responses", "Responses whose model no record names", _responses, _of_responses),
    Mix("few-known", "a handful of requests in all is known", _people, _nearly_all),
    Mix(
        "cached",
        "cached tokens, of which the LLM log knows nothing",
        lambda rng: _people(rng, cached=0.6, system=1400),
        _rows_alone,
    ),
    Mix("scripts", "each caller writes two scripts, of other bytes per token", _scripts, _some(0.2)),
    Mix("thinkers", "hidden reasoning whose effort differs by caller; most streams silent", _thinkers, _rows_alone),
    Mix("arrays", "embeddings of arrays, whose usage is cut off at 8 KB", _arrays, _bodies_alone),
    Mix(
        "crowd",
        "400 users of few requests, a third without any known usage",
        lambda rng: _people(rng, 400, spread=0.3, teams=9),
        _callers_and_some,
    ),
    Mix("night", "one user of two sizes makes most of it; the large ones lose their usage", _night, _most_large),
    Mix(
        "bots",
        "four callers, very different, each alone at its address",
        lambda rng: _people(rng, 4, spread=0.4),
        _some(0.3),
    ),
)
