"""The query pack: the library in the portal's picker, without what shows prompts unless asked for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from aoai_analytics.cli import main
from aoai_analytics.export.query_pack import query_pack
from aoai_analytics.export.summary_rules import of_sums, rollup
from aoai_analytics.library import library
from tests.conftest import REPO
from tests.infra.conftest import INFRA, bicep_program


def test_every_query_that_runs_in_the_portal_is_there_with_its_title_and_text() -> None:
    packed = {entry["labels"][1]: entry for entry in query_pack(prompts=True) if "hourly totals" not in entry["labels"]}
    assert set(packed) == {query.name for query in library() if not query.header.get("then")}
    for query in library():
        if query.name in packed:
            entry = packed[query.name]
            assert (entry["displayName"], entry["description"]) == (query.title, query.question)
            assert entry["body"] == query.text


def test_no_query_shows_prompts_unless_asked_for() -> None:
    shows = {query.name for query in library() if query.header.get("shows") == "prompts"}
    names = {entry["labels"][1] for entry in query_pack()}
    assert shows and not shows & names
    with_prompts = {entry["labels"][1] for entry in query_pack(prompts=True)}
    assert with_prompts - names == {name for name in shows if not library().get(name).header.get("then")}


def test_ids_are_guids_of_their_own_that_stay() -> None:
    ids = [entry["id"] for entry in query_pack(prompts=True)]
    assert len(set(ids)) == len(ids) and all(str(UUID(id_)) == id_ for id_ in ids)
    by_name = {entry["labels"][1]: entry["id"] for entry in query_pack() if "hourly totals" not in entry["labels"]}
    assert by_name["tokens/by-subscription"] == "924f988f-171b-5885-b86b-2c221f2fbf36"
    assert by_name["cost/total"] == "e76a6fb2-a236-5c48-97d7-22ca14d2e3ed"


def test_what_is_asked_of_hourly_sums_sets_its_own_range_and_has_a_title_of_its_own() -> None:
    of_hours = [entry for entry in query_pack() if "hourly totals" in entry["labels"]]
    assert [entry["labels"][1] for entry in of_hours] == [query.name for query in of_sums()]
    titles = [entry["displayName"] for entry in query_pack()]
    assert len(set(titles)) == len(titles)
    for entry in of_hours:
        lets = re.findall(r"^let (\w+) =", entry["body"], re.M)
        assert lets[:3] == ["start", "end", "AoaiHistory_Between"] and len(set(lets)) == len(lets)
        assert not re.search(r"\b(AoaiRequests|AoaiCosts)\b", entry["body"])


def test_the_command_leaves_prompts_out_unless_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "query-pack"]) == 0
    assert json.loads(capsys.readouterr().out) == query_pack()
    assert main(["export", "query-pack", "--prompts"]) == 0
    assert json.loads(capsys.readouterr().out) == query_pack(prompts=True)


def test_the_modules_take_what_is_exported(tmp_path: Path) -> None:
    """Bicep checks the committed files against the modules' types, and says what they would deploy."""
    program = bicep_program()
    if program is None:
        pytest.skip("needs bicep: ../shared/tools/bicep or a bicep on PATH")
    shutil.copytree(INFRA / "modules", tmp_path / "infra/modules")
    shutil.copy(INFRA / "bicepconfig.json", tmp_path / "infra")
    shutil.copytree(REPO / "setup_scripts/exports", tmp_path / "exports")
    (tmp_path / "infra/try.bicep").write_text(
        """module rule 'modules/summary-rules.bicep' = {
  params: { workspaceName: 'log-aoai-dev', rollup: loadJsonContent('../exports/summary-rules.json') }
}

module pack 'modules/query-pack.bicep' = {
  params: { name: 'qp-aoai-dev', location: 'eastus2', queries: loadJsonContent('../exports/query-pack.json') }
}
""",
        "utf-8",
    )
    (tmp_path / "infra/try.bicepparam").write_text("using 'try.bicep'\n", "utf-8")
    (tmp_path / "home").mkdir()
    scope = ["--subscription-id", "00000000-0000-0000-0000-0000000000aa", "--resource-group", "rg"]
    ran = subprocess.run(
        [program, "snapshot", "try.bicepparam", "--mode", "overwrite", *scope, "--location", "eastus2"],
        cwd=tmp_path / "infra",
        env=os.environ | {"HOME": str(tmp_path / "home"), "DOTNET_BUNDLE_EXTRACT_BASE_DIR": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    resources = json.loads((tmp_path / "infra/try.snapshot.json").read_text("utf-8"))["predictedResources"]
    kinds = [resource["type"].split("/", 1)[1] for resource in resources]
    assert kinds.count("queryPacks/queries") == len(query_pack())
    made = {
        kind: resource["properties"]
        for kind, resource in zip(kinds, resources, strict=True)
        if "properties" in resource
    }
    rule = made["workspaces/summaryLogs"]["ruleDefinition"]
    assert (rule["binSize"], rule["binDelay"], rule["destinationTable"]) == (1440, 180, "AoaiHourly_CL")
    assert rule["query"] == rollup()["query"]
    table = made["workspaces/tables"]
    assert (table["retentionInDays"], table["totalRetentionInDays"]) == (730, 2556)
    assert [column["name"] for column in table["schema"]["columns"]][:2] == ["TimeGenerated", "Hour"]
    assert made["workspaces/savedSearches"]["functionAlias"] == "AoaiHistory"
