metadata name = 'Azure OpenAI behind API Management, with its logs'
metadata description = 'Azure OpenAI accounts, an API Management gateway that pools, limits and logs them, and the places the logs go to.'

targetScope = 'resourceGroup'

import {
  openAIAccount
  modelDeployment
  principal
  team
  savedFunction
  limits
  entraCallers
  semanticCacheSettings
  reportSettings
  alertSettings
  sumSettings
} from 'modules/types.bicep'
import { anthropicCustomer } from 'modules/openai-account.bicep'
import { ownSubnets } from 'modules/network.bicep'
import { gatewaySku, gatewayRegion } from 'modules/gateway.bicep'
import { summaryRule } from 'modules/summary-rules.bicep'
import { savedFunctions } from 'functions.bicep'

// ---- General

@description('Short name of the installation: resources are named after it. Lower-case letters, digits and hyphens.')
@minLength(3)
@maxLength(12)
param name string

@description('Azure region of the gateway and the logs. The Azure OpenAI accounts name their own.')
param location string = resourceGroup().location

@description('Tags for every resource that takes them.')
param tags object = {}

// ---- Models

@description('Azure OpenAI accounts, in any number of regions, with their deployments. All of them form the backend pool.')
@minLength(1)
@maxLength(30)
param openAIAccounts openAIAccount[]

@description('Who uses Claude: Azure asks for it with each deployment of the format Anthropic. Null: no Claude.')
param claudeCustomer anthropicCustomer?

@description('Failures within a minute that take a backend out of the pool. Default: 1, so that the retry uses another backend; 3 in a pool of one.')
@minValue(1)
@maxValue(100)
param breakerFailures int = length(openAIAccounts) > 1 ? 1 : 3

@description('Seconds that a backend stays out of the pool, and that clients wait, if the backend sends no Retry-After. Default: as in policies/named-values.json.')
@minValue(1)
@maxValue(300)
param retryAfterSeconds int?

@description('Retries on the pool after a failed attempt. Default: one for each further member.')
@minValue(1)
@maxValue(50)
param backendRetries int = max(1, length(openAIAccounts) - 1)

// ---- Gateway

@description('Name of the API Management service; part of its host name, so it must be unique in Azure.')
@minLength(1)
@maxLength(50)
param gatewayName string = 'apim-${name}-${uniqueString(resourceGroup().id, name)}'

@description('Pricing tier of the gateway. Private networks need StandardV2 or PremiumV2.')
param gatewayTier gatewaySku = 'StandardV2'

@description('Scale units of the gateway.')
@minValue(1)
@maxValue(30)
param gatewayCapacity int = 1

@description('Further regions of the gateway, each with units of its own. Only the tier Premium has them. Clients reach the nearest one by the same host name.')
param gatewayRegions gatewayRegion[] = []

@description('Email address for Azure\'s notifications about the gateway.')
@minLength(3)
param publisherEmail string

@description('Publisher name shown by the gateway.')
@minLength(1)
param publisherName string

@description('true recovers a soft-deleted API Management service of the same name.')
param restoreGateway bool = false

@description('Resource id of an API Management service of your own, also in another resource group; it needs a system-assigned identity. Its settings stay as they are: it gets the APIs, products, backends and named values. Null or empty: the template makes a gateway.')
param existingGatewayId string?

// ---- Callers

@description('Limits and subscriptions of the product bronze.')
param bronze limits = {}

@description('Limits and subscriptions of the product silver.')
param silver limits = {}

@description('Limits and subscriptions of the product gold.')
param gold limits = {}

@description('Subscriptions of the product unlimited, limited only by the deployments.')
param unlimitedSubscriptions string[] = []

@description('Teams with limits of their own: tokens/min, tokens per month, allowed deployments. "aoai setup" fills it from a CSV file.')
param teams team[] = []

@description('Callers with a Microsoft Entra token instead of a subscription key: whether to accept them, the required tenant, audience and application role, and the limits per caller. Off until you give the audience of your app registration.')
param entra entraCallers = { accept: false }

// ---- Options of the API's policy

@description('true checks prompts with Azure AI Content Safety at the gateway, in addition to the deployments\' filters. It creates the resource and adds latency and cost to each request.')
param contentSafety bool = false

@description('Severity at which content safety refuses a prompt. Default: as in policies/named-values.json.')
@minValue(0)
@maxValue(7)
param contentSafetyThreshold int?

@description('Answers to similar prompts from a cache: the vault\'s secret with the connection string of your own Redis (with RediSearch), and the embeddings deployment that measures similarity. Null: none.')
param semanticCache semanticCacheSettings?

