"""The sandbox as a web application: requests to the API, and the commands that break and restore its backends."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..errors import AoaiError, WrongUse
from . import media
from .call import Call
from .decide import Answer, Deciding, parsed
from .issuer import IDENTITY_HEADER
from .live import Live
from .log import Log

Json = dict[str, Any]

ABOUT = "The sandbox of aoai-analytics: made-up answers from this machine, not Azure."
#: The response header with the CorrelationId of the logs. The deployed gateway has none like it.
CORRELATION_HEADER = "x-sandbox-correlation-id"
#: Bytes of an answer that the log may need.
_KEPT = 8192
_FLUSH_SECONDS = 0.5
#: Events of a stream that are due within so many seconds are sent together.
_TICK = 0.01


class Sandbox:
    """A gateway: what decides, what is logged, and how fast the stand-ins answer.

    ``first_token`` and ``per_token`` are seconds. ``watch`` is called with each finished call.
    """

    def __init__(
        self,
        deciding: Deciding,
        log: Log,
        *,
        first_token: float = 0.0,
        per_token: float = 0.0,
        watch: Callable[[Call], None] | None = None,
        live: Live | None = None,
    ) -> None:
        self.deciding = deciding
        self.log = log
        self.first_token, self.per_token = first_token, per_token
        self._watch = watch or (lambda call: None)
        self.calls = 0
        self.live = live or Live()
        #: Where the loopback Azure of this gateway is, and its ``[setup]`` table; None without one.
        self.azure: Json | None = None
        self.app = Starlette(
            routes=[
                Route("/", self._about),
                Route("/sandbox/state", self._state),
                Route("/sandbox/azure", self._azure),
                Route("/sandbox/live", self.live.page),
                Route("/sandbox/calls", self.live.calls),
                Route("/sandbox/backends/{name}", self._break, methods=["PUT"]),
                Route("/sandbox/products/{name}", self._change, methods=["PUT"]),
                Route("/identity", self._token),
                Route("/{path:path}", self._serve, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            ],
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        writing = asyncio.create_task(self._write())
        try:
            yield
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError):
                await writing
            self.log.flush(late=True)

    async def _write(self) -> None:
        told = ""
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            try:
                self.log.flush()
            except AoaiError as error:
                if str(error) != told:
                    told = str(error)
                    print(f"{told}; the sandbox tries again", file=sys.stderr)

    # -- the API

    async def _serve(self, request: Request) -> Response:
        started = time.perf_counter()
        raw = await request.body()
        text = raw.decode("utf-8", "replace")
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = dict(request.query_params)
        url = str(request.url.remove_query_params(["subscription-key", "api-key"]))
        address = request.client.host if request.client else ""
        kind = headers.get("content-type", "")
        body = media.form_of(kind, raw) if kind.lower().startswith("multipart/form-data") else parsed(text)
        call = Call(request.method, url, address, headers, text, body)
        answer = self.deciding.answer(call, request.url.path, query)
        call.status = answer.status
        answer.headers[CORRELATION_HEADER] = call.correlation_id
        reply = call.answered.reply if call.answered else None
        waited = self.first_token + self.per_token * reply.usage.completion if reply else 0.0
        if answer.events is not None:
            return _Stream(self, call, answer, started, waited)
        call.gone = waited > 0 and await _gone(request, waited)
        call.backend_seconds = time.perf_counter() - started if call.answered else 0.0
        self.deciding.count(call)
        if answer.status == 200:
            answer.headers |= self.deciding.remaining(call)
        response: Response = JSONResponse(answer.body, answer.status, answer.headers)
        if answer.data is not None:
            response = Response(answer.data[0], answer.status, answer.headers, answer.data[1])
        if answer.status == 202:  # a notification's answer has no body
            response = Response(None, 202, answer.headers)
        call.response = bytes(response.body[:_KEPT]).decode("utf-8", "ignore")
        self.finish(call, len(response.body) + _bytes_of(response), started)
        return response

    def finish(self, call: Call, response_bytes: int, started: float) -> None:
        """Log a call whose answer is out."""
        call.response_bytes = response_bytes
        call.seconds = time.perf_counter() - started
        if call.gone:
            call.last_error = ("forward-request", "ClientConnectionFailure", "A task was canceled.", "backend")
        self.calls += 1
        self.log.add(call)
        self.live.note(call, self.calls)
        self._watch(call)

    # -- commands

    async def _about(self, _: Request) -> Response:
        return JSONResponse({"about": ABOUT, "subscriptions": self._keys()})

    def _keys(self) -> dict[str, str]:
        return {each.name: each.key for each in self.deciding.installation.subscriptions.values()}

    async def _state(self, _: Request) -> Response:
        # Whoever looks at the sandbox finds the logs of all that it says; that they cannot be written, _write says.
        with suppress(AoaiError):
            self.log.flush()
        installation = self.deciding.installation
        backends = [
            {
                "name": name,
                "region": each.account.location,
                "priority": each.account.priority,
                "broken": each.broken,
                "breaker": "open" if each.is_out else "closed",
            }
            for name, each in self.deciding.pools.backends.items()
        ]
        products = [
            {
                "name": each.name or "(token)",
                "tokensPerMinute": each.tokens_per_minute,
                "tokensPerMonth": each.tokens_per_month,
                "subscriptions": [one.name for one in installation.subscriptions.values() if one.product == each.name],
            }
            for each in installation.products.values()
        ]
        state = {
            "about": ABOUT,
            "calls": self.calls,
            "logs": str(self.log.folder.resolve()),
            "subscriptions": self._keys(),
        }
        return JSONResponse({**state, "backends": backends, "products": products})

    async def _azure(self, _: Request) -> Response:
        if self.azure is None:
            return JSONResponse({"error": "this sandbox was started without --setup"}, 404)
        return JSONResponse(self.azure)

    async def _break(self, request: Request) -> Response:
        given = parsed((await request.body()).decode())
        try:
            account = self.deciding.installation.account(request.path_params["name"])
        except WrongUse as error:
            return JSONResponse({"error": str(error)}, 404)
        status = given.get("status")
        for backend in self.deciding.pools.backends.values():
            if backend.account == account:
                backend.broken = status
                if status is None:
                    backend.out_until = 0.0
        return JSONResponse({"name": account.name, "broken": status})

    async def _change(self, request: Request) -> Response:
        given = parsed((await request.body()).decode())
        try:
            product = self.deciding.set_limits(
                request.path_params["name"], given.get("tokensPerMinute"), given.get("tokensPerMonth")
            )
        except AoaiError as error:
            return JSONResponse({"error": str(error)}, 404)
        return JSONResponse(
            {
                "name": product.name,
                "tokensPerMinute": product.tokens_per_minute,
                "tokensPerMonth": product.tokens_per_month,
            }
        )

    async def _token(self, request: Request) -> Response:
        """A managed identity's endpoint, as App Service has one: azure-identity asks it."""
        audience = request.query_params.get("resource")
        if not audience or request.headers.get("x-identity-header") != IDENTITY_HEADER:
            return JSONResponse({"error": "this is the sandbox's token endpoint: give resource and the header"}, 400)
        token = self.deciding.issuer.issue(audience, roles=(self.deciding.installation.role,))
        expires = str(int(time.time()) + 3600)
        return JSONResponse(
            {"access_token": token, "expires_on": expires, "resource": audience, "token_type": "Bearer"}
        )


