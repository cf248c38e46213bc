metadata description = 'Storage account that receives the gateway logs as PT1H.json blobs and deletes them after a set time.'

@description('Name of the storage account.')
@minLength(3)
@maxLength(24)
param name string

@description('Azure region; diagnostic settings need it to be the gateway\'s.')
param location string

@description('Tags for the account.')
param tags object = {}

@description('Copies of the data: within a datacenter, across zones, or also in the paired region.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param sku string = 'Standard_ZRS'

@description('Days after which a log blob is deleted.')
@minValue(1)
@maxValue(3650)
param deleteAfterDays int = 400

@description('false leaves private endpoints and, for the diagnostic settings, trusted Azure services as the only ways in.')
param publicNetworkAccess bool = true

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicNetworkAccess ? 'Enabled' : 'Disabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: publicNetworkAccess ? 'Allow' : 'Deny'
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      deleteRetentionPolicy: { enabled: true, days: 7 }
    }
  }

  resource lifecycle 'managementPolicies' = {
    name: 'default'
    properties: {
      policy: {
        rules: [
          {
            name: 'delete-old-logs'
            type: 'Lifecycle'
            enabled: true
            definition: {
              filters: {
                // Diagnostic settings write append blobs; lifecycle rules can delete those but not move them to another tier.
                blobTypes: ['appendBlob']
                prefixMatch: ['insights-logs-']
              }
              actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: deleteAfterDays } } }
            }
          }
        ]
      }
    }
    dependsOn: [blobs]
  }
}

@description('Resource id of the storage account.')
output id string = account.id

@description('Name of the storage account.')
output name string = account.name

@description('Blob endpoint.')
output blobEndpoint string = account.properties.primaryEndpoints.blob