@description('true refuses to continue a response that the gateway does not know to be the caller\'s: one of another caller, a streamed one, a conversation. false refuses those known to be another caller\'s.')
param ownResponses bool = false

// ---- Logs

@description('true logs prompts and responses in the LLM log. false logs only tokens and models.')
param logMessages bool = true

@description('Bytes of client bodies in the gateway log. Default: 0, none. Read docs/infrastructure.md before you raise it: bodies break streaming and store prompts in a second table.')
@minValue(0)
@maxValue(8192)
param logBodyBytes int = 0

@description('Days that gateway rows can be queried.')
@minValue(30)
@maxValue(730)
param retentionDays int = 90

@description('Days that prompts and responses can be queried.')
@minValue(4)
@maxValue(730)
param llmLogRetentionDays int = 30

@description('Days that gateway rows are kept in total.')
@minValue(30)
@maxValue(4383)
param totalRetentionDays int = 365

@description('true also writes the logs to a storage account, which "aoai ingest" reads.')
param logToStorage bool = true

@description('Days after which log blobs are deleted.')
@minValue(1)
@maxValue(3650)
param storageDeleteAfterDays int = 400

@description('Redundancy of the log storage.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageSku string = 'Standard_ZRS'

@description('true also streams the logs to an Event Hub.')
param logToEventHub bool = false

@description('Who can read the logs: analysts, and the identity that runs reports.')
param readers principal[] = []

@description('Resource id of a Log Analytics workspace of your own, also in another resource group. Its retention and access stay as they are: it gets the logs and the saved functions. Null or empty: the template makes a workspace.')
param existingWorkspaceId string?

@description('KQL functions to save in the workspace. Default: the semantic layer, which the query pack, the workbook and the alerts call.')
param functions savedFunction[]?

// ---- Outputs of the logs

@description('true makes an Azure Workbook over the logs.')
param workbook bool = true

@description('true puts the library of queries into the portal\'s query picker.')
param queryPack bool = true

@description('Hourly totals of requests, kept for years at low cost: settings and retention. Null: none.')
param sums sumSettings?

@description('Definition of the hourly totals; "aoai export summary-rules" writes it with your own prices.')
param rollup summaryRule = loadJsonContent('../exports/summary-rules.json')

@description('Scheduled reports, delivered to a separate website: when, for which periods, and who can read them. Null: none.')
param reportSchedule reportSettings?

@description('Alert rules on the logs, and a budget for the bill: recipients and changes to the defaults. Null: none.')
param alerts alertSettings?

// ---- Network and secrets

@description('true puts everything behind private endpoints in a virtual network and closes it to the internet.')
param privateNetwork bool = false

@description('Subnets of a virtual network of your own; needs privateNetwork. Null: the template makes a network.')
param subnets ownSubnets?

@description('false makes no private DNS zones and registers no names: your network\'s own zones, or a policy, must resolve the private endpoints.')
param privateDnsZones bool = true

@description('Address space of the virtual network that the template makes, /22 or larger.')
param networkAddressPrefix string = '10.64.0.0/22'

@description('Application Gateway with a firewall as the public entrance; needs privateNetwork, and its certificate in the vault first. Null: none.')
param applicationGateway {
  @description('Host name for clients.')
  @minLength(1)
  hostName: string
  @description('Name of its certificate in the vault.')
  @minLength(1)
  certificateName: string
}?

@description('true recovers a soft-deleted Key Vault of the same name.')
param restoreKeyVault bool = false

// ---- Checks

// The pool may send any deployment's request to any backend: one without it would return 404.
func isClaude(deployment modelDeployment) bool => deployment.?format == 'Anthropic'
func claudeDeployments(account openAIAccount) string[] =>
  sort(
    map(filter(account.deployments, deployment => isClaude(deployment)), deployment => deployment.name),
    (left, right) => left < right
  )
func clientDeployments(account openAIAccount) string[] =>
  sort(
    filter(
      map(filter(account.deployments, deployment => !isClaude(deployment)), deployment => deployment.name),
      deploymentName =>
        !contains(map(account.deployments, deployment => deployment.?spilloverDeploymentName ?? ''), deploymentName)
    ),
    (left, right) => left < right
  )

// Claude has a pool of its own: an account is in either, or in both. The gateway refuses a pool without members, and
// the policy names the first pool; with Claude alone it has Claude's accounts, which list their models there.
var withOthers = filter(openAIAccounts, account => !empty(clientDeployments(account)))
var pooled = empty(withOthers) ? openAIAccounts : withOthers
var claudeAccounts = filter(openAIAccounts, account => !empty(claudeDeployments(account)))
var offers = map(pooled, account => join(clientDeployments(account), ', '))
var uneven = filter(pooled, account => join(clientDeployments(account), ', ') != first(offers))
var claudeOffers = map(claudeAccounts, account => join(claudeDeployments(account), ', '))
var unevenClaude = filter(claudeAccounts, account => join(claudeDeployments(account), ', ') != first(claudeOffers))
var accounts = !empty(wrongAccounts)
  ? fail('openAIAccounts: ${first(wrongAccounts)!.name} cannot be part of a host name. Use lower-case letters, digits and single hyphens inside')
  : !empty(takenNames)
  ? fail('openAIAccounts: ${first(takenNames)} is the gateway\'s own backend for something else, or the name of two accounts. Choose another')
  : !empty(wrongDeployments)
  ? fail('openAIAccounts: ${first(wrongDeployments)} cannot be the name of a deployment. Use letters, digits, hyphens, underscores and dots')
  : !empty(wrongFormats)
  ? fail('openAIAccounts: ${first(wrongFormats)}')
  : !empty(uneven)
  ? fail('openAIAccounts: ${first(uneven)!.name} offers the deployments ${join(clientDeployments(first(uneven)!), ', ')}, but ${first(pooled)!.name} offers ${first(offers)}. Give the accounts of the pool deployments of the same names')
  : !empty(unevenClaude)
  ? fail('openAIAccounts: ${first(unevenClaude)!.name} offers the models of Anthropic ${join(claudeDeployments(first(unevenClaude)!), ', ')}, but ${first(claudeAccounts)!.name} offers ${first(claudeOffers)}. Give the accounts with Claude deployments of the same names')
  : openAIAccounts

// Azure would refuse these names too, but only when half of the installation exists.
func hasOnly(text string, characters string) bool =>
  empty(filter(range(0, length(text)), place => !contains(characters, substring(text, place, 1))))
func canBeName(text string) bool =>
  hasOnly(text, 'abcdefghijklmnopqrstuvwxyz0123456789-') && !startsWith(text, '-') && !endsWith(text, '-') && !contains(
    text,
    '--'
  )

var checkedName = canBeName(name)
  ? name
  : fail('name: ${name} cannot be part of resource names. Use lower-case letters, digits and single hyphens inside')
var wrongAccounts = filter(openAIAccounts, account => !canBeName(account.name))
// An account's name is also its backend's.
var accountNames = map(openAIAccounts, account => account.name)
var takenNames = filter(
  accountNames,
  name =>
    contains(concat([poolName, claudePoolName, contentSafetyBackend, embeddingsBackend], map(claudeAccounts, account => '${account.name}-claude')), name) || length(filter(accountNames, other => other == name)) > 1
)
var wrongDeployments = filter(
  flatten(map(openAIAccounts, account => map(account.deployments, deployment => deployment.name))),
  deploymentName => !hasOnly(toLower(deploymentName), 'abcdefghijklmnopqrstuvwxyz0123456789-_.')
)
// The accounts of the kind OpenAI have OpenAI's models only.
var wrongFormats = flatten(map(
  openAIAccounts,
  account =>
    map(
      filter(
        account.deployments,
        deployment =>
          (account.?kind ?? 'OpenAI') == 'OpenAI' && (deployment.?format ?? 'OpenAI') != 'OpenAI' || isClaude(deployment) && claudeCustomer == null
      ),
      deployment =>
        (account.?kind ?? 'OpenAI') == 'OpenAI'
          ? '${account.name} is an Azure OpenAI account, which has no models of ${deployment.?format ?? 'OpenAI'}. Set its kind to AIServices, or leave ${deployment.name} out'
          : '${deployment.name} is a model of Anthropic, and Azure asks who uses it. Set claudeCustomer, or leave ${deployment.name} out'
    )
))
var wrongSubscriptions = filter(
  concat(
    bronze.?subscriptions ?? [],
    silver.?subscriptions ?? [],
    gold.?subscriptions ?? [],
    unlimitedSubscriptions,
    map(teams, team => team.subscription)
  ),
  subscription => toLower(subscription) == 'master' || !hasOnly(toLower(subscription), 'abcdefghijklmnopqrstuvwxyz0123456789-_.')
)
var subscriptionsOf = empty(wrongSubscriptions)
  ? { bronze: bronze.?subscriptions ?? [], silver: silver.?subscriptions ?? [], gold: gold.?subscriptions ?? [], unlimited: unlimitedSubscriptions }
  : fail('subscriptions: ${first(wrongSubscriptions)} cannot be the name of a subscription. Use letters, digits, hyphens, underscores and dots; master is the gateway\'s own')

var allDeployments = flatten(map(openAIAccounts, account => concat(clientDeployments(account), claudeDeployments(account))))
var unknownModels = flatten(map(
  teams,
  team =>
    map(
      filter(team.?models ?? [], model => !contains(allDeployments, model)),
      model => '${team.subscription} may use ${model}, which no account has'
    )
))
var checkedTeams = empty(unknownModels)
  ? teams
  : fail('teams: ${first(unknownModels)}. Name deployments of openAIAccounts')

// Scale units that a tier can have: https://learn.microsoft.com/azure/api-management/api-management-capacity
var mostUnits = { BasicV2: 10, StandardV2: 10, PremiumV2: 30, Developer: 1, Basic: 2, Standard: 4, Premium: 12 }
var capacity = gatewayCapacity > mostUnits[gatewayTier]
  ? fail('gatewayCapacity: ${gatewayTier} has at most ${mostUnits[gatewayTier]} units, not ${gatewayCapacity}. Lower it, or choose another gatewayTier')
  : gatewayCapacity
var checkedGatewayName = hasOnly(toLower(gatewayName), 'abcdefghijklmnopqrstuvwxyz0123456789-') && !endsWith(
    gatewayName,
    '-'
  ) && contains('abcdefghijklmnopqrstuvwxyz', toLower(substring(gatewayName, 0, 1)))
  ? gatewayName
  : fail('gatewayName: ${gatewayName} cannot be a host name. Use letters, digits and hyphens; begin with a letter')

// An identifier URI is api:// and the application's own ID, or has a domain that the tenant owns.
var audience = replace(entra.?audience ?? '', 'api://', '')
var callers = entra.accept && !(length(audience) == 36 && length(split(audience, '-')) == 5 || contains(audience, '.'))
  ? fail('entra: set audience to the application ID of the app registration (docs/setup.md), or accept to false; ${empty(audience) ? 'there is none' : '${audience} is no application ID, and no app registration can have it as its identifier'}')
  : entra
var entrance = applicationGateway != null && !privateNetwork
  ? fail('applicationGateway: it stands before a private gateway. Set privateNetwork to true, or leave applicationGateway out')
  : applicationGateway

var privately = subnets != null && !privateNetwork
  ? fail('subnets: they are used in a private network only. Set privateNetwork to true, or leave subnets out')
  : subnets != null && applicationGateway != null && subnets.?applicationGateway == null
  ? fail('subnets: applicationGateway needs a subnet of its own. Give subnets.applicationGateway')
  : subnets != null && reportSchedule != null && subnets.?reports == null
  ? fail('subnets: reportSchedule needs a subnet for its job. Give subnets.reports')
  : privateNetwork
var schedule = reportSchedule != null && privateNetwork && (!empty(reportSchedule.?readerIpRanges ?? []) || (reportSchedule.?anyoneMayRead ?? false))
  ? fail('reportSchedule: the pages are read inside the private network. Leave readerIpRanges and anyoneMayRead out, or set privateNetwork to false')
  : reportSchedule

var tier = privateNetwork && !contains(['StandardV2', 'PremiumV2'], gatewayTier)
  ? fail('gatewayTier: ${gatewayTier} cannot join a virtual network this way. Use StandardV2 or PremiumV2, or set privateNetwork to false')
  : gatewayTier

var cache = semanticCache != null && !contains(
    clientDeployments(first(pooled)!),
    semanticCache!.embeddingsDeployment
  )
  ? fail('semanticCache: no account has a deployment named ${semanticCache!.embeddingsDeployment}. Name an embeddings deployment of openAIAccounts')
  : semanticCache

var suffix = uniqueString(resourceGroup().id, checkedName)
var open = !privateNetwork
var apiName = 'azure-openai'
var claudeApiName = 'anthropic'
// The named values of policies, {{name}}: defaults and users.
var valuesOfPolicies = loadJsonContent('../policies/named-values.json')
var waitSeconds = retryAfterSeconds ?? int(valuesOfPolicies['retry-after-seconds'].value)
var poolName = valuesOfPolicies['backend-pool'].value
var claudePoolName = valuesOfPolicies['claude-pool'].value
var embeddingsBackend = valuesOfPolicies['semantic-cache-embeddings-backend'].value
var contentSafetyBackend = valuesOfPolicies['content-safety-backend'].value

// Brought ones can be anywhere: /subscriptions/ID/resourceGroups/NAME/providers/…
func isIdOf(id string, kind string) bool =>
  length(split(id, '/')) == 9 && toLower(join(take(skip(split(id, '/'), 6), 2), '/')) == toLower(kind)
var gatewayId = empty(existingGatewayId)
  ? resourceId('Microsoft.ApiManagement/service', checkedGatewayName)
  : isIdOf(existingGatewayId!, 'Microsoft.ApiManagement/service')
  ? existingGatewayId!
  : fail('existingGatewayId: ${existingGatewayId!} is not the resource id of an API Management service. Give /subscriptions/ID/resourceGroups/NAME/providers/Microsoft.ApiManagement/service/NAME')
var workspaceId = empty(existingWorkspaceId)
  ? resourceId('Microsoft.OperationalInsights/workspaces', workspaceName)
  : isIdOf(existingWorkspaceId!, 'Microsoft.OperationalInsights/workspaces')
  ? existingWorkspaceId!
  : fail('existingWorkspaceId: ${existingWorkspaceId!} is not the resource id of a workspace. Give /subscriptions/ID/resourceGroups/NAME/providers/Microsoft.OperationalInsights/workspaces/NAME')
var usedGateway = last(split(gatewayId, '/'))
var usedWorkspace = last(split(workspaceId, '/'))

// Names and ids are computed here rather than taken from modules, so that what-if knows them before anything exists.
var workspaceName = 'log-${checkedName}-${suffix}'
var storageAccountName = take('st${replace(checkedName, '-', '')}${suffix}', 24)
var eventHubNamespaceName = 'evhns-${checkedName}-${suffix}'
var keyVaultName = take('kv-${checkedName}-${suffix}', 24)
var contentSafetyName = 'cs-${checkedName}-${suffix}'
var networkName = 'vnet-${checkedName}'
var pagesAccountName = take('strep${replace(checkedName, '-', '')}${suffix}', 24)
var registryName = 'cr${replace(checkedName, '-', '')}${suffix}'
var openAINames = map(openAIAccounts, account => '${account.name}-${suffix}')
// Members of the two pools.
var members = map(pooled, account => { name: account.name, priority: account.?priority ?? 1, weight: account.?weight ?? 1 })
var claudeMembers = map(
  claudeAccounts,
  account => { name: account.name, priority: account.?priority ?? 1, weight: account.?weight ?? 1 }
)
var apiNames = empty(claudeMembers) ? [apiName] : [apiName, claudeApiName]
var gatewaySubnetId = subnets.?gateway ?? resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'gateway')
var endpointsSubnetId = subnets.?endpoints ?? resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'endpoints')
var entranceSubnetId = subnets.?applicationGateway ?? resourceId(
  'Microsoft.Network/virtualNetworks/subnets',
  networkName,
  'application-gateway'
)
var reportsSubnetId = subnets.?reports ?? resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'reports')

