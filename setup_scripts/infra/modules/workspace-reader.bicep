metadata description = 'The right of one identity to read a workspace, which can be in another resource group.'

@description('Name of the workspace.')
param workspaceName string

@description('Object id of the identity.')
param principalId string

@description('What it is.')
param principalType 'User' | 'Group' | 'ServicePrincipal' = 'ServicePrincipal'

@description('What the assignment is named after: the same for the same identity.')
param key string = principalId

// Log Analytics Reader: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
var logAnalyticsReader = '73c42c96-874c-492b-b04d-ab87d138a893'

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource reading 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: workspace
  name: guid(workspace.id, key, logAnalyticsReader)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', logAnalyticsReader)
    principalId: principalId
    principalType: principalType
  }
}
