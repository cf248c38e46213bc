metadata description = 'Azure Monitor private link scope with the workspace in it: the way to query a workspace that is closed to the internet.'

@description('Name of the scope.')
@minLength(1)
@maxLength(255)
param name string

@description('Tags for the scope.')
param tags object = {}

@description('Resource id of the workspace.')
param workspaceId string

resource privateLink 'Microsoft.Insights/privateLinkScopes@2021-07-01-preview' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    // Open: networks that resolve through this scope can still reach other workspaces; this one is closed by its own settings.
    accessModeSettings: { ingestionAccessMode: 'Open', queryAccessMode: 'Open' }
  }

  resource workspaceInScope 'scopedResources' = {
    name: 'workspace'
    properties: { linkedResourceId: workspaceId }
  }
}

@description('Resource id of the scope.')
output id string = privateLink.id