// ---- Logs: where they go

module workspace 'modules/workspace.bicep' = {
  scope: resourceGroup(split(workspaceId, '/')[2], split(workspaceId, '/')[4])
  params: {
    name: usedWorkspace
    make: empty(existingWorkspaceId)
    location: location
    tags: tags
    retentionDays: retentionDays
    llmLogRetentionDays: llmLogRetentionDays
    totalRetentionDays: totalRetentionDays
    publicNetworkAccess: open
    functions: functions ?? savedFunctions
  }
}

module archive 'modules/archive.bicep' = if (logToStorage) {
  params: {
    name: storageAccountName
    location: location
    tags: tags
    sku: storageSku
    deleteAfterDays: storageDeleteAfterDays
    publicNetworkAccess: open
  }
}

module eventHub 'modules/event-hub.bicep' = if (logToEventHub) {
  params: {
    name: eventHubNamespaceName
    location: location
    tags: tags
    publicNetworkAccess: open
  }
}

// ---- Models and secrets

module openAI 'modules/openai-account.bicep' = [
  for (account, index) in accounts: {
    params: {
      name: openAINames[index]
      location: account.location
      tags: tags
      kind: account.?kind ?? 'OpenAI'
      deployments: account.deployments
      claudeCustomer: claudeCustomer
      publicNetworkAccess: open
      restore: account.?restore ?? false
    }
  }
]

