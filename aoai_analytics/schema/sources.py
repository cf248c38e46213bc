"""Optional tables that an ingest also reads, as data.

Source: Azure Monitor's table reference of each. ``stand_ins`` are the classic Application Insights names (requests,
traces, customMetrics, customEvents …) and the names that diagnostic settings write to Storage and Event Hub.
"""

from __future__ import annotations

from aoai_analytics.schema.table import ENVELOPE, PROPERTIES, Table, columns_of

_ADDED = "SourceSystem, Type, _ResourceId, _SubscriptionId string; _BilledSize real; _IsBillable string"

MCP_LOG = Table(
    "ApiManagementGatewayMCPLog",
    columns_of(
        f"""TenantId string; TimeGenerated datetime; CorrelationId, Method, OperationName, ServerName, ServerVersion,
        McpServerEndpoint, ProtocolVersion, ClientName, ClientVersion, SessionId, ToolName string; ToolCount int;
        ApiType, AuthenticationMethod, TransportType, Error, ErrorType, Region string; {_ADDED}; Properties dynamic"""
    ),
    key=("CorrelationId",),
    beyond=frozenset((PROPERTIES,)),
    stand_ins=ENVELOPE,
)

WEBSOCKET_LOG = Table(
    "ApiManagementWebSocketConnectionLogs",
    columns_of(
        f"""TenantId string; TimeGenerated datetime; OperationName, CorrelationId, Region, EventName, Source,
        Destination, Error string; {_ADDED}; Properties dynamic"""
    ),
    key=("CorrelationId",),
    beyond=frozenset((PROPERTIES,)),
    stand_ins=ENVELOPE,
)

_CLIENT = """ClientType, ClientModel, ClientOS, ClientIP, ClientCity, ClientStateOrProvince, ClientCountryOrRegion,
    ClientBrowser, AppVersion, AppRoleName, AppRoleInstance, SDKVersion, IKey, ResourceGUID, UserId,
    UserAuthenticatedId, UserAccountId, SessionId, SyntheticSource, OperationName, OperationId, ParentId string"""
_CLASSIC = {
    "timestamp": "TimeGenerated",
    "time": "TimeGenerated",
    "customDimensions": PROPERTIES,
    "operation_Id": "OperationId",
    "operation_ParentId": "ParentId",
    "operation_Name": "OperationName",
    "operation_SyntheticSource": "SyntheticSource",
    "cloud_RoleName": "AppRoleName",
    "cloud_RoleInstance": "AppRoleInstance",
    "application_Version": "AppVersion",
    "user_Id": "UserId",
    "user_AuthenticatedId": "UserAuthenticatedId",
    "session_Id": "SessionId",
    "itemCount": "ItemCount",
    "resourceId": "_ResourceId",
    "duration": "DurationMs",
}


def _app_table(name: str, columns: str, identity: str, stand_ins: dict[str, str] | None = None) -> Table:
    """A table of workspace-based Application Insights; its time and the column *identity* identify a record."""
    texts = columns_of(f"TenantId string; TimeGenerated datetime; {columns}; {_CLIENT}; Properties dynamic; {_ADDED}")
    return Table(name, texts, key=(identity,), stand_ins=_CLASSIC | (stand_ins or {}))


APP_METRICS = _app_table(
    "AppMetrics",
    "Name string; Sum, Min, Max real; ItemCount int",
    "Name",
    {"valueSum": "Sum", "value": "Sum", "valueMin": "Min", "valueMax": "Max", "valueCount": "ItemCount"},
)
APP_REQUESTS = _app_table(
    "AppRequests",
    """Id, Name, Url, Source string; Success bool; ResultCode string; DurationMs real; PerformanceBucket string;
    Measurements dynamic; ItemCount int; ReferencedItemId, ReferencedType string""",
    "Id",
    {"customMeasurements": "Measurements"},
)
APP_DEPENDENCIES = _app_table(
    "AppDependencies",
    """Id, Name, Target, DependencyType, Data string; Success bool; ResultCode string; DurationMs real;
    PerformanceBucket string; Measurements dynamic; ItemCount int; ReferencedItemId, ReferencedType string""",
    "Id",
    {"customMeasurements": "Measurements", "type": "DependencyType"},
)
APP_TRACES = _app_table(
    "AppTraces",
    "Message string; SeverityLevel int; Measurements dynamic; ItemCount int; ReferencedItemId, ReferencedType string",
    "Message",
    {"customMeasurements": "Measurements"},
)
APP_EVENTS = _app_table(
    "AppEvents", "Name string; Measurements dynamic; ItemCount int", "Name", {"customMeasurements": "Measurements"}
)
APP_EXCEPTIONS = _app_table(
    "AppExceptions",
    """ProblemId, HandledAt, ExceptionType, Assembly, Method, OuterType, OuterMessage, OuterAssembly, OuterMethod,
    InnermostType, InnermostMessage, InnermostAssembly, InnermostMethod string; SeverityLevel int; Details dynamic;
    Measurements dynamic; ItemCount int""",
    "ProblemId",
    {"customMeasurements": "Measurements", "type": "ExceptionType", "problemId": "ProblemId", "details": "Details"},
)

