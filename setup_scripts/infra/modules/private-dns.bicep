metadata description = 'Private DNS zones, linked to the network, so that the services\' names lead to their private endpoints.'

@description('Resource id of the network.')
@minLength(1)
param networkId string

@description('Zone names.')
@minLength(1)
param zones string[]

@description('Tags for the zones.')
param tags object = {}

resource dnsZones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in zones: {
    name: zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, index) in zones: {
    parent: dnsZones[index]
    name: 'network'
    location: 'global'
    properties: {
      virtualNetwork: { id: networkId }
      registrationEnabled: false
    }
  }
]