module contentSafetyAccount 'modules/content-safety.bicep' = if (contentSafety) {
  params: {
    name: contentSafetyName
    location: location
    tags: tags
    publicNetworkAccess: open
  }
}

module keyVault 'modules/key-vault.bicep' = {
  params: {
    name: keyVaultName
    location: location
    tags: tags
    publicNetworkAccess: open
    restore: restoreKeyVault
  }
}

// ---- Network

module network 'modules/network.bicep' = if (privately && subnets == null) {
  params: {
    name: networkName
    location: location
    tags: tags
    addressPrefix: networkAddressPrefix
  }
}

module privateEndpoints 'modules/private-endpoints.bicep' = if (privateNetwork) {
  params: {
    name: checkedName
    location: location
    tags: tags
    networkId: first(split(endpointsSubnetId, '/subnets/'))!
    subnetId: endpointsSubnetId
    dnsZones: privateDnsZones
    gatewayId: empty(existingGatewayId) ? gatewayId : ''
    openAIAccounts: [
      for (account, index) in openAIAccounts: {
        name: account.name
        id: resourceId('Microsoft.CognitiveServices/accounts', openAINames[index])
        foundry: account.?kind == 'AIServices'
      }
    ]
    contentSafetyId: contentSafety ? resourceId('Microsoft.CognitiveServices/accounts', contentSafetyName) : ''
    keyVaultId: resourceId('Microsoft.KeyVault/vaults', keyVaultName)
    storageAccountId: logToStorage ? resourceId('Microsoft.Storage/storageAccounts', storageAccountName) : ''
    eventHubNamespaceId: logToEventHub ? resourceId('Microsoft.EventHub/namespaces', eventHubNamespaceName) : ''
    workspaceId: workspaceId
    pagesAccountId: schedule != null ? resourceId('Microsoft.Storage/storageAccounts', pagesAccountName) : ''
    registryId: schedule != null ? resourceId('Microsoft.ContainerRegistry/registries', registryName) : ''
  }
  dependsOn: [network, gatewayFirst, openAI, contentSafetyAccount, keyVault, archive, eventHub, workspace, reports]
}

