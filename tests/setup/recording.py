"""What Bicep's own evaluator says each step's template deploys, recorded so that the loopback ARM can make it.

``python -m tests.setup.recording`` records anew, where there is a Bicep; a test holds the record against the templates.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from aoai_analytics.sandbox.azure import record
from aoai_analytics.sandbox.azure.record import CONFIG
from aoai_analytics.setup.configuration import Configuration, read_configuration
from aoai_analytics.setup.parameters import Standing, checked, for_step
from aoai_analytics.setup.steps import STEPS, Step, modules_of
from aoai_analytics.setup.template import part
from tests.conftest import REPO
from tests.infra.conftest import Conversation, bicep_program

#: Variant -> its record: the first is the sandbox's.
RECORDS = {"open": record.RECORD, "private": Path(__file__).parent / "recorded.json"}
SUMS = "setup_scripts/exports/summary-rules.json"
#: Characters above which a text that is no shipped file is recorded by its digest.
LONGEST = 400
#: Options on top of aoai.toml, in the order in which an installation would take them up.
VARIANTS: dict[str, dict[str, Any]] = {
    "open": {},
    "private": {
        "privateNetwork": True,
        "logToEventHub": True,
        "contentSafety": True,
        "readers": [{"id": "00000000-0000-0000-0000-0000000000cc", "type": "Group"}],
    },
}
STEPS_RECORDED = {
    "open": [step for step in STEPS if modules_of(step) or step.name == "00-start"],
    "private": [step for step in STEPS if step.final],
}

Recorded = dict[str, dict[str, dict[str, Any]]]


def recorded() -> Recorded:
    """Variant -> step -> ``resources`` and ``outputs``."""
    return {variant: record.recorded(path) for variant, path in RECORDS.items()}


def record_all(program: str) -> Recorded:
    """The same, evaluated now: all by one process, which compiles once what the steps have in common."""
    configuration = read_configuration(CONFIG)
    found: Recorded = {variant: {} for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as base:
        environment = {**os.environ, "HOME": base, "DOTNET_BUNDLE_EXTRACT_BASE_DIR": base}
        with Conversation(program, environment) as bicep:
            for variant, steps in STEPS_RECORDED.items():
                for step in steps:
                    folder = Path(base) / f"{variant}-{step.name}"
                    snapshot = _evaluate(bicep, folder, configuration, variant, step)
                    found[variant][step.name] = {
                        "resources": snapshot["predictedResources"],
                        "outputs": snapshot["outputs"],
                    }
    return found


def _evaluate(
    bicep: Conversation, folder: Path, configuration: Configuration, variant: str, step: Step
) -> dict[str, Any]:
    folder.mkdir()
    (folder / "part.json").write_text(json.dumps(part(modules_of(step))), "utf-8")
    parameters = checked({**configuration.parameters, **VARIANTS[variant]})
    given = for_step(parameters, final=step.final, readers=step.readers, standing=Standing())
    given.setdefault("location", configuration.location)
    # The service saves what it is sent: a new function needs no new record.
    given["functions"] = []
    lines = [f"param {name} = {bicep_literal(value)}" for name, value in given.items()]
    (path := folder / "part.bicepparam").write_text("\n".join(["using 'part.json'", *lines, ""]), "utf-8")
    place = {
        "tenantId": str(configuration.tenant),
        "subscriptionId": str(configuration.subscription),
        "resourceGroup": configuration.resource_group,
        "location": configuration.location,
        "deploymentName": None,
    }
    answer = bicep.ask("getSnapshot", path=str(path), metadata=place, externalInputs=None)
    if "snapshot" not in answer:
        raise AssertionError(f"{variant} {step.name}: {answer['error']}")
    snapshot: dict[str, Any] = json.loads(answer["snapshot"])
    return snapshot


def bicep_literal(value: Any) -> str:
    """*value*, of JSON's types, as Bicep writes it."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
        return "'" + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + "'"
    if isinstance(value, list):
        return "[\n" + "\n".join(bicep_literal(item) for item in value) + "\n]"
    if isinstance(value, dict):
        return "{\n" + "\n".join(f"'{key}': {bicep_literal(item)}" for key, item in value.items()) + "\n}"
    return json.dumps(value)


def shipped_texts() -> dict[str, str]:
    """Text -> path, of the files that templates have inside; a member of a JSON file as ``path#member``."""
    setup = REPO / "setup_scripts"
    files = [*setup.glob("policies/**/*.xml"), *setup.glob("infra/api/*.json"), *REPO.glob("kql/functions/*.kql")]
    texts = {path.read_text("utf-8"): path.relative_to(REPO).as_posix() for path in files}
    sums = json.loads((REPO / SUMS).read_text("utf-8"))
    return texts | {sums[member]: f"{SUMS}#{member}" for member in ("query", "functionQuery")}


def texts_out(value: Any, texts: dict[str, str]) -> Any:
    """*value* with the texts of shipped files replaced by where they are."""
    if isinstance(value, dict):
        return {key: texts_out(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [texts_out(item, texts) for item in value]
    if isinstance(value, str) and value in texts:
        return {"$file": texts[value]}
    if isinstance(value, str) and len(value) > LONGEST:
        # A workbook, an alert's query: nothing here reads it, but that it is the same is held.
        return f"{len(value)} characters, SHA-256 {hashlib.sha256(value.encode()).hexdigest()}"
    return value


def main() -> None:
    program = bicep_program()
    if program is None:
        raise SystemExit("needs bicep: ../shared/tools/bicep or a bicep on PATH")
    found = texts_out(record_all(program), shipped_texts())
    for variant, path in RECORDS.items():
        path.write_text(json.dumps(found[variant], indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
