"""Reading schedules as those do who run them: cron, systemd, GitHub and Bicep, each by its documented rules."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def cron_command(line: str) -> str:
    """The command that cron gives to the shell: up to the first bare ``%``, with a backslash before ``%`` taken away.

    As Vixie cron's ``child_process``: a backslash and what follows it are a pair.
    """
    text = line.split(" ", 5)[5]
    taken, escaped = "", False
    for character in text:
        if escaped:
            taken = taken[:-1] + character if character == "%" else taken + character
            escaped = False
        elif character == "%":
            return taken
        else:
            taken += character
            escaped = character == "\\"
    return taken


def systemd_words(value: str) -> list[str]:
    """The words of a command line in a unit: lines joined, quotes and escapes undone, ``%%`` and ``$$`` made one.

    As systemd.syntax(7) and systemd.service(5), "Command lines", say. A bare specifier or variable is a fault.
    """
    text = re.sub(r"\\\n\s*", " ", value)
    words: list[str] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        word, quote = "", ""
        while at < len(text) and (quote or not text[at].isspace()):
            character = text[at]
            if character == "\\":
                word += {"\\": "\\", '"': '"', "'": "'"}[text[at + 1]]
                at += 2
                continue
            if character in "'\"" and quote in ("", character):
                quote = "" if quote else character
            else:
                word += character
            at += 1
        assert not quote
        words.append(word)
    for sign in "%$":
        assert all(len(run) % 2 == 0 for word in words for run in re.findall(rf"{re.escape(sign)}+", word)), words
    return [word.replace("%%", "%").replace("$$", "$") for word in words]


def github_text(text: str) -> str:
    """What GitHub makes of a text with expressions: each must be a string's literal."""

    def value(found: re.Match[str]) -> str:
        literal = re.fullmatch(r"\s*'((?:[^']|'')*)'\s*", found[1])
        assert literal, f"an expression: {found[0]}"
        return literal[1].replace("''", "'")

    return re.sub(r"\$\{\{((?:'(?:[^']|'')*'|[^'}])*)\}\}", value, text)


def words_of_shell(command: str, folder: Path, shell: str = "sh") -> list[list[str]]:
    """The arguments of each call of ``folder/aoai`` that *command* makes, run by a real shell."""
    record = folder / "called"
    record.unlink(missing_ok=True)
    program = folder / "aoai"
    program.write_text(
        f"#!/bin/sh\n{{ for word in \"$@\"; do printf '%s\\0' \"$word\"; done; printf '\\n\\0'; }} >> '{record}'\n"
    )
    program.chmod(0o755)
    done = subprocess.run([shell, "-c", command], cwd=folder, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    calls = record.read_bytes().decode().split("\n\0")[:-1]
    return [call.split("\0")[:-1] for call in calls]