// ---- Gateway

module gatewayFirst 'modules/gateway-first.bicep' = if (privateNetwork && empty(existingGatewayId)) {
  params: {
    name: checkedGatewayName
    location: location
    sku: tier
    capacity: capacity
    publisherEmail: publisherEmail
    publisherName: publisherName
    subnetId: gatewaySubnetId
    restore: restoreGateway
  }
  dependsOn: [network]
}

module gateway 'modules/gateway.bicep' = if (empty(existingGatewayId)) {
  params: {
    name: checkedGatewayName
    location: location
    tags: tags
    sku: tier
    capacity: capacity
    regions: !empty(gatewayRegions) && gatewayTier != 'Premium'
      ? fail('gatewayRegions: ${gatewayTier} has one region. Set gatewayTier to Premium, or leave gatewayRegions out')
      : gatewayRegions
    publisherEmail: publisherEmail
    publisherName: publisherName
    subnetId: privateNetwork ? gatewaySubnetId : ''
    publicNetworkAccess: open
    // A private gateway is recovered only when it is first created.
    restore: restoreGateway && open
  }
  // It can be closed only once its private endpoint exists.
  dependsOn: [privateEndpoints]
}

module ownGateway 'modules/own-gateway.bicep' = if (!empty(existingGatewayId)) {
  scope: resourceGroup(split(gatewayId, '/')[2], split(gatewayId, '/')[4])
  params: { name: usedGateway }
}

