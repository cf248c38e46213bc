"""Records of every spelling become the rows of their table, or are refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.lake.records import (
    SHAPES,
    TEXT_COLUMNS,
    Misfit,
    OtherCategory,
    table_of,
    to_arrow,
    to_row,
)
from aoai_analytics.lake.values import parse_time, utc_date
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, READ_TABLES
from tests.lake.gateway_logs import MARKER, gateway, llm


def row_of(record, **options):
    shape = SHAPES[table_of(record).name]
    return dict(zip(shape.names, to_row(record, shape, **options), strict=True))


def micros(*when: int) -> int:
    return (datetime(*when, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_an_envelope_and_its_properties_become_the_columns_of_the_gateway_table():
    row = row_of(gateway(1, lastError={"source": "retry", "reason": "Timeout", "elapsed": 12}, userId="ada"))
    assert row["TimeGenerated"] == micros(2026, 10, 31, 10, 0, 0, 123456)
    assert (row["CorrelationId"], row["Region"], row["TotalTime"]) == ("id-1", "East US 2", 925)
    assert (row["CallerIpAddress"], row["ResponseCode"], row["UserId"]) == ("203.0.113.7", 200, "ada")
    assert (row["LastErrorSource"], row["LastErrorReason"], row["LastErrorElapsed"]) == ("retry", "Timeout", 12)
    assert row["Category"] == "GatewayLogs"
    assert row["Type"] == "ApiManagementGatewayLogs"
    assert row["_SubscriptionId"] == "00000000-1111-2222-3333-444444444444"
    assert row["_ResourceId"].startswith("/subscriptions/0000")
    assert row["BackendTime"] is None


def test_columns_in_pascal_case_make_the_same_row_as_the_envelope():
    exported = {
        "TimeGenerated": "2026-10-31T10:00:00.1234567Z",
        "Category": "GatewayLogs",
        "OperationName": "Microsoft.ApiManagement/GatewayLogs",
        "CorrelationId": "id-1",
        "CallerIpAddress": "203.0.113.7",
        "TotalTime": 925,
        "IsRequestSuccess": True,
        "Region": "East US 2",
        "_ResourceId": gateway(1)["resourceId"].lower(),
        "Type": "ApiManagementGatewayLogs",
        "Method": "POST",
        "Url": gateway(1)["properties"]["url"],
        "ApiId": "azure-openai-v1",
        "ResponseCode": 200,
        "RequestSize": 1473,
        "RequestBody": gateway(1)["properties"]["requestBody"],
    }
    assert row_of(exported) == row_of(gateway(1))


def test_flat_last_error_fields_are_read_like_the_object():
    flat = row_of(gateway(1, lastErrorReason="Timeout", lastErrorMessage="late"))
    assert flat == row_of(gateway(1, lastError={"reason": "Timeout", "message": "late"}))


def test_the_own_total_time_of_a_record_goes_before_the_envelopes_duration():
    assert row_of(gateway(1, totalTime=7))["TotalTime"] == 7


def test_messages_given_as_text_stay_and_given_as_json_become_json_text():
    assert row_of(llm(1, 1, requestMessages='[{"role": "us'))["RequestMessages"] == '[{"role": "us'
    assert row_of(llm(1, 1, requestMessages=[{"role": "user"}]))["RequestMessages"] == '[{"role":"user"}]'


@pytest.mark.parametrize("given_number", [62, "62", " 62 ", 62.0, "62.0"])
def test_whole_numbers_may_come_as_text(given_number):
    assert row_of(llm(1, 0, promptTokens=given_number))["PromptTokens"] == 62


@pytest.mark.parametrize("value", ["abc", "6 2", 2**31, -(2**31) - 1, "2147483648", 1.5, True, [], {}, 1e300, "1e3"])
def test_a_number_that_does_not_fit_refuses_the_record_naming_only_the_column(value):
    with pytest.raises(Misfit, match=r"^ResponseCode does not fit its column$"):
        row_of(gateway(1, responseCode=value))


def test_the_largest_numbers_that_fit_are_kept():
    assert row_of(gateway(1, responseCode=2**31 - 1))["ResponseCode"] == 2**31 - 1
    assert row_of(gateway(1, backendTime=2**63 - 1))["BackendTime"] == 2**63 - 1
    with pytest.raises(Misfit):
        row_of(gateway(1, backendTime=2**63))


@pytest.mark.parametrize(("value", "kept"), [(True, True), ("False", False), ("true", True), (0, False), ("", None)])
def test_truth_values_are_read_from_their_spellings(value, kept):
    assert row_of(llm(1, 0, isStreamCompletion=value))["IsStreamCompletion"] is kept


def test_a_truth_value_that_is_none_refuses_the_record():
    with pytest.raises(Misfit, match="IsStreamCompletion"):
        row_of(llm(1, 0, isStreamCompletion="perhaps"))


@pytest.mark.parametrize("key", ["time", "correlationId"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_record_without_time_or_correlation_id_is_refused(key, value):
    with pytest.raises(Misfit, match=r"no (time|correlation id)"):
        row_of({**gateway(1), key: value})


@pytest.mark.parametrize("value", ["yesterday", "2026-10-31", "31/10/2026, 10:00:00", "2026-13-01T00:00:00Z", 17, []])
def test_a_time_that_is_none_is_refused(value):
    with pytest.raises(Misfit):
        row_of({**gateway(1), "time": value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-31T02:38:30.1265499Z", micros(2026, 10, 31, 2, 38, 30, 126549)),
        ("2026-10-31T02:38:30+02:00", micros(2026, 10, 31, 0, 38, 30)),
        ("2026-10-31 02:38:30", micros(2026, 10, 31, 2, 38, 30)),
        ("10/31/2026, 12:00:30.126 AM", micros(2026, 10, 31, 0, 0, 30, 126000)),
        ("10/31/2026, 12:00:30 PM", micros(2026, 10, 31, 12, 0, 30)),
    ],
)
def test_times_are_microseconds_in_utc_with_further_digits_cut(text, expected):
    assert parse_time(text) == expected


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)), st.integers(0, 9))
def test_any_time_with_seven_digits_is_cut_to_its_microsecond(moment, digit):
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + f"{digit}Z"
    expected = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert parse_time(text) == expected
    assert utc_date(parse_time(text)) == moment.date().isoformat()


def test_a_category_the_lake_does_not_keep_is_told_from_a_record_that_tells_none():
    with pytest.raises(OtherCategory, match="DeveloperPortalAuditLogs"):
        table_of({"category": "DeveloperPortalAuditLogs"})
    with pytest.raises(OtherCategory, match="Audit"):
        table_of({"Type": "AzureDiagnostics", "Category": "Audit"})
    with pytest.raises(OtherCategory, match="unnamed"):
        table_of({"category": "what\nis this"})
    with pytest.raises(Misfit, match="no category"):
        table_of({"a": 1})


def test_without_category_the_type_the_folder_or_the_columns_tell_the_table():
    assert table_of({"Type": "apimanagementgatewayllmlog"}) is LLM_LOG
    assert table_of({"a": 1}, hint=GATEWAY_LOGS) is GATEWAY_LOGS
    assert table_of({"SequenceNumber": 0, "CorrelationId": "x"}) is LLM_LOG
    assert table_of({"Url": "https://gateway.example/openai"}) is GATEWAY_LOGS
    with pytest.raises(Misfit, match="no category"):
        table_of({"ResponseCode": "200"})


def test_the_llm_log_of_storage_and_event_hub_keeps_cached_and_reasoning_tokens():
    row = row_of(llm(1, 0, promptTokens=2000, promptCachedTokens=1920, completionReasoningTokens="64"))
    assert (row["PromptTokens"], row["PromptCachedTokens"], row["CompletionReasoningTokens"]) == (2000, 1920, 64)
    assert row_of(llm(1, 0, promptTokens=2000))["PromptCachedTokens"] is None


def test_without_messages_no_text_stays_but_sizes_and_tokens_do():
    row = row_of(gateway(1, responseBody=MARKER, backendRequestBody=MARKER), messages=False)
    assert MARKER not in str(row)
    assert row["RequestSize"] == 1473
    row = row_of(llm(1, 1, requestMessages=MARKER, promptTokens=5), messages=False)
    assert MARKER not in str(row)
    assert row["PromptTokens"] == 5


def test_the_columns_of_text_are_columns_of_the_tables():
    assert {column for table in READ_TABLES.values() for column in table.columns} >= TEXT_COLUMNS


def test_rows_become_an_arrow_table_with_the_utc_date():
    shape = SHAPES[GATEWAY_LOGS.name]
    rows = [to_row(gateway(1, time="2026-10-31T23:59:59.9999999Z"), shape), to_row(gateway(2), shape)]
    table = to_arrow(shape, rows)
    assert table.schema == GATEWAY_LOGS.arrow_schema()
    assert table["date"].to_pylist() == ["2026-10-31", "2026-10-31"]
    assert table["TimeGenerated"].to_pylist()[0] == datetime(2026, 10, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert to_arrow(shape, []).num_rows == 0


def test_azure_diagnostics_names_become_the_columns_of_both_logs():
    legacy = {
        "TimeGenerated": "2026-10-31T10:00:00.1234567Z",
        "Category": "GatewayLogs",
        "OperationName": "Microsoft.ApiManagement/GatewayLogs",
        "ResourceId": gateway(1)["resourceId"],
        "SubscriptionId": "00000000-1111-2222-3333-444444444444",
        "ResourceProvider": "MICROSOFT.APIMANAGEMENT",
        "correlationId_g": "id-1",
        "DurationMs": "925",
        "CallerIPAddress": "203.0.113.7",
        "Type": "AzureDiagnostics",
        "isRequestSuccess_b": "true",
        "location_s": "East US 2",
        "method_s": "POST",
        "url_s": gateway(1)["properties"]["url"],
        "apiId_s": "azure-openai-v1",
        "responseCode_d": "200.0",
        "requestSize_d": 1473.0,
        "requestBody_s": gateway(1)["properties"]["requestBody"],
        "lastError_reason_s": "Timeout",
    }
    assert row_of(legacy) == row_of(gateway(1, lastError={"reason": "Timeout"}))
    used = row_of(
        {
            **{key: legacy[key] for key in ("TimeGenerated", "correlationId_g", "Type")},
            "Category": "GatewayLlmLogs",
            "sequenceNumber_d": "0",
            "promptTokens_d": "12",
            "promptCachedTokens_d": "8",
            "modelName_s": "gpt-4o",
            "AdditionalFields": '{"deploymentName_s": "chat-prod", "isStreamCompletion_b": true}',
        }
    )
    assert (used["SequenceNumber"], used["PromptTokens"], used["PromptCachedTokens"]) == (0, 12, 8)
    assert (used["ModelName"], used["DeploymentName"], used["IsStreamCompletion"]) == ("gpt-4o", "chat-prod", True)
    assert used["Properties"] is None


def test_the_azure_clis_none_is_null_in_every_column():
    row = row_of(
        {
            "TableName": "PrimaryResult",
            "TimeGenerated": "2026-10-31T10:00:00Z",
            "CorrelationId": "id-1",
            "Url": "https://gateway.example/openai",
            "ResponseSize": "None",
            "LastErrorReason": "None",
            "Errors": "None",
        }
    )
    assert (row["ResponseSize"], row["LastErrorReason"], row["Errors"]) == (None, None, None)
    assert row_of(gateway(1, cache="None"))["Cache"] == "None"
    assert row_of(gateway(1, backendTime="None"))["BackendTime"] is None


def test_a_field_that_is_no_column_is_kept_by_its_name():
    row = row_of(gateway(1, newFlag=True, policyNotes=MARKER) | {"zone": "2"})
    assert json.loads(row["Properties"]) == {"zone": "2", "newFlag": True, "policyNotes": MARKER}
    assert json.loads(row_of(gateway(1, newFlag=True, policyNotes=MARKER), messages=False)["Properties"]) == {
        "newFlag": True,
        "policyNotes": None,
    }
    assert row_of(gateway(1))["Properties"] is None


def test_a_gateway_record_without_a_url_is_refused():
    with pytest.raises(Misfit, match="without a URL"):
        row_of(gateway(1, url=""))


def test_application_insights_classic_and_workspace_names_make_the_same_row():
    dimensions = {"API ID": "chat", "Subscription ID": "sub-a"}
    classic = {
        "timestamp": "2026-10-31T10:00:00Z",
        "itemType": "customMetric",
        "name": "Prompt Tokens",
        "value": 12,
        "valueSum": 12,
        "valueCount": 1,
        "customDimensions": json.dumps(dimensions),
        "operation_Id": "op-1",
        "cloud_RoleName": "apim-contoso",
    }
    stored = {
        "TimeGenerated": "2026-10-31T10:00:00Z",
        "Type": "AppMetrics",
        "Name": "Prompt Tokens",
        "Sum": 12.0,
        "ItemCount": 1,
        "Properties": dimensions,
        "OperationId": "op-1",
        "AppRoleName": "apim-contoso",
    }
    one, other = row_of(classic), row_of(stored)
    assert json.loads(one.pop("Properties")) == json.loads(other.pop("Properties")) == dimensions
    assert one == other
    call = {"timestamp": "2026-10-31T10:00:00Z", "itemType": "dependency", "id": "d1", "type": "HTTP", "duration": 7.5}
    row = row_of(call | {"success": "False", "resultCode": "429", "target": "aoai-x.openai.azure.com"})
    assert (row["Type"], row["DependencyType"], row["DurationMs"]) == ("AppDependencies", "HTTP", 7.5)
    assert (row["Success"], row["ResultCode"]) == (False, "429")


def test_a_model_accounts_own_log_is_kept_and_another_services_is_not():
    record = {
        "time": "2026-10-31T10:00:00Z",
        "category": "RequestResponse",
        "correlationId": "x",
        "durationMs": 1021,
        "location": "eastus",
        "resourceId": "/SUBSCRIPTIONS/0/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.COGNITIVESERVICES/ACCOUNTS/A",
        "properties": {"modelDeploymentName": "chat", "requestLength": 128},
    }
    row = row_of(record)
    assert (row["Type"], row["DurationMs"], row["location_s"]) == ("AzureDiagnostics", 1021, "eastus")
    assert json.loads(row["properties_s"]) == record["properties"]
    assert row == row_of(record | {"properties": json.dumps(record["properties"], separators=(",", ":"))})
    with pytest.raises(OtherCategory, match="RequestResponse"):
        table_of(record | {"resourceId": "/SUBSCRIPTIONS/0/PROVIDERS/MICROSOFT.SEARCH/SEARCHSERVICES/S"})


def test_an_mcp_record_becomes_a_row_of_its_table():
    record = {"time": "2026-10-31T10:00:00Z", "category": "GatewayMCPLogs", "correlationId": "id-1", "location": "X"}
    row = row_of(record | {"properties": {"method": "tools/call", "toolName": "search", "toolCount": "3"}})
    assert (row["Method"], row["ToolName"], row["ToolCount"], row["Region"]) == ("tools/call", "search", 3, "X")
