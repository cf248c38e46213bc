metadata description = 'What the installation needs to know of a gateway of your own. It makes and changes nothing.'

@description('Name of the API Management service. It needs a system-assigned identity.')
@minLength(1)
param name string

resource service 'Microsoft.ApiManagement/service@2024-06-01-preview' existing = {
  name: name
}

@description('Resource id of the service.')
output id string = service.id

@description('Object id of its identity.')
output principalId string = service.identity.principalId

@description('Where clients send their requests, without a slash at the end.')
output gatewayUrl string = service.properties.gatewayUrl