class _Stream(Response):
    """Sends an answer's events at the model's pace, and notices a client that disconnects."""

    def __init__(self, sandbox: Sandbox, call: Call, answer: Answer, started: float, seconds: float) -> None:
        super().__init__(None, answer.status, answer.headers, "text/event-stream")
        del self.headers["content-length"]
        self._sandbox, self._call, self._started, self._seconds = sandbox, call, started, seconds
        self._events = answer.events or []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call, sent, at = self._call, 0, 0
        leaving = asyncio.create_task(_disconnected(receive))
        begun = time.perf_counter()
        first, count = self._sandbox.first_token, len(self._events)
        # Bodies that are logged are buffered by the gateway: such a stream comes at once, at its end.
        buffered = self._sandbox.log.keeps_bodies
        each = max(0.0, self._seconds - first) / count
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while at < count and not leaving.done():
                due = begun + (self._seconds if buffered else first + each * at)
                wait = due - time.perf_counter()
                if wait > 0:
                    await asyncio.wait([leaving], timeout=max(wait, _TICK))
                    continue
                until = count if buffered or not each else min(count, at + 1 + int(-wait / each))
                data = "".join(self._events[at:until])
                await send({"type": "http.response.body", "body": data.encode(), "more_body": True})
                call.response = (call.response + data)[:_KEPT] if len(call.response) < _KEPT else call.response
                sent, at = sent + len(data.encode()), until
            await asyncio.sleep(0)
            call.gone = at < count
            if not call.gone:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()
            call.backend_seconds = time.perf_counter() - self._started
            self._sandbox.deciding.count(call)
            self._sandbox.finish(call, sent + _bytes_of(self), self._started)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _gone(request: Request, seconds: float) -> bool:
    """Waits; True as soon as the client disconnects."""
    try:
        await asyncio.wait_for(_disconnected(request.receive), seconds)
    except TimeoutError:
        return False
    return True


def _bytes_of(response: Response) -> int:
    return sum(len(name) + len(value) + 4 for name, value in response.raw_headers)
