"""Log records as diagnostic settings write them to a storage account: one JSON object per line."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson

from aoai_analytics.sample.flaws import CHUNK_LIMIT
from aoai_analytics.sample.world import RESOURCE_ID

_LOCATION = "East US 2"
_DEPLOYMENT_VERSION = "0.48.1.0"
_BODIES = ("requestBody", "responseBody", "backendRequestBody", "backendResponseBody")


def log_time(moment: datetime) -> str:
    """A time in the format of Azure's logs: UTC, seven decimals."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def cut(text: str, limit: int) -> str:
    """The text's first bytes, without splitting characters."""
    if len(text) * 4 <= limit:
        return text
    encoded = text.encode()
    return text if len(encoded) <= limit else encoded[:limit].decode(errors="ignore")


def chunks(text: str, limit: int = CHUNK_LIMIT) -> list[str]:
    """The text in pieces of a maximum number of bytes, without splitting characters."""
    encoded, pieces, at = text.encode(), [], 0
    while len(encoded) - at > limit:
        piece = encoded[at : at + limit].decode(errors="ignore")
        pieces.append(piece)
        at += len(piece.encode())
    return [*pieces, encoded[at:].decode()]


def gateway_line(
    moment: datetime,
    correlation_id: str,
    *,
    duration: int,
    caller: str,
    success: bool,
    properties: dict[str, Any],
    limit: int,
) -> tuple[bytes, bool]:
    """A gateway record, and whether it exceeded ``limit`` bytes and so lost its bodies and traces."""
    record = {
        "DeploymentVersion": _DEPLOYMENT_VERSION,
        "Level": 4 if success else 2,
        "Sku": "StandardV2",
        "isRequestSuccess": success,
        "time": log_time(moment),
        "operationName": "Microsoft.ApiManagement/GatewayLogs",
        "category": "GatewayLogs",
        "durationMs": duration,
        "callerIpAddress": caller,
        "correlationId": correlation_id,
        "location": _LOCATION,
        "resultType": "Succeeded" if success else "Failed",
        "resourceId": RESOURCE_ID,
        "properties": properties,
        "truncated": 0,
    }
    line = orjson.dumps(record)
    if len(line) <= limit:
        return line, False
    for name in (*_BODIES, "traceRecords"):
        properties.pop(name, None)
    return orjson.dumps(record), True


def llm_lines(
    moment: datetime,
    correlation_id: str,
    *,
    request_id: str,
    api_version: str,
    stream: bool,
    served: tuple[str, str, int, int] | None,
    request_messages: str,
    response_messages: str,
) -> list[bytes]:
    """The LLM log's records of one request.

    ``served``: deployment, model, prompt and completion tokens, if a model responded. Row 0 has the
    tokens, rows 1 the request (each of its pieces with that number), rows 2 and up the response.
    """
    common = {
        "requestId": request_id,
        "sequenceNumber": 0,
        "apiVersion": api_version,
        "deploymentName": "",
        "modelName": "",
        "isStreamCompletion": stream,
    }
    rows: list[dict[str, Any]] = []
    if served:
        deployment, model, prompt, completion = served
        rows.append(
            common
            | {
                "deploymentName": deployment,
                "modelName": model,
                "promptTokens": prompt,
                "completionTokens": completion,
                "totalTokens": prompt + completion,
            }
        )
    rows += [common | {"sequenceNumber": 1, "requestMessages": piece} for piece in chunks(request_messages)]
    if response_messages:
        rows += [
            common | {"sequenceNumber": number, "responseMessages": piece}
            for number, piece in enumerate(chunks(response_messages), start=2)
        ]
    head = {
        "time": log_time(moment),
        "operationName": "Microsoft.ApiManagement/GatewayLlmLogs",
        "category": "GatewayLlmLogs",
        "correlationId": correlation_id,
        "resourceId": RESOURCE_ID,
        "location": _LOCATION,
        "DeploymentVersion": _DEPLOYMENT_VERSION,
        "Level": 4,
        "callerIpAddress": "",
        "truncated": 0,
    }
    return [orjson.dumps(head | {"properties": row}) for row in rows]


def blob_folder(container: str, hour: datetime) -> str:
    """The path of an hour's records, below the storage account."""
    return f"{container}/resourceId={RESOURCE_ID}/{hour:y=%Y/m=%m/d=%d/h=%H}/m=00"


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def after(moment: datetime, milliseconds: int) -> datetime:
    return moment + timedelta(milliseconds=milliseconds)
