metadata description = 'The private endpoints of everything in the installation, with the DNS zones they need.'

@description('Short name of the installation.')
@minLength(1)
param name string

@description('Azure region of the network.')
param location string

@description('Tags for the endpoints and zones.')
param tags object = {}

@description('Resource id of the network.')
param networkId string

@description('false makes no DNS zones and registers no names.')
param dnsZones bool = true

@description('Subnet of the endpoints.')
param subnetId string

@description('Resource id of the API Management service.')
param gatewayId string

@description('Model accounts: short name, resource id, and whether each is a Microsoft Foundry resource.')
@minLength(1)
param openAIAccounts { name: string, id: string, foundry: bool }[]

@description('Resource id of the Content Safety account; empty for none.')
param contentSafetyId string = ''

@description('Resource id of the Key Vault.')
param keyVaultId string

@description('Resource id of the storage account; empty for none.')
param storageAccountId string = ''

@description('Resource id of the Event Hubs namespace; empty for none.')
param eventHubNamespaceId string = ''

@description('Resource id of the workspace.')
param workspaceId string

@description('Resource id of the storage account with the reports\' pages; empty for none.')
param pagesAccountId string = ''

@description('Resource id of the registry with the reports\' image; empty for none.')
param registryId string = ''

// https://learn.microsoft.com/azure/private-link/private-endpoint-dns
var zones = {
  gateway: 'privatelink.azure-api.net'
  openAI: 'privatelink.openai.azure.com'
  cognitiveServices: 'privatelink.cognitiveservices.azure.com'
  foundry: 'privatelink.services.ai.azure.com'
  keyVault: 'privatelink.vaultcore.azure.net'
  blob: 'privatelink.blob.${environment().suffixes.storage}'
  web: 'privatelink.web.${environment().suffixes.storage}'
  registry: 'privatelink${environment().suffixes.acrLoginServer}'
  eventHub: 'privatelink.servicebus.windows.net'
  monitor: 'privatelink.monitor.azure.com'
  operations: 'privatelink.oms.opinsights.azure.com'
  operationsData: 'privatelink.ods.opinsights.azure.com'
  agents: 'privatelink.agentsvc.azure-automation.net'
}

var anyFoundry = !empty(filter(openAIAccounts, account => account.foundry))

module dns 'private-dns.bicep' = if (dnsZones) {
  params: {
    networkId: networkId
    zones: map(filter(items(zones), zone => zone.key != 'foundry' || anyFoundry), zone => zone.value)
    tags: tags
  }
}

module monitorPrivateLink 'monitor-private-link.bicep' = {
  params: {
    name: monitorName
    tags: tags
    workspaceId: workspaceId
  }
}

var monitorName = 'ampls-${name}'
var targets = concat(
  [
    { name: 'gateway', id: gatewayId, groupId: 'Gateway', zones: [zones.gateway] }
    { name: 'key-vault', id: keyVaultId, groupId: 'vault', zones: [zones.keyVault] }
    { name: 'content-safety', id: contentSafetyId, groupId: 'account', zones: [zones.cognitiveServices] }
    { name: 'storage', id: storageAccountId, groupId: 'blob', zones: [zones.blob] }
    { name: 'pages', id: pagesAccountId, groupId: 'blob', zones: [zones.blob] }
    { name: 'pages-web', id: pagesAccountId, groupId: 'web', zones: [zones.web] }
    { name: 'registry', id: registryId, groupId: 'registry', zones: [zones.registry] }
    { name: 'event-hub', id: eventHubNamespaceId, groupId: 'namespace', zones: [zones.eventHub] }
    {
      name: 'monitor'
      id: resourceId('Microsoft.Insights/privateLinkScopes', monitorName)
      groupId: 'azuremonitor'
      zones: [zones.monitor, zones.operations, zones.operationsData, zones.agents, zones.blob]
    }
  ],
  map(openAIAccounts, account => {
    name: account.name
    id: account.id
    groupId: 'account'
    zones: concat([zones.openAI, zones.cognitiveServices], account.foundry ? [zones.foundry] : [])
  })
)

// Sequential: endpoints created in parallel compete for the subnet and for the zones' records.
@batchSize(1)
module endpoints 'private-endpoint.bicep' = [
  for target in filter(targets, target => !empty(target.id)): {
    name: 'private-endpoint-${target.name}'
    params: {
      name: 'pe-${name}-${target.name}'
      location: location
      tags: tags
      subnetId: subnetId
      targetId: target.id
      groupId: target.groupId
      zones: dnsZones ? target.zones : []
    }
    dependsOn: [dns, monitorPrivateLink]
  }
]
