"""What Bicep makes of the templates: run once a session, on a copy, and read by all tests of this room."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.conftest import REPO

INFRA = REPO / "setup_scripts/infra"
SHARED_BICEP = REPO.parent / "shared/tools/bicep"
SUBSCRIPTION_ID = "00000000-0000-0000-0000-0000000000aa"
RESOURCE_GROUP = "rg-aoai"
PLACE = {
    "tenantId": "00000000-0000-0000-0000-0000000000bb",
    "subscriptionId": SUBSCRIPTION_ID,
    "resourceGroup": RESOURCE_GROUP,
    "location": "eastus2",
    "deploymentName": None,
}

#: What azd sets for main.bicepparam.
AZD = {"AZURE_ENV_NAME": "Try-1", "AZURE_LOCATION": "swedencentral", "PUBLISHER_EMAIL": "a@b.c"}
#: Parameter files that stand for something people get wrong, or choose differently from both examples.
ONE_ACCOUNT = """{ name: 'aoai-a', location: 'eastus2', deployments: [
  { name: 'chat', model: 'gpt-4o', version: '2024-11-20', sku: 'Standard', capacity: 10 }
] }"""
CLAUDE_ACCOUNT = """{ name: 'foundry-c', kind: 'AIServices', location: 'swedencentral', priority: 2, deployments: [
  { name: 'claude', format: 'Anthropic', model: 'claude-sonnet-4-6', version: '1', sku: 'GlobalStandard', capacity: 9 }
] }"""
CUSTOMER = "{ organizationName: 'Contoso', industry: 'technology', countryCode: 'DE' }"
HEAD = """using 'main.bicep'
param name = 'aoai-try'
param publisherEmail = 'platform-team@contoso.com'
param publisherName = 'Contoso'
"""
#: A network of one's own, in another resource group.
OWN = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/hub/subnets"
#: A gateway and a workspace of one's own, in other resource groups, one of them in another subscription.
PLATFORM = f"/subscriptions/{SUBSCRIPTION_ID.replace('aa', 'dd')}/resourceGroups/rg-platform/providers"
SERVICE = f"{PLATFORM}/Microsoft.ApiManagement/service/apim-hub"
LOGS = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-logs/providers"
WORKSPACE = f"{LOGS}/Microsoft.OperationalInsights/workspaces/log-hub"
VARIANTS = {
    "uneven-deployments": f"""{HEAD}
param openAIAccounts = [
  {ONE_ACCOUNT}
  {{ name: 'aoai-b', location: 'westus3', deployments: [
    {{ name: 'other', model: 'gpt-4o', version: '2024-11-20', sku: 'Standard', capacity: 10 }}
  ] }}
]
""",
    "spillover-from-standard": f"""{HEAD}
param openAIAccounts = [{{ name: 'aoai-a', location: 'eastus2', deployments: [
  {{ name: 'chat', model: 'gpt-4o', version: '2024-11-20', sku: 'Standard', capacity: 10
    spilloverDeploymentName: 'more' }}
  {{ name: 'more', model: 'gpt-4o', version: '2024-11-20', sku: 'Standard', capacity: 10 }}
] }}]
""",
    "cache-without-embeddings": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param semanticCache = {{ connectionStringSecretName: 'redis-connection-string', embeddingsDeployment: 'embed' }}
""",
    "entrance-without-network": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param applicationGateway = {{ hostName: 'ai.contoso.com', certificateName: 'ai-contoso-com' }}
""",
    "private-on-a-small-tier": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param gatewayTier = 'BasicV2'
param privateNetwork = true
""",
    "name-ai_dev": f"""{HEAD.replace("aoai-try", "ai_dev")}
param openAIAccounts = [{ONE_ACCOUNT}]
""",
    "name-a--b": f"""{HEAD.replace("aoai-try", "a--b")}
param openAIAccounts = [{ONE_ACCOUNT}]
""",
    "name-ai.prod": f"""{HEAD.replace("aoai-try", "ai.prod")}
param openAIAccounts = [{ONE_ACCOUNT}]
""",
    "account-name": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT.replace("aoai-a", "aoai_East")}]
""",
    "account-called-like-the-pool": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT.replace("aoai-a", "aoai-pool")}]
""",
    "two-accounts-of-a-name": f"""{HEAD}
param openAIAccounts = [
  {ONE_ACCOUNT}
  {ONE_ACCOUNT.replace("eastus2", "westus3")}
]
""",
    "others-at-openai": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT.replace("sku:", "format: 'xAI', sku:")}]
""",
    "claude-of-openai": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT.replace("sku:", "format: 'Anthropic', sku:")}]
""",
    "claude-of-nobody": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}, {CLAUDE_ACCOUNT}]
""",
    "claude-alone": f"""{HEAD}
param openAIAccounts = [{CLAUDE_ACCOUNT}]
param claudeCustomer = {CUSTOMER}
""",
    "claude-uneven": f"""{HEAD}
param openAIAccounts = [
  {ONE_ACCOUNT}
  {CLAUDE_ACCOUNT}
  {CLAUDE_ACCOUNT.replace("-c'", "-d'").replace("'claude'", "'other'")}
]
param claudeCustomer = {CUSTOMER}
""",
    "claude": f"""{HEAD}
