metadata description = 'The API Management service with its system-assigned identity.'

@export()
@description('A further region of the gateway, with its own units.')
type gatewayRegion = {
  @description('Azure region.')
  @minLength(3)
  location: string
  @description('Scale units there.')
  @minValue(1)
  @maxValue(12)
  capacity: int
}

@export()
@description('Pricing tiers: the v2 ones, and the classic ones for those who have them. Private networks need StandardV2 or PremiumV2.')
type gatewaySku = 'BasicV2' | 'StandardV2' | 'PremiumV2' | 'Developer' | 'Basic' | 'Standard' | 'Premium'

@description('Name of the service, unique in all of Azure.')
@minLength(1)
@maxLength(50)
param name string

@description('Azure region.')
param location string

@description('Tags for the service.')
param tags object = {}

@description('Pricing tier.')
param sku gatewaySku = 'StandardV2'

@description('Scale units.')
@minValue(1)
@maxValue(30)
param capacity int = 1

@description('Further regions of the gateway, for the tier Premium.')
param regions gatewayRegion[] = []

@description('Address that Azure writes to about the service.')
@minLength(3)
@maxLength(100)
param publisherEmail string

@description('Publisher\'s name.')
@minLength(1)
@maxLength(100)
param publisherName string

@description('Subnet for outbound traffic, delegated to Microsoft.Web/serverFarms; empty for none.')
param subnetId string = ''

@description('false leaves private endpoints as the only way in; one must be attached already.')
param publicNetworkAccess bool = true

@description('true recovers a soft-deleted service of this name.')
param restore bool = false

var networked = !empty(subnetId)

resource service 'Microsoft.ApiManagement/service@2024-06-01-preview' = {
  name: name
  location: location
  tags: tags
  sku: { name: sku, capacity: capacity }
  identity: { type: 'SystemAssigned' }
  properties: {
    publisherEmail: publisherEmail
    publisherName: publisherName
    additionalLocations: empty(regions)
      ? null
      : map(regions, region => { location: region.location, sku: { name: sku, capacity: region.capacity } })
    virtualNetworkType: networked ? 'External' : 'None'
    virtualNetworkConfiguration: networked ? { subnetResourceId: subnetId } : null
    publicNetworkAccess: publicNetworkAccess ? 'Enabled' : 'Disabled'
    // Older management API versions hand out secrets with plain reads.
    apiVersionConstraint: { minApiVersion: '2021-08-01' }
    restore: restore
  }
}

@description('Resource id of the service.')
output id string = service.id

@description('Name of the service.')
output name string = service.name

@description('Object id of the service\'s identity.')
output principalId string = service.identity.principalId

@description('Where clients send their requests, without a slash at the end.')
output gatewayUrl string = service.properties.gatewayUrl
