metadata description = 'Role assignments, each on a single resource.'

import { principal } from 'types.bicep'

@description('Resource id of the gateway.')
param gatewayId string

@description('Object id of the gateway\'s identity.')
@minLength(1)
param gatewayPrincipalId string

@description('Names of the Azure OpenAI accounts the gateway calls.')
@minLength(1)
param openAIAccountNames string[]

@description('Those of them that are Microsoft Foundry resources: models of others than OpenAI need the wider role.')
param foundryAccountNames string[] = []

@description('Resource id of the Log Analytics workspace.')
param workspaceId string

@description('Name of the storage account with the logs; empty for none.')
param storageAccountName string = ''

@description('Name of the Key Vault.')
param keyVaultName string

@description('true lets the gateway read secrets of the vault, for the policy option that keeps one there.')
param gatewayReadsSecrets bool = false

@description('Name of the Content Safety account the gateway asks; empty for none.')
param contentSafetyAccountName string = ''

@description('Those who read the logs: analysts, the identity that makes reports.')
param readers principal[] = []

// Built-in roles: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
var cognitiveServicesOpenAIUser = '5e0bd9bd-7b93-4f28-af87-19fc36ad61bd'
var cognitiveServicesUser = 'a97b65f3-24c7-4388-baec-2e87135dc908'
var keyVaultSecretsUser = '4633458b-17de-408a-b874-0445c86b69e6'
var storageBlobDataReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'

// Assignments are named after the gateway, not its identity, so that what-if can show what will be created.
resource accounts 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = [
  for name in openAIAccountNames: {
    name: name
  }
]

resource contentSafety 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = if (!empty(contentSafetyAccountName)) {
  name: contentSafetyAccountName
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: keyVaultName
}

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = if (!empty(storageAccountName)) {
  name: storageAccountName
}

resource gatewayCallsModels 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in openAIAccountNames: {
    scope: accounts[index]
    name: guid(accounts[index].id, gatewayId, contains(foundryAccountNames, name) ? cognitiveServicesUser : cognitiveServicesOpenAIUser)
    properties: {
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        contains(foundryAccountNames, name) ? cognitiveServicesUser : cognitiveServicesOpenAIUser
      )
      principalId: gatewayPrincipalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource gatewayAsksContentSafety 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(contentSafetyAccountName)) {
  scope: contentSafety
  name: guid(contentSafety.id, gatewayId, cognitiveServicesUser)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', cognitiveServicesUser)
    principalId: gatewayPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource gatewayReadsVault 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (gatewayReadsSecrets) {
  scope: vault
  name: guid(vault.id, gatewayId, keyVaultSecretsUser)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultSecretsUser)
    principalId: gatewayPrincipalId
    principalType: 'ServicePrincipal'
  }
}

module readersReadWorkspace 'workspace-reader.bicep' = [
  for reader in readers: {
    scope: resourceGroup(split(workspaceId, '/')[2], split(workspaceId, '/')[4])
    params: {
      workspaceName: last(split(workspaceId, '/'))
      principalId: reader.id
      principalType: reader.type
    }
  }
]

resource readersReadBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for reader in readers: if (!empty(storageAccountName)) {
    scope: storage
    name: guid(storage.id, reader.id, storageBlobDataReader)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataReader)
      principalId: reader.id
      principalType: reader.type
    }
  }
]
