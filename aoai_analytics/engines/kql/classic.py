"""Tables by their older names, over those of a workspace: a published query names either.

Sources: https://learn.microsoft.com/azure/azure-monitor/app/convert-classic-resource (Application Insights), and
https://learn.microsoft.com/azure/azure-monitor/reference/tables/azurediagnostics, whose columns end in their types.
"""

from __future__ import annotations

from .tree import edited, names, read

_SHARED = """timestamp = TimeGenerated, customDimensions = Properties, cloud_RoleName = AppRoleName,
    cloud_RoleInstance = AppRoleInstance, operation_Id = OperationId, operation_Name = OperationName,
    operation_ParentId = ParentId, operation_SyntheticSource = SyntheticSource, user_Id = UserId,
    user_AuthenticatedId = UserAuthenticatedId, user_AccountId = UserAccountId, session_Id = SessionId,
    application_Version = AppVersion, client_Type = ClientType, client_Model = ClientModel, client_OS = ClientOS,
    client_IP = ClientIP, client_City = ClientCity, client_StateOrProvince = ClientStateOrProvince,
    client_CountryOrRegion = ClientCountryOrRegion, client_Browser = ClientBrowser, appId = ResourceGUID, iKey = IKey,
    sdkVersion = SDKVersion, itemCount = ItemCount"""

#: Name -> KQL.
CLASSIC_TABLES = {
    "customMetrics": f"""AppMetrics
| project {_SHARED}, itemType = "customMetric", name = Name, value = Sum, valueCount = ItemCount, valueSum = Sum,
    valueMin = Min, valueMax = Max""",
    "requests": f"""AppRequests
| project {_SHARED}, itemType = "request", id = Id, name = Name, url = Url,
    success = iff(Success, "True", "False"), resultCode = ResultCode, duration = DurationMs, source = Source,
    performanceBucket = PerformanceBucket, customMeasurements = Measurements""",
    "dependencies": f"""AppDependencies
| project {_SHARED}, itemType = "dependency", id = Id, name = Name, target = Target, type = DependencyType,
    data = Data, success = iff(Success, "True", "False"), resultCode = ResultCode, duration = DurationMs,
    performanceBucket = PerformanceBucket, customMeasurements = Measurements""",
    "traces": f"""AppTraces
| project {_SHARED}, itemType = "trace", message = Message, severityLevel = SeverityLevel,
    customMeasurements = Measurements""",
    "customEvents": f"""AppEvents
| project {_SHARED}, itemType = "customEvent", name = Name, customMeasurements = Measurements""",
    "exceptions": f"""AppExceptions
| project {_SHARED}, itemType = "exception", problemId = ProblemId, handledAt = HandledAt, type = ExceptionType,
    message = OuterMessage, assembly = Assembly, method = Method, outerType = OuterType, outerMessage = OuterMessage,
    innermostType = InnermostType, innermostMessage = InnermostMessage, severityLevel = SeverityLevel,
    details = Details, customMeasurements = Measurements""",
}

#: A table -> what a query that names it reads, of as many letters, so that places in the query stay.
STANDS_FOR = {"AzureDiagnostics": "AzureDiagnostic_"}
_LOGGED = """Resource = toupper(tostring(split(_ResourceId, "/")[-1])), ResourceId = toupper(_ResourceId),
    ResourceProvider = "MICROSOFT.APIMANAGEMENT", ResourceType = "SERVICE", Type = "AzureDiagnostics", OperationName,
    CorrelationId, TimeGenerated, TenantId, _ResourceId, _SubscriptionId, _BilledSize, _IsBillable"""
CLASSIC_TABLES["AzureDiagnostic_"] = f"""union AzureDiagnostics,
(ApiManagementGatewayLogs
| project {_LOGGED}, Category = "GatewayLogs", CallerIPAddress = CallerIpAddress, DurationMs = TotalTime,
    ResultType = iff(IsRequestSuccess, "Succeeded", "Failed"), isRequestSuccess_b = IsRequestSuccess,
    location_s = Region, method_s = Method, url_s = Url, backendMethod_s = BackendMethod, backendUrl_s = BackendUrl,
    apiId_s = ApiId, operationId_s = OperationId, productId_s = ProductId, userId_s = UserId, backendId_s = BackendId,
    apimSubscriptionId_s = ApimSubscriptionId, apiRevision_s = ApiRevision, clientProtocol_s = ClientProtocol,
    backendProtocol_s = BackendProtocol, clientTlsVersion_s = ClientTlsVersion, cache_s = Cache,
    responseCode_d = todouble(ResponseCode), backendResponseCode_d = todouble(BackendResponseCode),
    requestSize_d = todouble(RequestSize), responseSize_d = todouble(ResponseSize), cacheTime_d = todouble(CacheTime),
    clientTime_d = todouble(ClientTime), backendTime_d = todouble(BackendTime), totalTime_d = todouble(TotalTime),
    requestBody_s = RequestBody, responseBody_s = ResponseBody, backendRequestBody_s = BackendRequestBody,
    backendResponseBody_s = BackendResponseBody, requestHeaders_s = tostring(RequestHeaders),
    responseHeaders_s = tostring(ResponseHeaders), traceRecords_s = tostring(TraceRecords),
    errors_s = tostring(Errors), lastError_message_s = LastErrorMessage, lastError_reason_s = LastErrorReason,
    lastError_scope_s = LastErrorScope, lastError_section_s = LastErrorSection, lastError_source_s = LastErrorSource,
    lastError_elapsed_d = todouble(LastErrorElapsed)),
(ApiManagementGatewayLlmLog
| project {_LOGGED}, Category = "GatewayLlmLogs", location_s = Region, requestId_s = RequestId,
    sequenceNumber_d = todouble(SequenceNumber), apiVersion_s = ApiVersion, deploymentName_s = DeploymentName,
    modelName_s = ModelName, isStreamCompletion_b = IsStreamCompletion, promptTokens_d = todouble(PromptTokens),
    completionTokens_d = todouble(CompletionTokens), totalTokens_d = todouble(TotalTokens),
    requestMessages_s = tostring(RequestMessages), responseMessages_s = tostring(ResponseMessages))"""


def newer(kql: str) -> str:
    """*kql* with such tables by the names of what they stand for. Raises QueryError where it does not parse."""
    if not any(name in kql for name in STANDS_FOR):
        return kql
    edits = [(n.start, n.end, STANDS_FOR[n.name]) for n in names(read(kql)) if n.name in STANDS_FOR]
    return edited(kql, edits)
