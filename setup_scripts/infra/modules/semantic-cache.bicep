metadata description = 'Registers a Redis of your own as the gateway\'s cache, for the policy option semantic-cache. Its connection string stays in Key Vault.'

@description('Name of the API Management service.')
param gatewayName string

@description('URI of the Key Vault, ending in a slash.')
@minLength(1)
param keyVaultUri string

@description('Name of the vault\'s secret with the connection string of a Redis that has the module RediSearch.')
@minLength(1)
@maxLength(127)
param connectionStringSecretName string

resource gateway 'Microsoft.ApiManagement/service@2024-06-01-preview' existing = {
  name: gatewayName
}

resource connectionString 'Microsoft.ApiManagement/service/namedValues@2024-06-01-preview' = {
  parent: gateway
  name: 'semantic-cache-connection-string'
  properties: {
    displayName: 'semantic-cache-connection-string'
    secret: true
    keyVault: { secretIdentifier: '${keyVaultUri}secrets/${connectionStringSecretName}' }
  }
}

resource cache 'Microsoft.ApiManagement/service/caches@2024-06-01-preview' = {
  parent: gateway
  name: 'default'
  properties: {
    description: 'Cache of answers to similar prompts.'
    useFromLocation: 'default'
    connectionString: '{{${connectionString.name}}}'
  }
}
