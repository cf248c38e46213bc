"""Application Insights' classic tables, over those of a workspace: a published query names either.

Source: https://learn.microsoft.com/azure/azure-monitor/app/convert-classic-resource (old and new names).
"""

from __future__ import annotations

_SHARED = """timestamp = TimeGenerated, customDimensions = Properties, cloud_RoleName = AppRoleName,
    cloud_RoleInstance = AppRoleInstance, operation_Id = OperationId, operation_Name = OperationName,
    operation_ParentId = ParentId, user_Id = UserId, session_Id = SessionId, itemCount = ItemCount"""

#: Name -> KQL.
CLASSIC_TABLES = {
    "customMetrics": f"""AppMetrics
| project {_SHARED}, name = Name, value = Sum, valueCount = ItemCount, valueSum = Sum, valueMin = Min,
    valueMax = Max""",
    "requests": f"""AppRequests
| project {_SHARED}, id = Id, name = Name, url = Url, success = iff(Success, "True", "False"), resultCode = ResultCode,
    duration = DurationMs, source = Source, customMeasurements = Measurements""",
    "dependencies": f"""AppDependencies
| project {_SHARED}, id = Id, name = Name, target = Target, type = DependencyType, data = Data,
    success = iff(Success, "True", "False"), resultCode = ResultCode, duration = DurationMs,
    customMeasurements = Measurements""",
    "traces": f"""AppTraces
| project {_SHARED}, message = Message, severityLevel = SeverityLevel, customMeasurements = Measurements""",
}