AZURE_METRICS = Table(
    "AzureMetrics",
    columns_of(
        f"""TenantId string; TimeGenerated datetime; ResourceId, ResourceGroup, ResourceProvider, Resource,
        SubscriptionId, OperationName, MetricName string; Total, Count, Maximum, Minimum, Average real;
        TimeGrain, UnitName string;
        {_ADDED}; Properties dynamic"""
    ),
    key=("MetricName",),
    beyond=frozenset((PROPERTIES,)),
    # Metrics in Storage and Event Hub may carry their dimensions.
    stand_ins={"time": "TimeGenerated", "resourceId": "_ResourceId", "dimensions": PROPERTIES, "unit": "UnitName"},
)

USAGE = Table(
    "Usage",
    columns_of(
        f"""TenantId string; TimeGenerated datetime; Computer, DataType, Solution string; Quantity real;
        QuantityUnit, ResourceUri, MeterId, LinkedResourceUri string; StartTime, EndTime datetime;
        IsBillable bool; {_ADDED}; Properties dynamic"""
    ),
    key=("DataType",),
    beyond=frozenset((PROPERTIES,)),
)

#: Azure OpenAI's own logs (categories RequestResponse, AzureOpenAIRequestUsage, Audit, Trace).
AZURE_DIAGNOSTICS = Table(
    "AzureDiagnostics",
    columns_of(
        f"""TenantId string; TimeGenerated datetime; ResourceId, Category, ResourceGroup, SubscriptionId,
        ResourceProvider, Resource, ResourceType, OperationName, ResultType, ResultSignature, ResultDescription,
        CorrelationId string; DurationMs long; CallerIPAddress, Level, location_s, event_s,
        properties_s string; {_ADDED}; Properties dynamic"""
    ),
    key=("Category",),
    beyond=frozenset((PROPERTIES,)),
    stand_ins={
        "time": "TimeGenerated",
        "resourceId": "_ResourceId",
        "location": "location_s",
        "event": "event_s",
        "properties": "properties_s",
    },
)

#: Charges of Cost Management exports that concern models or the gateway; see ``lake.costs``. The first columns are
#: those of FOCUS 1.2, TimeGenerated is ChargePeriodStart. Meter… say what the meter was matched to, MeterQuantity is
#: tokens, or hours. The last ones are of the export: its dataset (FocusCost, AmortizedCost, ActualCost) and run.
COST_DETAILS = Table(
    "CostDetails",
    columns_of(
        f"""TenantId string; TimeGenerated, ChargePeriodEnd, BillingPeriodStart datetime; BillingAccountId,
        BillingCurrency, PricingCurrency string; ExchangeRate real; ChargeCategory, ChargeClass, ChargeDescription,
        PricingCategory, CommitmentDiscountId, CommitmentDiscountStatus string;
        BilledCost, EffectiveCost, ListCost, PricingQuantity real; PricingUnit, SubAccountId, RegionId, ResourceId,
        ServiceName, SkuMeter, MeterId, MeterCategory, MeterSubcategory, InvoiceId, Tags string;
        MeterKind, MeterModel, MeterVersion, MeterDirection, MeterTier, MeterScope string; MeterAbove long;
        MeterQuantity real; MeterMatch, Dataset, DatasetVersion, ExportName, RunId string; RunTime datetime; {_ADDED}"""
    ),
    key=("BillingCurrency",),
)

#: Tables that an ingest reads in addition to the gateway's two logs.
SOURCE_TABLES = {
    table.name: table
    for table in (
        MCP_LOG,
        WEBSOCKET_LOG,
        APP_METRICS,
        APP_REQUESTS,
        APP_DEPENDENCIES,
        APP_TRACES,
        APP_EVENTS,
        APP_EXCEPTIONS,
        AZURE_METRICS,
        USAGE,
        AZURE_DIAGNOSTICS,
        COST_DETAILS,
    )
}
