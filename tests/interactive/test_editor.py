"""KQL has its colours in JupyterLab: the extension's language, fed line by line as JupyterLab's editor does."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib

import pytest

from aoai_analytics.engines.kql.words import OPERATORS
from tests.conftest import REPO

EXTENSION = REPO / "jupyter/kql"
#: CodeMirror's StringStream (codemirror.net/docs/ref/#language.StringStream), as far as the language uses it.
_RUN = """
const { kql, OPERATORS } = require(process.argv[1]);
class Stream {
  constructor(text) { this.string = text; this.pos = 0; this.start = 0; }
  sol() { return this.pos === 0; }
  next() { return this.string[this.pos++]; }
  skipToEnd() { this.pos = this.string.length; }
  backUp(count) { this.pos -= count; }
  eatSpace() { return this.match(/^\\s+/); }
  match(wanted, consume = true) {
    const rest = this.string.slice(this.pos);
    const found = typeof wanted === "string" ? rest.startsWith(wanted) && [wanted] : rest.match(wanted);
    if (!found || (found.index || 0) > 0) return null;
    if (consume) this.pos += found[0].length;
    return found;
  }
}
const state = kql.startState(), tokens = [];
for (const line of process.argv[2].split("\\n")) {
  const stream = new Stream(line);
  while (stream.pos < line.length) {
    stream.start = stream.pos;
    const kind = kql.token(stream, state);
    if (stream.pos === stream.start) throw new Error("stuck at " + line.slice(stream.pos));
    if (kind) tokens.push([line.slice(stream.start, stream.pos), kind]);
  }
}
console.log(JSON.stringify({ tokens, operators: [...OPERATORS] }));
"""


def read(kql: str) -> tuple[list[tuple[str, str]], set[str]]:
    """The coloured parts of *kql*, each with its kind, and the operators that the extension knows."""
    node = shutil.which("node")
    if not node:
        pytest.skip("needs node")
    command = [node, "-e", _RUN, str(EXTENSION / "static/kql.js"), kql]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout)
    return [(text, kind) for text, kind in found["tokens"]], set(found["operators"])


def test_the_editor_knows_the_operators_of_the_language() -> None:
    assert read("")[1] == OPERATORS


def test_words_texts_numbers_and_comments_have_their_colours() -> None:
    tokens, _ = read(
        "%%kql lake --since 7d\n"
        "AoaiRequests // all\n"
        "| where ModelName has \"a // b\" and Url == @'c\\' or TotalTime-1 > 1.5e3\n"
        "| mv-expand ```two\nlines``` to typeof(string)\n"
        "| summarize count() by bin(TimeGenerated, 1h)"
    )
    kinds = dict(tokens)
    assert tokens[0] == ("%%kql lake --since 7d", "meta")
    assert {word for word, kind in tokens if kind == "keyword"} == {
        *("where", "has", "and", "or", "mv-expand", "to", "typeof", "summarize", "count", "by")
    }
    assert [word for word, kind in tokens if kind == "string"] == ['"a // b"', "@'c\\'", "```two", "lines```"]
    assert [word for word, kind in tokens if kind == "number"] == ["1", "1.5e3", "1h"]
    assert [word for word, kind in tokens if kind == "comment"] == ["// all"]
    assert kinds["bin"] == "variableName.standard" and kinds["TotalTime"] == "variableName"
    assert kinds["string"] == "typeName"


def test_jupyterlab_finds_the_extension_where_a_wheel_puts_it() -> None:
    described = json.loads((EXTENSION / "package.json").read_text("utf-8"))
    assert (EXTENSION / described["jupyterlab"]["_build"]["load"]).is_file()
    project = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))
    assert described["version"] == project["project"]["version"]
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"jupyter/kql": f"share/jupyter/labextensions/{described['name']}"}