param openAIAccounts = [
  {ONE_ACCOUNT}
  {CLAUDE_ACCOUNT}
  {ONE_ACCOUNT.replace("aoai-a", "aoai-b").replace("eastus2", "westus3")}
]
param claudeCustomer = {CUSTOMER}
param ownResponses = true
param existingGatewayId = ''
param existingWorkspaceId = ''
param teams = [{{ subscription: 'sub-writers', product: 'gold', models: ['claude'] }}]
""",
    "foundry": f"""{HEAD}
param openAIAccounts = [
  {{ name: 'aoai-a', location: 'eastus2', deployments: [
    {{ name: 'grok', model: 'gpt-5.4-mini', version: '2026-03-17', sku: 'GlobalStandard', capacity: 10 }}
  ] }}
  {{ name: 'foundry-b', kind: 'AIServices', location: 'westus3', deployments: [
    {{ name: 'grok', format: 'xAI', model: 'grok-4', version: '1', sku: 'GlobalStandard', capacity: 10 }}
  ] }}
]
param privateNetwork = true
""",
    "teams": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param gold = {{ tokensPerMinute: 70000, subscriptions: ['sub-shared'] }}
param gatewayTier = 'Premium'
param gatewayRegions = [{{ location: 'westeurope', capacity: 2 }}]
param teams = [
  {{ subscription: 'sub-checkout', product: 'gold', tokensPerMinute: 5000, models: ['chat'] }}
  {{ subscription: 'sub-search', product: 'bronze', tokensPerMonth: 900000 }}
  {{ subscription: 'sub-lab', product: 'unlimited', models: ['chat'] }}
]
""",
    "team-of-unlimited": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param teams = [{{ subscription: 'sub-a', product: 'unlimited', tokensPerMinute: 5 }}]
""",
    "team-with-unknown-model": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param teams = [{{ subscription: 'sub-a', product: 'gold', models: ['chatt'] }}]
""",
    "own-network": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param privateNetwork = true
param privateDnsZones = false
param reportSchedule = {{}}
param applicationGateway = {{ hostName: 'ai.contoso.com', certificateName: 'ai-contoso-com' }}
param subnets = {{ gateway: '{OWN}/gw', endpoints: '{OWN}/pe', applicationGateway: '{OWN}/agw', reports: '{OWN}/jobs' }}
""",
    "brought": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}, {CLAUDE_ACCOUNT}]
param claudeCustomer = {CUSTOMER}
param existingWorkspaceId = '{WORKSPACE}'
param existingGatewayId = '{SERVICE}'
param gold = {{ subscriptions: ['sub-a'] }}
param readers = [{{ id: '00000000-0000-0000-0000-0000000000cc', type: 'Group' }}]
param sums = {{}}
param alerts = {{ emails: ['a@contoso.com'] }}
param reportSchedule = {{}}
""",
    "brought-privately": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param existingGatewayId = '{SERVICE}'
param existingWorkspaceId = '{WORKSPACE}'
param privateNetwork = true
""",
    "brought-something-else": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param existingWorkspaceId = '{SERVICE}'
""",
    "brought-a-name": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param existingGatewayId = 'apim-hub'
""",
    "subnets-in-the-open": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param subnets = {{ gateway: '{OWN}/gw', endpoints: '{OWN}/pe' }}
""",
    "two-regions-of-a-small-tier": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param gatewayRegions = [{{ location: 'westeurope', capacity: 2 }}]
""",
    "deployment-name": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT.replace("'chat'", "'chat/prod'")}]
""",
    "subscription-master": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param gold = {{ subscriptions: ['Master'] }}
""",
    "too-many-units": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param gatewayCapacity = 20
""",
    "gateway-name": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param gatewayName = '1_gateway'
""",
    "tokens-without-audience": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param entra = {{ accept: true }}
""",
    "audience-that-cannot-be": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param entra = {{ accept: true, audience: 'api://aoai-gateway' }}
""",
    "tokens-by-uri": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param entra = {{ accept: true, audience: 'api://00000000-0000-0000-0000-000000000003' }}
""",
    "nothing-chosen": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
""",
    "other-choices": f"""{HEAD}
