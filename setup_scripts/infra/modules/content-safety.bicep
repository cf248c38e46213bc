metadata description = 'Azure AI Content Safety account with key access turned off, for the policy option content-safety.'

@description('Name of the account, which is also its subdomain: unique in all of Azure.')
@minLength(2)
@maxLength(64)
param name string

@description('Azure region.')
param location string

@description('Tags for the account.')
param tags object = {}

@description('false leaves private endpoints as the only way in.')
param publicNetworkAccess bool = true

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'ContentSafety'
  sku: { name: 'S0' }
  properties: {
    customSubDomainName: name
    disableLocalAuth: true
    publicNetworkAccess: publicNetworkAccess ? 'Enabled' : 'Disabled'
    networkAcls: { defaultAction: publicNetworkAccess ? 'Allow' : 'Deny' }
  }
}

@description('Resource id of the account.')
output id string = account.id

@description('Name of the account.')
output name string = account.name

@description('Endpoint of the account, ending in a slash.')
output endpoint string = account.properties.endpoint
