metadata description = 'Storage account with the pages of the reports as a static website. One identity writes them.'

@description('Name of the storage account. Its website has no sign-in: who may read it is a matter of the network.')
@minLength(3)
@maxLength(24)
param name string

@description('Azure region.')
param location string

@description('Tags for the account.')
param tags object = {}

@description('Copies of the pages.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param sku string = 'Standard_ZRS'

@description('Resource id of the identity that writes the pages.')
@minLength(1)
param writerId string

@description('Object id of that identity.')
@minLength(36)
param writerPrincipalId string

@description('Subnet from which it does.')
@minLength(1)
param writerSubnetId string

@description('Public addresses (IPv4, or ranges as 203.0.113.0/24) from which the pages can be read. By default none.')
param readerIpRanges string[] = []

@description('true lets anybody on the internet who knows the address read the pages.')
param anyoneMayRead bool = false

@description('false closes the pages to the internet: they are then reached through private endpoints (blob, web).')
param publicNetworkAccess bool = true

// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
var storageBlobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

var checkedOpening = anyoneMayRead && (!publicNetworkAccess || !empty(readerIpRanges))
  ? fail('anyoneMayRead: it opens the pages to everybody, which readerIpRanges and publicNetworkAccess narrow. Choose one')
  : anyoneMayRead

resource pages 'Microsoft.Storage/storageAccounts@2025-08-01' = {
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
      bypass: 'None'
      defaultAction: checkedOpening ? 'Allow' : 'Deny'
      ipRules: [for range in readerIpRanges: { action: 'Allow', value: range }]
      virtualNetworkRules: publicNetworkAccess ? [{ action: 'Allow', id: writerSubnetId }] : []
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      // ARM knows this property since API version 2025-08-01; before, only the data plane did.
      staticWebsite: { enabled: true, indexDocument: 'index.html' }
      deleteRetentionPolicy: { enabled: true, days: 7 }
    }
  }
}

resource writerWrites 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: pages
  name: guid(pages.id, writerId, storageBlobDataContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataContributor)
    principalId: writerPrincipalId
    principalType: 'ServicePrincipal'
  }
}

@description('Resource id of the account.')
output id string = pages.id

@description('Where reports are delivered: what "aoai report --deliver" takes.')
output deliverTo string = '${pages.properties.primaryEndpoints.blob}$web'

@description('Where the pages are read.')
output websiteUrl string = pages.properties.primaryEndpoints.web