module roles 'modules/roles.bicep' = {
  params: {
    gatewayId: gatewayId
    gatewayPrincipalId: empty(existingGatewayId) ? gateway!.outputs.principalId : ownGateway!.outputs.principalId
    openAIAccountNames: openAINames
    foundryAccountNames: filter(openAINames, (name, index) => openAIAccounts[index].?kind == 'AIServices')
    contentSafetyAccountName: contentSafety ? contentSafetyName : ''
    keyVaultName: keyVaultName
    gatewayReadsSecrets: cache != null
    workspaceId: workspaceId
    storageAccountName: logToStorage ? storageAccountName : ''
    readers: readers
  }
  dependsOn: [openAI, contentSafetyAccount, keyVault, workspace, archive]
}

module backends 'modules/backends.bicep' = {
  scope: resourceGroup(split(gatewayId, '/')[2], split(gatewayId, '/')[4])
  params: {
    gatewayName: usedGateway
    poolName: poolName
    // A pool of one has nobody else to ask, also beside another pool.
    breakerFailures: length(members) > 1 || length(accounts) == 1 ? breakerFailures : max(3, breakerFailures)
    claudeBreakerFailures: length(claudeMembers) > 1 ? breakerFailures : max(3, breakerFailures)
    breakerSeconds: waitSeconds
    accounts: [
      for (account, index) in accounts: {
        name: account.name
        endpoint: openAI[index].outputs.endpoint
        claudeEndpoint: openAI[index].outputs.claudeEndpoint
      }
    ]
    members: members
    claudeMembers: claudeMembers
    claudePoolName: claudePoolName
    contentSafetyBackendName: contentSafetyBackend
    contentSafety: contentSafety
    contentSafetyEndpoint: contentSafetyAccount.?outputs.endpoint ?? ''
    embeddingsBackendName: embeddingsBackend
    embeddingsDeployment: cache.?embeddingsDeployment ?? ''
    embeddingsAccount: indexOf(accountNames, first(members)!.name)
  }
  dependsOn: [gateway]
}

