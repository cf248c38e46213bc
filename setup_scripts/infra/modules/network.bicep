metadata description = 'Virtual network with a subnet for each use (gateway, endpoints, application-gateway, reports), and their security groups.'

@export()
@description('Subnets of a virtual network of your own, by resource id. The network is in the gateway\'s region.')
type ownSubnets = {
  @description('For the gateway\'s outbound traffic: delegated to Microsoft.Web/serverFarms, /27 or larger, used by nothing else.')
  @minLength(1)
  gateway: string
  @description('For the private endpoints.')
  @minLength(1)
  endpoints: string
  @description('For the Application Gateway, used by nothing else; needed with applicationGateway.')
  @minLength(1)
  applicationGateway: string?
  @description('For the job that makes reports: delegated to Microsoft.App/environments; needed with reportSchedule.')
  @minLength(1)
  reports: string?
}

@description('Name of the network; the security groups are named after it.')
@minLength(2)
@maxLength(58)
param name string

@description('Azure region; it must be the gateway\'s.')
param location string

@description('Tags for the network and its security groups.')
param tags object = {}

@description('Address space, /22 or larger.')
param addressPrefix string = '10.64.0.0/22'

resource gatewayRules 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: '${name}-gateway'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'to-private-endpoints'
        properties: {
          priority: 100
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: 'VirtualNetwork'
          destinationPortRange: '443'
        }
      }
      {
        name: 'to-storage'
        properties: {
          priority: 110
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: 'Storage'
          destinationPortRange: '443'
        }
      }
      {
        name: 'to-key-vault'
        properties: {
          priority: 120
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: 'AzureKeyVault'
          destinationPortRange: '443'
        }
      }
      {
        name: 'to-entra-id'
        properties: {
          priority: 130
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: 'AzureActiveDirectory'
          destinationPortRange: '443'
        }
      }
    ]
  }
}

resource endpointRules 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: '${name}-endpoints'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'from-the-network'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          // 5671: readers of the Event Hub over AMQP.
          destinationPortRanges: ['443', '5671']
        }
      }
      {
        name: 'nothing-else'
        properties: {
          priority: 4096
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource applicationGatewayRules 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: '${name}-application-gateway'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'https-from-clients'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '443'
        }
      }
      {
        // Application Gateway v2 does not start without its management ports.
        name: 'from-gateway-manager'
        properties: {
          priority: 110
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'GatewayManager'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '65200-65535'
        }
      }
    ]
  }
}

resource reportRules 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: '${name}-reports'
  location: location
  tags: tags
  // The default rules: nothing comes in from the internet, and a job listens on nothing.
  properties: { securityRules: [] }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        name: 'gateway'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 0)
          networkSecurityGroup: { id: gatewayRules.id }
          delegations: [
            { name: 'api-management-v2', properties: { serviceName: 'Microsoft.Web/serverFarms' } }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 1)
          networkSecurityGroup: { id: endpointRules.id }
          privateEndpointNetworkPolicies: 'Enabled'
          defaultOutboundAccess: false
        }
      }
      {
        name: 'application-gateway'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 24, 1)
          networkSecurityGroup: { id: applicationGatewayRules.id }
        }
      }
      {
        name: 'reports'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 2)
          networkSecurityGroup: { id: reportRules.id }
          delegations: [
            { name: 'container-apps', properties: { serviceName: 'Microsoft.App/environments' } }
          ]
        }
      }
    ]
  }
}

@description('Resource id of the network.')
output id string = network.id
