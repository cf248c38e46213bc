metadata description = 'Network for the job that makes reports, where the installation has none of its own: one subnet, nothing comes in.'

@description('Name of the network; its security group is named after it.')
@minLength(2)
@maxLength(60)
param name string

@description('Azure region.')
param location string

@description('Tags for the network.')
param tags object = {}

@description('Address space, /27 or larger.')
param addressPrefix string

resource rules 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: '${name}-job'
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
        name: 'job'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 27, 0)
          networkSecurityGroup: { id: rules.id }
          serviceEndpoints: [{ service: 'Microsoft.Storage' }]
          delegations: [
            { name: 'container-apps', properties: { serviceName: 'Microsoft.App/environments' } }
          ]
        }
      }
    ]
  }
}
