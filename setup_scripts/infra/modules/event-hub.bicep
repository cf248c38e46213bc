metadata description = 'Event Hub (gateway-logs) that receives the gateway logs as a stream, for example for Azure Data Explorer or Fabric, and the rule (diagnostic-settings) they are sent with.'

@description('Name of the namespace.')
@minLength(6)
@maxLength(50)
param name string

@description('Azure region; diagnostic settings need it to be the gateway\'s.')
param location string

@description('Tags for the namespace.')
param tags object = {}

@description('Throughput units to start with; it inflates to ten.')
@minValue(1)
@maxValue(10)
param throughputUnits int = 1

@description('Partitions of the hub: the most readers that can share the work.')
@minValue(1)
@maxValue(32)
param partitionCount int = 4

@description('Hours for which events can be read again.')
@minValue(1)
@maxValue(168)
param retentionHours int = 72

@description('false leaves private endpoints and, for the diagnostic settings, trusted Azure services as the only ways in.')
param publicNetworkAccess bool = true

var access = publicNetworkAccess ? 'Enabled' : 'Disabled'

resource namespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: 'Standard', tier: 'Standard', capacity: throughputUnits }
  properties: {
    isAutoInflateEnabled: true
    maximumThroughputUnits: 10
    minimumTlsVersion: '1.2'
    publicNetworkAccess: access
    // Diagnostic settings can only send with a shared access rule, so local authentication has to stay on here.
    disableLocalAuth: false
  }

  resource network 'networkRuleSets' = {
    name: 'default'
    properties: {
      publicNetworkAccess: access
      defaultAction: publicNetworkAccess ? 'Allow' : 'Deny'
      trustedServiceAccessEnabled: true
    }
  }

  resource hub 'eventhubs' = {
    name: 'gateway-logs'
    properties: {
      partitionCount: partitionCount
      retentionDescription: { cleanupPolicy: 'Delete', retentionTimeInHours: retentionHours }
    }
  }

  // Diagnostic settings refuse a rule without all three rights, and one of a hub instead of the namespace.
  resource sendRule 'authorizationRules' = {
    name: 'diagnostic-settings'
    properties: { rights: ['Manage', 'Listen', 'Send'] }
  }
}

@description('Resource id of the namespace.')
output id string = namespace.id

@description('Name of the namespace.')
output name string = namespace.name