module namedValues 'modules/named-values.bicep' = {
  scope: resourceGroup(split(gatewayId, '/')[2], split(gatewayId, '/')[4])
  params: {
    gatewayName: usedGateway
    backendRetries: backendRetries
    backendMembers: map(sort(members, (left, right) => left.priority < right.priority), member => member.name)
    claudeMembers: map(sort(claudeMembers, (left, right) => left.priority < right.priority), member => member.name)
    retryAfterSeconds: waitSeconds
    entra: callers
    bronze: bronze
    silver: silver
    gold: gold
    contentSafetyThreshold: contentSafetyThreshold
    semanticCache: semanticCache
  }
  dependsOn: [gateway]
}

module redis 'modules/semantic-cache.bicep' = if (cache != null) {
  scope: resourceGroup(split(gatewayId, '/')[2], split(gatewayId, '/')[4])
  params: {
    gatewayName: usedGateway
    keyVaultUri: keyVault.outputs.uri
    connectionStringSecretName: cache!.connectionStringSecretName
  }
  // The gateway reads the secret as soon as it is named.
  dependsOn: [gateway, roles]
}

module api 'modules/api.bicep' = {
  scope: resourceGroup(split(gatewayId, '/')[2], split(gatewayId, '/')[4])
  params: {
    gatewayName: usedGateway
    name: apiName
    contentSafety: contentSafety
    semanticCache: cache != null
    claude: !empty(claudeMembers)
    claudeName: claudeApiName
    ownResponses: ownResponses
    // A caller with a token has no key: the policy, not the API, refuses callers with neither.
    subscriptionRequired: !callers.accept
  }
  // Policies are refused while a named value or a backend they name is missing.
  dependsOn: [namedValues, backends, redis]
}

module products 'modules/products.bicep' = {
  scope: resourceGroup(split(gatewayId, '/')[2], split(gatewayId, '/')[4])
  params: {
    gatewayName: usedGateway
    apiNames: apiNames
    bronzeSubscriptions: subscriptionsOf.bronze
    silverSubscriptions: subscriptionsOf.silver
    goldSubscriptions: subscriptionsOf.gold
    unlimitedSubscriptions: subscriptionsOf.unlimited
    teams: checkedTeams
  }
  dependsOn: [namedValues, api]
}

module gatewayLogging 'modules/gateway-logging.bicep' = {
  scope: resourceGroup(split(gatewayId, '/')[2], split(gatewayId, '/')[4])
  params: {
    gatewayName: usedGateway
    apiNames: apiNames
    workspaceId: workspaceId
    storageAccountId: logToStorage ? resourceId('Microsoft.Storage/storageAccounts', storageAccountName) : ''
    eventHubAuthorizationRuleId: logToEventHub
      ? resourceId('Microsoft.EventHub/namespaces/authorizationRules', eventHubNamespaceName, 'diagnostic-settings')
      : ''
    eventHubName: logToEventHub ? 'gateway-logs' : ''
    everyApi: empty(existingGatewayId)
    logMessages: logMessages
    bodyBytes: logBodyBytes
  }
  dependsOn: [api, workspace, archive, eventHub]
}

module publicEntrance 'modules/application-gateway.bicep' = if (entrance != null) {
  params: {
    name: 'agw-${checkedName}'
    location: location
    tags: tags
    subnetId: entranceSubnetId
    gatewayHostName: replace(gatewayUrl, 'https://', '')
    keyVaultName: keyVaultName
    certificateName: entrance!.certificateName
    hostName: entrance!.hostName
  }
  dependsOn: [privateEndpoints]
}

// ---- Outputs of the logs

module gatewayWorkbook 'modules/workbook.bicep' = if (workbook) {
  params: {
    name: 'Azure OpenAI gateway ${checkedName}'
    location: location
    tags: tags
    workspaceId: workspaceId
  }
  dependsOn: [workspace]
}

module queries 'modules/query-pack.bicep' = if (queryPack) {
  params: {
    name: 'qp-${checkedName}'
    location: location
    tags: tags
    queries: loadJsonContent('../exports/query-pack.json')
  }
}

