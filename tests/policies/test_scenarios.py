"""One request through the gateway for each file of ``scenarios/``: what is answered, sent to a backend and traced."""

from __future__ import annotations

import json

import pytest

from tests.policies import gateway

FILES = sorted((gateway.REPO / "tests/policies/scenarios").glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_scenario_ends_as_it_says(file):
    case = json.loads(file.read_text())
    product, expected = case.get("product"), case["expect"]
    policy = gateway.effective(
        product, options=case.get("options", ()), first=case.get("first", ""), models=case.get("models")
    )
    result = gateway.send(policy, gateway.scenario(case["scenario"], product=product))

    client = result["client"]
    assert client["status"] == expected["status"]
    assert gateway.messages(result) == expected["traces"]
    assert len(result["backend"]) == expected["sent"]
    if "error" in expected:
        asked = case["scenario"].get("request", {}).get("url", "")
        found = gateway.error(result, claude="/anthropic/" in asked.lower())
        assert {name: found[name] for name in expected["error"]} == expected["error"]
    for name, value in expected.get("clientHeaders", {}).items():
        assert client["headers"].get(name) == value, name
    for text in expected.get("unsaid", ()):
        assert text not in json.dumps([client, result["backend"], result["traces"]])
    for text in expected.get("said", ()):
        assert text in json.dumps(client)
    if "sentTo" in expected:
        assert [sent["backendId"] for sent in result["backend"]] == expected["sentTo"]
    if "sentBody" in expected:
        assert [sent["body"] for sent in result["backend"]] == [expected["sentBody"]] * len(result["backend"])
    assert result["waitedSeconds"] == 0, "no caller waits inside the gateway"
    for sent in result["backend"]:
        headers = {name.lower(): value for name, value in sent["headers"].items()}
        if "sentHeaders" in expected:
            assert headers == {name.lower(): value for name, value in expected["sentHeaders"].items()}
        assert sent["url"] == expected.get("sentUrl", sent["url"])
    metrics = [metric["dimensions"] for metric in result["metrics"]]
    assert metrics == expected.get("metrics", metrics)
    for name, value in expected.get("variables", {}).items():
        assert result["variables"].get(name) == value


def test_each_scenario_is_told_in_a_sentence():
    assert FILES
    titles = [json.loads(file.read_text())["title"] for file in FILES]
    assert all(title.endswith(".") for title in titles) and len(set(titles)) == len(titles)
