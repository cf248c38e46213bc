"""A page that shows the sandbox's calls as they come, for browsers on this machine. Prompts are redacted by default."""

from __future__ import annotations

import secrets
from collections import deque
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from .call import Call
from .tokens import text_of

Json = dict[str, Any]

#: Calls that the page shows, and characters of a text.
_SHOWN, _PROMPT = 200, 200
REDACTED = "[redacted]"
_HOSTS = ("127.0.0.1", "localhost", "[::1]")


class Live:
    """The latest calls, and what each subscription used. *prompts*: the start of each prompt is shown, too."""

    def __init__(self, *, prompts: bool = False) -> None:
        self._prompts = prompts
        self._calls: deque[Json] = deque(maxlen=_SHOWN)
        self._callers: dict[str, list[int]] = {}

    def note(self, call: Call, number: int) -> None:
        """Show a finished call; *number* counts them."""
        usage = call.answered.reply.usage if call.answered and call.answered.reply else None
        caller = call.subscription or call.caller or "nobody"
        used = self._callers.setdefault(caller, [0, 0, 0])
        for place, more in enumerate((1, usage.total if usage else 0, call.status == 429)):
            used[place] += more
        self._calls.appendleft(
            {
                "number": number,
                "time": f"{call.moment:%H:%M:%S}",
                "caller": caller,
                "surface": call.surface or "no such route",
                "deployment": _clean(call.deployment),
                "status": 499 if call.gone else call.status,
                "tokens": f"{usage.prompt} + {usage.completion}" if usage else "",
                "backends": " → ".join(f"{each.backend or 'none'} ({each.status or '-'})" for each in call.attempts),
                "ms": round(1000 * call.seconds),
                "prompt": _clean(_prompt(call)) if self._prompts else REDACTED,
            }
        )

    async def page(self, request: Request) -> Response:
        """The page, which asks ``calls`` every second."""
        if not for_this_machine(request):
            return JSONResponse({"error": "open the sandbox at 127.0.0.1"}, 403)
        nonce = secrets.token_urlsafe(16)
        policy = f"default-src 'none'; connect-src 'self'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'"
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store", "X-Frame-Options": "DENY"}
        return HTMLResponse(_PAGE.replace("NONCE", nonce), headers=headers)

    async def calls(self, request: Request) -> Response:
        """The calls, latest first, and by caller their number, tokens and refusals."""
        if not for_this_machine(request):
            return JSONResponse({"error": "open the sandbox at 127.0.0.1"}, 403)
        callers = [
            {"caller": name, "calls": calls, "tokens": tokens, "refused": refused}
            for name, (calls, tokens, refused) in sorted(self._callers.items())
        ]
        found = {"calls": list(self._calls), "callers": callers}
        return JSONResponse(found, headers={"Cache-Control": "no-store"})


def for_this_machine(request: Request) -> bool:
    """Whether a browser asked by an address of this machine: another site's name may lead here as well."""
    host = request.headers.get("host", "")
    return (host.rpartition(":")[0] if host[-1:].isdigit() and ":" in host else host) in _HOSTS


def _clean(text: str) -> str:
    """The start of a text; half of a surrogate pair, which JSON can escape, is replaced."""
    return text[:_PROMPT].encode("utf-8", "replace").decode()


def _prompt(call: Call) -> str:
    body = call.body
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else body.get("input", body.get("prompt"))
    return text_of(last.get("content") if isinstance(last, dict) else last)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Sandbox calls</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style nonce="NONCE">
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #1b1b1b; background: #fff }
table { border-collapse: collapse; margin-bottom: 1.5rem } caption { text-align: left; font-weight: 600 }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #ddd; vertical-align: top }
.failed { color: #a4262c } .scroll { overflow-x: auto }
@media (prefers-color-scheme: dark) {
  body { color: #eee; background: #1b1b1b } th, td { border-color: #444 } .failed { color: #ff99a4 }
}
</style>
<main><h1>Sandbox calls</h1>
<p>A sandbox on this machine, not Azure: answers are made up.
<span id="state" role="status">Waiting for calls.</span></p>
<table id="callers"><caption>Callers</caption><thead><tr><th>Caller<th>Calls<th>Tokens<th>Refused (429)</thead>
<tbody></tbody></table>
<div class="scroll" tabindex="0" role="region" aria-label="Latest calls">
<table id="calls"><caption>Latest calls</caption><thead><tr><th>Time (UTC)<th>Caller<th>API<th>Deployment<th>Status
<th>Tokens<th>Backends asked<th>ms<th>Prompt</thead><tbody></tbody></table></div></main>
<script nonce="NONCE">
const columns = {
  callers: ["caller", "calls", "tokens", "refused"],
  calls: ["time", "caller", "surface", "deployment", "status", "tokens", "backends", "ms", "prompt"],
};
let shown = "";
async function refresh() {
  const state = document.getElementById("state");
  try {
    const text = await (await fetch("/sandbox/calls")).text();
    if (text !== shown) {
      const found = JSON.parse(shown = text);
      for (const [name, fields] of Object.entries(columns)) {
        document.querySelector(`#${name} tbody`).replaceChildren(...found[name].map(each => {
          const row = document.createElement("tr");
          row.classList.toggle("failed", each.status >= 400);
          for (const field of fields) row.insertCell().textContent = each[field];
          return row;
        }));
      }
      if (found.calls.length) state.textContent = `${found.calls[0].number} calls so far.`;
    }
  } catch { state.textContent = "The sandbox does not answer."; shown = ""; }
  setTimeout(refresh, 1000);
}
refresh();
</script></html>
"""