module history 'modules/summary-rules.bicep' = if (sums != null) {
  scope: resourceGroup(split(workspaceId, '/')[2], split(workspaceId, '/')[4])
  params: {
    workspaceName: usedWorkspace
    rollup: rollup
    binMinutes: sums.?binMinutes ?? 1440
    delayMinutes: sums.?delayMinutes ?? 180
    retentionDays: sums.?retentionDays ?? 730
    totalRetentionDays: sums.?totalRetentionDays ?? 2556
  }
  dependsOn: [workspace]
}

module alertRules 'modules/alerts.bicep' = if (alerts != null) {
  params: {
    name: checkedName
    location: location
    tags: tags
    workspaceName: usedWorkspace
    workspaceId: workspaceId
    workspaceLocation: empty(existingWorkspaceId) ? location : workspace.outputs.location
    actionGroupIds: alerts.?actionGroupIds ?? []
    emails: alerts.?emails ?? []
    runbookUrl: alerts.?runbookUrl ?? ''
    off: alerts.?off ?? []
    severities: alerts.?severities ?? {}
    muteActions: alerts.?muteActions ?? ''
    budgets: alerts.?budgets ?? {}
    monthlyBudget: alerts.?monthlyBudget == null
      ? null
      : {
          amount: alerts!.monthlyBudget!.amount
          start: alerts!.monthlyBudget!.start
          resourceIds: map(openAINames, account => resourceId('Microsoft.CognitiveServices/accounts', account))
        }
    thresholds: alerts.?thresholds ?? {}
  }
  dependsOn: [openAI]
}

module reports 'modules/report-schedule.bicep' = if (schedule != null) {
  params: {
    name: checkedName
    location: location
    tags: tags
    workspaceName: usedWorkspace
    workspaceId: workspaceId
    image: schedule.?image ?? ''
    cron: schedule.?cron ?? '0 6 * * *'
    every: schedule.?every ?? 'monthly'
    timeZone: schedule.?timeZone ?? 'UTC'
    keep: schedule.?keep ?? ''
    reports: schedule.?names ?? []
    storageAccountName: pagesAccountName
    storageSku: storageSku
    readerIpRanges: schedule.?readerIpRanges ?? []
    anyoneMayRead: schedule.?anyoneMayRead ?? false
    registryName: registryName
    subnetId: privateNetwork ? reportsSubnetId : ''
    publicNetworkAccess: open
  }
  dependsOn: [network, workspace]
}

// ---- Outputs: IDs and endpoints, never keys

var gatewayUrl = empty(existingGatewayId) ? gateway!.outputs.gatewayUrl : ownGateway!.outputs.gatewayUrl

@description('Base URL for clients, for both route styles.')
output apiUrl string = '${gatewayUrl}/openai'

@description('Base URL for Anthropic\'s clients; empty if there is no Claude.')
output claudeUrl string = empty(claudeMembers) ? '' : '${gatewayUrl}/anthropic'

@description('Resource id of the gateway.')
output gatewayId string = gatewayId

@description('Object id of the gateway\'s identity.')
output gatewayPrincipalId string = empty(existingGatewayId) ? gateway!.outputs.principalId : ownGateway!.outputs.principalId

@description('Resource ids of the Azure OpenAI accounts.')
output openAIAccountIds string[] = [for (account, index) in openAIAccounts: openAI[index].outputs.id]

@description('Id of the backend pool.')
output backendPool string = backends.outputs.poolName

@description('Names of the subscriptions; read their keys from the gateway.')
output subscriptionNames string[] = products.outputs.subscriptionNames

@description('Resource id of the workspace.')
output workspaceId string = workspaceId

@description('Source to query: log-analytics://WORKSPACE-ID.')
output source string = 'log-analytics://${workspace.outputs.customerId}'

@description('Blob endpoint of the log storage; empty if there is none.')
output logStorageEndpoint string = archive.?outputs.blobEndpoint ?? ''

@description('Event Hubs namespace of the logs; empty if there is none.')
output eventHubNamespaceId string = eventHub.?outputs.id ?? ''

@description('URI of the Key Vault.')
output keyVaultUri string = keyVault.outputs.uri

@description('Public address of the Application Gateway; empty if there is none.')
output publicIpAddress string = publicEntrance.?outputs.publicIpAddress ?? ''

@description('URL of the scheduled reports; empty if there are none.')
output reportsUrl string = reports.?outputs.websiteUrl ?? ''

@description('Host name of the registry for the reports\' image; empty if there is none.')
output reportsRegistry string = reports.?outputs.registryLoginServer ?? ''
