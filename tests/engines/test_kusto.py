"""Opening a Kusto database: what a source may say."""

from __future__ import annotations

import pytest

from aoai_analytics.engines import connect
from aoai_analytics.engines.kusto import KustoEngine, as_query_parameters, host_and_database
from aoai_analytics.errors import SourceError, UnknownName, WrongUse


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("kusto://contoso.westeurope/Gateway", ("contoso.westeurope.kusto.windows.net", "Gateway")),
        ("kusto://contoso.westeurope.kusto.windows.net/Gateway/", ("contoso.westeurope.kusto.windows.net", "Gateway")),
        ("kusto://x.z1.kusto.fabric.microsoft.com/My logs", ("x.z1.kusto.fabric.microsoft.com", "My logs")),
    ],
)
def test_a_source_names_a_cluster_and_a_database(source: str, expected: tuple[str, str]) -> None:
    assert host_and_database(source) == expected


@pytest.mark.parametrize("source", ["kusto://", "kusto://a", "kusto:///Gateway", "kusto://a/b/c", "kusto://a b/c"])
def test_a_malformed_source_is_wrong_use(source: str) -> None:
    with pytest.raises(WrongUse, match="kusto://CLUSTER"):
        connect(source)


def test_connect_opens_a_cluster_without_asking_anything() -> None:
    engine = connect("kusto://contoso.westeurope/Gateway", credential="AzureCliCredential")
    assert isinstance(engine, KustoEngine)
    engine.close()
    engine.close()


def test_a_cluster_that_is_none_of_azures_gets_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.kusto.data._cloud_settings import CloudSettings

    class Token:
        def get_token(self, *_: str, **__: object) -> None:
            raise AssertionError("no token may be asked for")

    monkeypatch.setattr(CloudSettings, "get_cloud_info_for_cluster", lambda *_, **__: CloudSettings.DEFAULT_CLOUD)
    engine = connect("kusto://kusto.example.com/Gateway", credential=Token())
    with pytest.raises(WrongUse, match="is not a trusted Kusto endpoint"):
        engine.query("print 1")


def test_an_unknown_kind_of_source_names_the_known_ones() -> None:
    with pytest.raises(SourceError, match=r"log-analytics://WORKSPACE-ID or kusto://CLUSTER/DATABASE"):
        connect("sql://server")


def test_parameters_leave_the_text_and_keep_its_lines() -> None:
    kql = "let topN = 5; // rows\nlet name = 'x';\nT | where A == name | take topN"
    text, values = as_query_parameters(kql, {"name": 'a"b'})
    assert text == "let topN = 5; // rows\n\nT | where A == name | take topN"
    assert values == {"name": ("string", '"a\\"b"')}


def test_a_parameter_that_is_not_there_is_an_unknown_name() -> None:
    engine = connect("kusto://contoso/Gateway", credential="AzureCliCredential")
    with pytest.raises(UnknownName, match="no parameter 'nam'"):
        engine.query("let name = 'x';\nprint name", parameters={"nam": "y"})
