metadata description = 'Makes the API Management service, once, open to the public network, so that a private endpoint can be attached before gateway.bicep closes it. The service refuses to be created closed.'

import { gatewaySku } from 'gateway.bicep'

@description('Name of the service.')
@minLength(1)
@maxLength(50)
param name string

@description('Azure region.')
param location string

@description('Pricing tier.')
param sku gatewaySku

@description('Scale units.')
@minValue(1)
param capacity int

@description('Address shown as the publisher\'s.')
param publisherEmail string

@description('Publisher\'s name.')
param publisherName string

@description('Subnet for outbound traffic.')
param subnetId string

@description('true recovers a soft-deleted service of this name.')
param restore bool = false

@onlyIfNotExists()
resource service 'Microsoft.ApiManagement/service@2024-06-01-preview' = {
  name: name
  location: location
  sku: { name: sku, capacity: capacity }
  identity: { type: 'SystemAssigned' }
  properties: {
    publisherEmail: publisherEmail
    publisherName: publisherName
    virtualNetworkType: 'External'
    virtualNetworkConfiguration: { subnetResourceId: subnetId }
    publicNetworkAccess: 'Enabled'
    restore: restore
  }
}

@description('Resource id of the service.')
output id string = service.id
