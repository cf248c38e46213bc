metadata description = 'A private endpoint of one resource, with its DNS records.'

@description('Name of the endpoint.')
@minLength(2)
@maxLength(64)
param name string

@description('Azure region of the network.')
param location string

@description('Tags for the endpoint.')
param tags object = {}

@description('Subnet of the endpoint.')
param subnetId string

@description('Resource to reach.')
param targetId string

@description('Which part of it: account, vault, blob, web, registry, namespace, Gateway, azuremonitor.')
@allowed(['account', 'vault', 'blob', 'web', 'registry', 'namespace', 'Gateway', 'azuremonitor'])
param groupId string

@description('Names of the DNS zones for the records, in this resource group; empty for no records.')
param zones string[]

resource endpoint 'Microsoft.Network/privateEndpoints@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    customNetworkInterfaceName: '${name}-nic'
    privateLinkServiceConnections: [
      {
        name: name
        properties: {
          privateLinkServiceId: targetId
          groupIds: [groupId]
        }
      }
    ]
  }

  resource records 'privateDnsZoneGroups' = if (!empty(zones)) {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        for zone in zones: {
          name: replace(zone, '.', '-')
          properties: { privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', zone) }
        }
      ]
    }
  }
}

@description('Resource id of the endpoint.')
output id string = endpoint.id
