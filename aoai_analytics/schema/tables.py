"""The tables' columns, as data: the gateway's two log tables in Azure Monitor, and the tables computed from them.

Source of the log tables: Azure Monitor's table reference for ApiManagementGatewayLogs and
ApiManagementGatewayLlmLog (resource-specific tables). The computed tables are defined by
``kql/functions/AoaiRequests.kql`` and ``AoaiMessages.kql``; a test compares them.
"""

from __future__ import annotations

from aoai_analytics.schema.sources import SOURCE_TABLES
from aoai_analytics.schema.table import ENVELOPE, PROPERTIES, Table, columns_of

GATEWAY_LOGS = Table(
    "ApiManagementGatewayLogs",
    columns_of(
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
    needs=("CorrelationId", "Url"),
    stand_ins=ENVELOPE,
)

LLM_LOG = Table(
    "ApiManagementGatewayLlmLog",
    columns_of(
        """TenantId string; TimeGenerated datetime; OperationName, CorrelationId, Region, RequestId string;
        SequenceNumber int; ApiVersion, DeploymentName, ModelName string; IsStreamCompletion bool;
        PromptTokens, CompletionTokens, TotalTokens int; RequestMessages, ResponseMessages dynamic;
        SourceSystem, Type, _ResourceId, _SubscriptionId string; _BilledSize real; _IsBillable string;
        PromptCachedTokens, CompletionReasoningTokens int; Properties dynamic"""
    ),
    key=("CorrelationId", "SequenceNumber"),
    # Event Hub, Storage and AzureDiagnostics records have the two token counts.
    beyond=frozenset(("PromptCachedTokens", "CompletionReasoningTokens", PROPERTIES)),
    stand_ins=ENVELOPE,
)

_REQUEST_COLUMNS = """TimeGenerated datetime; CorrelationId, ApiId, OperationId, ApiVersion, Surface,
    CallerIpAddress, SubscriptionId, ProductId, UserId, EndUserId, ClientName,
    DeploymentName, ModelName, ModelVersion, BackendId, BackendHost string;
    ResponseCode, BackendResponseCode int; Outcome string; IsStream, CacheHit, FailedOver bool;
    Attempts int; TotalTime, BackendTime, ClientTime, RequestBytes, ResponseBytes,
    PromptTokens, CachedTokens, CacheWriteTokens, CompletionTokens, ReasoningTokens, TotalTokens long;
    ServiceTier, TokenSource, BodyState, FinishReason, ErrorCode, ErrorMessage, Region, User string"""

REQUESTS = Table(
    "AoaiRequests",
    columns_of(
        _REQUEST_COLUMNS
        + """; PromptTokensError, CompletionTokensError, PromptTokensSharedError,
        CompletionTokensSharedError, TokensOwnVariance, TokensSharedError real;
        Team, CostCenter, Environment, Application, CallerName string; CacheWriteHourTokens long;
        EstimateBasis string; Calibrated bool; UncalibratedTokens long;
        UncalibratedOwnVariance, UncalibratedSharedError real; CachedTokenSource string; CachedTokensError real"""
    ),
    key=("CorrelationId",),
)

# Inputs of AoaiRequests' estimates; stored so that a new day does not reread old bodies.
REQUESTS_LOGGED = Table(
    "AoaiRequestsLogged",
    columns_of(
        _REQUEST_COLUMNS
        + """; PromptKind string;
        PromptBytes, CacheWriteHourTokens, Pictures, PictureBytes, BodyBytes, LeastPromptTokens long"""
    ),
    key=("CorrelationId",),
)

MESSAGES = Table(
    "AoaiMessages",
    columns_of(
        """CorrelationId string; TimeGenerated datetime; Prompt, Response string;
        PromptComplete, ResponseComplete bool; MessageSource string"""
    ),
    key=("CorrelationId",),
)

#: The gateway's two logs, from which requests and messages are computed.
LOG_TABLES = {table.name: table for table in (GATEWAY_LOGS, LLM_LOG)}
#: Every table that an ingest writes records to.
READ_TABLES = LOG_TABLES | SOURCE_TABLES
#: Every table of the lake.
TABLES = READ_TABLES | {table.name: table for table in (REQUESTS, REQUESTS_LOGGED, MESSAGES)}
