"""The tables' columns, as data: the two log tables of Azure Monitor and the two computed from them.

Source of the log tables: Azure Monitor's table reference for ApiManagementGatewayLogs and
ApiManagementGatewayLlmLog (resource-specific tables). The computed tables are defined by
``kql/functions/AoaiRequests.kql`` and ``AoaiMessages.kql``; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

# KQL type -> Arrow type as stored in the lake. A dynamic value is kept as its JSON text.
KQL_TO_ARROW = {
    "string": "string",
    "dynamic": "string",
    "datetime": "timestamp",
    "bool": "bool",
    "int": "int32",
    "long": "int64",
    "real": "float64",
}


#: The column that keeps a record's fields that are no column, by name.
PROPERTIES = "Properties"


@dataclass(frozen=True)
class Table:
    """A table: its name, its columns (name -> KQL type, in order), and what identifies a record.

    ``beyond`` are the columns that Log Analytics lacks: KQL reads them by ``column_ifexists``.
    """

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    beyond: frozenset[str] = frozenset()

    @property
    def workspace_columns(self) -> dict[str, str]:
        """The columns that the table has in a Log Analytics workspace."""
        return {name: kind for name, kind in self.columns.items() if name not in self.beyond}

    def arrow_schema(self, *, partitioned: bool = True) -> pa.Schema:
        """The lake's Arrow schema: the columns, and last the partition column ``date`` (string, ``YYYY-MM-DD``)."""
        import pyarrow as pa

        types = {"timestamp": pa.timestamp("us", tz="UTC"), "bool": pa.bool_()}
        fields = []
        for name, kql_type in self.columns.items():
            arrow = KQL_TO_ARROW[kql_type]
            fields.append(pa.field(name, types.get(arrow) or getattr(pa, arrow)()))
        if partitioned:
            fields.append(pa.field("date", pa.string()))
        return pa.schema(fields)


def _columns(text: str) -> dict[str, str]:
    """``"A, B string; C long"`` -> ``{"A": "string", "B": "string", "C": "long"}``."""
    columns = {}
    for group in text.replace("\n", " ").split(";"):
        names, _, kql_type = group.strip().rpartition(" ")
        for name in names.split(","):
            columns[name.strip()] = kql_type
    return columns


GATEWAY_LOGS = Table(
    "ApiManagementGatewayLogs",
    _columns(
        """TenantId string; TimeGenerated, Timestamp datetime;
        OperationName, OperationId, Category, CorrelationId, Region string; IsRequestSuccess bool;
        ApiId, ApimSubscriptionId, ApiRevision, ProductId, UserId, WorkspaceId, Method, Url,
        CallerIpAddress, ClientProtocol, ClientTlsVersion string; ClientTime long; Cache string;
        CacheTime long; RequestSize, ResponseSize, ResponseCode int; TotalTime long;
        BackendId, BackendMethod, BackendProtocol, BackendUrl string; BackendResponseCode int;
        BackendTime long; RequestHeaders dynamic; RequestBody string; ResponseHeaders dynamic;
        ResponseBody string; BackendRequestHeaders dynamic; BackendRequestBody string;
        BackendResponseHeaders dynamic; BackendResponseBody string; TraceRecords, Errors dynamic;
        LastErrorElapsed long; LastErrorMessage, LastErrorReason, LastErrorScope, LastErrorSection,
        LastErrorSource string;
        IsMasterTrace, IsTraceAllowed, IsTraceExpired, IsTraceRequested bool;
        SourceSystem, Type, _ResourceId, _SubscriptionId string; _BilledSize real; _IsBillable string;
        Properties dynamic"""
    ),
    key=("CorrelationId",),
    beyond=frozenset((PROPERTIES,)),
)

LLM_LOG = Table(
    "ApiManagementGatewayLlmLog",
    _columns(
        """TenantId string; TimeGenerated datetime; OperationName, CorrelationId, Region, RequestId string;
        SequenceNumber int; ApiVersion, DeploymentName, ModelName string; IsStreamCompletion bool;
        PromptTokens, CompletionTokens, TotalTokens int; RequestMessages, ResponseMessages dynamic;
        SourceSystem, Type, _ResourceId, _SubscriptionId string; _BilledSize real; _IsBillable string;
        PromptCachedTokens, CompletionReasoningTokens int; Properties dynamic"""
    ),
    key=("CorrelationId", "SequenceNumber"),
    # Event Hub, Storage and AzureDiagnostics records have the two token counts.
    beyond=frozenset(("PromptCachedTokens", "CompletionReasoningTokens", PROPERTIES)),
)

_REQUEST_COLUMNS = """TimeGenerated datetime; CorrelationId, ApiId, OperationId, Surface,
    CallerIpAddress, SubscriptionId, ProductId, UserId, EndUserId,
    DeploymentName, ModelName, ModelVersion, BackendId, BackendHost string;
    ResponseCode, BackendResponseCode int; Outcome string; IsStream, CacheHit, FailedOver bool;
    Attempts int; TotalTime, BackendTime, ClientTime, RequestBytes, ResponseBytes,
    PromptTokens, CachedTokens, CompletionTokens, ReasoningTokens, TotalTokens long;
    TokenSource, BodyState, FinishReason, ErrorCode, ErrorMessage, Region string"""

REQUESTS = Table(
    "AoaiRequests",
    _columns(
        _REQUEST_COLUMNS
        + """; PromptTokensError, CompletionTokensError, PromptTokensSharedError,
        CompletionTokensSharedError real"""
    ),
    key=("CorrelationId",),
)

# What AoaiRequests is estimated from; kept so that a new day needs no old body read again.
REQUESTS_LOGGED = Table(
    "AoaiRequestsLogged", _columns(_REQUEST_COLUMNS + "; PromptKind string; PromptBytes long"), key=("CorrelationId",)
)

MESSAGES = Table(
    "AoaiMessages",
    _columns(
        """CorrelationId string; TimeGenerated datetime; Prompt, Response string;
        PromptComplete, ResponseComplete bool; MessageSource string"""
    ),
    key=("CorrelationId",),
)

#: The tables that logs are read into.
LOG_TABLES = {table.name: table for table in (GATEWAY_LOGS, LLM_LOG)}
#: Every table of the lake.
TABLES = LOG_TABLES | {table.name: table for table in (REQUESTS, REQUESTS_LOGGED, MESSAGES)}