param openAIAccounts = [{ONE_ACCOUNT}]
param entra = {{ accept: false }}
param logMessages = false
param logBodyBytes = 4096
param logToStorage = false
param retryAfterSeconds = 25
param semanticCache = {{ connectionStringSecretName: 'redis-connection-string', embeddingsDeployment: 'chat' }}
param functions = [{{ alias: 'AoaiRequests', query: 'ApiManagementGatewayLogs' }}]
""",
}


@dataclass(frozen=True)
class Ran:
    """What one call of Bicep gave."""

    code: int
    errors: str


@dataclass(frozen=True)
class Bicep:
    """The copy that Bicep worked on and what it said; ``main.json`` and the snapshots stand in ``folder``."""

    folder: Path
    said: dict[str, Ran]

    def template(self) -> dict[str, Any]:
        """The compiled ``main.json``."""
        return json.loads((self.folder / "main.json").read_text("utf-8"))

    def parameters(self, name: str) -> dict[str, Any]:
        """The values that a parameter file of the two examples gives."""
        given = json.loads((self.folder / f"{name}.parameters.json").read_text("utf-8"))["parameters"]
        return {parameter: each["value"] for parameter, each in given.items()}

    def snapshot(self, name: str) -> dict[str, Any]:
        """What a parameter file would deploy: ``predictedResources``, ``outputs``, ``diagnostics``."""
        ran = self.said[f"snapshot {name}"]
        assert ran.code == 0, ran.errors
        return json.loads((self.folder / f"{name}.snapshot.json").read_text("utf-8"))


def bicep_program() -> str | None:
    """The Bicep CLI beside the repository, else the one on PATH."""
    return str(SHARED_BICEP) if SHARED_BICEP.exists() else shutil.which("bicep")


@pytest.fixture(scope="session")
def bicep(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Bicep:
    """Build, lint and snapshots of the templates, run once for all of pytest-xdist's workers."""
    program = bicep_program()
    if program is None:
        pytest.skip("needs bicep: ../shared/tools/bicep or a bicep on PATH")
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent
    folder = base / "bicep/setup_scripts/infra"
    record = base / "bicep/said.json"
    with FileLock(base / "bicep.lock"):
        if not record.exists():
            said = run_all(program, base / "bicep", folder)
            record.write_text(json.dumps({call: [ran.code, ran.errors] for call, ran in said.items()}), "utf-8")
    said = {call: Ran(code, errors) for call, (code, errors) in json.loads(record.read_text("utf-8")).items()}
    return Bicep(folder, said)


def run_all(program: str, base: Path, folder: Path) -> dict[str, Ran]:
    """Copy what the templates are made of to ``base``, call Bicep on it, and give what each call said."""
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(INFRA, folder)
    for beside in ("policies", "exports"):
        shutil.copytree(INFRA.parent / beside, folder.parent / beside)
    shutil.copytree(REPO / "kql/functions", base / "kql/functions")
    (folder / "main.json").unlink(missing_ok=True)
    for name, text in VARIANTS.items():
        # Over the compiled template each takes a third of the time.
        (folder / f"{name}.bicepparam").write_text(text.replace("using 'main.bicep'", "using 'main.json'"), "utf-8")
    # The program unpacks itself and keeps its cache there.
    home = base / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "DOTNET_BUNDLE_EXTRACT_BASE_DIR": str(home), **AZD}

    with Conversation(program, environment) as bicep:
        compiled = bicep.ask("compile", path=str(folder / "main.bicep"))
        (folder / "main.json").write_text(compiled.get("contents") or "", "utf-8")
        said = {"build": Ran(0 if compiled["success"] else 1, _lines(compiled["diagnostics"]))}
        of_azd = bicep.ask("compileParams", path=str(folder / "main.bicepparam"), parameterOverrides={})
        said["parameters main"] = Ran(0 if of_azd["success"] else 1, _lines(of_azd["diagnostics"]))
        (folder / "main.parameters.json").write_text(of_azd.get("parameters") or "", "utf-8")
        for name in ("dev", "prod", *VARIANTS):
            path = str(folder / f"{name}.bicepparam")
            if name not in VARIANTS:
                parameters = bicep.ask("compileParams", path=path, parameterOverrides={})
                said[f"parameters {name}"] = Ran(0 if parameters["success"] else 1, _lines(parameters["diagnostics"]))
                (folder / f"{name}.parameters.json").write_text(parameters.get("parameters") or "", "utf-8")
            answer = bicep.ask("getSnapshot", path=path, metadata=PLACE, externalInputs=None)
            if "snapshot" in answer:
                (folder / f"{name}.snapshot.json").write_text(answer["snapshot"], "utf-8")
            said[f"snapshot {name}"] = Ran("snapshot" not in answer, answer.get("error", ""))
    return said


class Conversation:
    """One Bicep process that is asked by JSON-RPC: it compiles a second file in a fraction of the first one's time.

    Source: Microsoft Learn, "Bicep CLI JSON-RPC".
    """

    def __init__(self, program: str, environment: dict[str, str]):
        self._process = subprocess.Popen(
            [program, "jsonrpc", "--stdio"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._asked = 0

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result; of a request that fails, its message as ``error``."""
        self._asked += 1
        request = {"jsonrpc": "2.0", "id": self._asked, "method": f"bicep/{method}", "params": params}
        body = json.dumps(request).encode() + b"\r\n\r\n"
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self._process.stdin.flush()
        headers = dict(line.lower().split(b":") for line in iter(self._process.stdout.readline, b"\r\n"))
        answer: dict[str, Any] = json.loads(self._process.stdout.read(int(headers[b"content-length"])))
        return answer.get("result") or {"error": answer["error"]["message"]}


def _lines(diagnostics: list[dict[str, Any]]) -> str:
    return "\n".join(f"{each['source']}: {each['level']} {each['code']}: {each['message']}" for each in diagnostics)
