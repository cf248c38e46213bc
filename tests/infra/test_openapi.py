"""The OpenAPI document that the gateway imports: clients' routes, and the names that logs and policies rely on."""

from __future__ import annotations

import json

import pytest

from tests.infra.conftest import INFRA

DOCUMENT = json.loads((INFRA / "api/azure-openai.openapi.json").read_text("utf-8"))
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def resolved(parameter: dict) -> dict:
    """A parameter, looked up where it is a reference."""
    return (
        DOCUMENT["components"]["parameters"][parameter["$ref"].rsplit("/", 1)[1]] if "$ref" in parameter else parameter
    )


@pytest.mark.parametrize(
    ("route", "operation_id"),
    [
        ("POST /deployments/{deployment-id}/chat/completions", "ChatCompletions_Create"),
        ("POST /deployments/{deployment-id}/completions", "completions_create"),
        ("POST /deployments/{deployment-id}/embeddings", "embeddings_create"),
        ("POST /v1/chat/completions", "createChatCompletion"),
        ("POST /v1/responses", "createResponse"),
        ("POST /v1/embeddings", "createEmbedding"),
    ],
)
def test_the_routes_of_the_clients_are_there_under_the_names_in_the_logs(route: str, operation_id: str) -> None:
    assert OPERATIONS[route]["operationId"] == operation_id


def test_operation_ids_differ_in_more_than_case() -> None:
    names = [operation["operationId"].lower() for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))


def test_routes_by_deployment_name_it_and_need_an_api_version_while_v1_does_not() -> None:
    for route, operation in OPERATIONS.items():
        parameters = {p["name"]: p for p in map(resolved, operation.get("parameters", []))}
        by_deployment = "{deployment-id}" in route
        assert ("deployment-id" in parameters) is by_deployment, route
        assert ("api-version" in parameters) is not route.split(" ")[1].startswith("/v1/"), route
        assert all(p["required"] for p in parameters.values()), route


def test_the_key_is_in_the_header_that_azure_clients_send() -> None:
    assert DOCUMENT["components"]["securitySchemes"]["apiKey"] == {"type": "apiKey", "name": "api-key", "in": "header"}
