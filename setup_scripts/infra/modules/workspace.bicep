metadata description = 'Log Analytics workspace with the retention of the two gateway tables and the saved KQL functions; of one of your own, the functions only.'

import { savedFunction } from 'types.bicep'

@description('Name of the workspace.')
@minLength(4)
@maxLength(63)
param name string

@description('true makes the workspace. false takes one that is there, and only saves the functions in it.')
param make bool = true

@description('Azure region.')
param location string

@description('Tags for the workspace.')
param tags object = {}

@description('Days for which data can be queried at no extra charge beyond ingestion (the first 31 are free) and without restore.')
@minValue(30)
@maxValue(730)
param retentionDays int = 90

@description('Days for which prompts and answers (the LLM log) can be queried. They are the most sensitive data here: keep them as short as the work allows.')
@minValue(4)
@maxValue(730)
param llmLogRetentionDays int = 30

@description('Days for which gateway rows are kept in total; beyond retentionDays they are in cheap long-term retention.')
@minValue(30)
@maxValue(4383)
param totalRetentionDays int = 365

@description('Ingestion cap in GB a day; -1 is none. A cap loses logs for the rest of the day, and with them tokens and costs.')
@minValue(-1)
param dailyQuotaGb int = -1

@description('false closes the workspace to the internet for both ingestion and queries; it is then reached through the private link scope. Diagnostic settings do not use this way and go on arriving.')
param publicNetworkAccess bool = true

@description('KQL functions to save in the workspace, so that every query of the library runs there as it is.')
param functions savedFunction[] = []

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = if (make) {
  name: name
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    publicNetworkAccessForIngestion: publicNetworkAccess ? 'Enabled' : 'Disabled'
    publicNetworkAccessForQuery: publicNetworkAccess ? 'Enabled' : 'Disabled'
    workspaceCapping: { dailyQuotaGb: dailyQuotaGb }
    features: {
      // Workspace keys off: everything here signs in with Entra ID.
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

resource gatewayTable 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = if (make) {
  parent: workspace
  name: 'ApiManagementGatewayLogs'
  properties: {
    plan: 'Analytics'
    retentionInDays: retentionDays
    totalRetentionInDays: max(totalRetentionDays, retentionDays)
  }
}

resource llmTable 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = if (make) {
  parent: workspace
  name: 'ApiManagementGatewayLlmLog'
  properties: {
    plan: 'Analytics'
    retentionInDays: llmLogRetentionDays
    totalRetentionInDays: llmLogRetentionDays
  }
}

resource there 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: name
}

// One at a time: a function that uses another must find it saved.
@batchSize(1)
resource savedFunctions 'Microsoft.OperationalInsights/workspaces/savedSearches@2020-08-01' = [
  for function in functions: {
    parent: there
    name: toLower(function.alias)
    properties: {
      category: 'Azure OpenAI gateway analytics'
      displayName: function.alias
      functionAlias: function.alias
      query: function.query
      version: 2
    }
    dependsOn: [workspace]
  }
]

@description('Resource id of the workspace.')
output id string = there.id

@description('Workspace id (a GUID), as in log-analytics://WORKSPACE-ID.')
output customerId string = make ? workspace!.properties.customerId : there.properties.customerId

@description('Azure region of the workspace.')
output location string = make ? workspace!.location : there.location

@description('Name of the workspace.')
output name string = there.name
