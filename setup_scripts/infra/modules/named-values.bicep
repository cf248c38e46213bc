metadata description = 'Settings that policies name as {{name}}. None is a secret: the policies need none.'

import { limits, entraCallers, semanticCacheSettings } from 'types.bicep'

@description('Name of the API Management service.')
param gatewayName string

@description('Further attempts on the pool after one that failed.')
@minValue(1)
@maxValue(50)
param backendRetries int

@description('Ids of the pool\'s members, in the order in which they are asked.')
@minLength(1)
param backendMembers string[]

@description('Accounts of the pool for Claude, in the order in which they are asked.')
param claudeMembers string[] = []

@description('Seconds that clients are told to wait where no backend named a time.')
@minValue(1)
@maxValue(300)
param retryAfterSeconds int

@description('Callers with an Entra token.')
param entra entraCallers

@description('Limits of the product bronze.')
param bronze limits = {}

@description('Limits of the product silver.')
param silver limits = {}

@description('Limits of the product gold.')
param gold limits = {}

@description('Severity at which content safety refuses a prompt.')
@minValue(0)
@maxValue(7)
param contentSafetyThreshold int?

@description('Settings of the semantic cache.')
param semanticCache semanticCacheSettings?

// Names and default values are in the policies' folder.
var defaults = mapValues(loadJsonContent('../../policies/named-values.json'), setting => setting.value)
var chosen = {
  'backend-retries': backendRetries
  'backend-members': join(backendMembers, ' ')
  'claude-members': empty(claudeMembers) ? null : join(claudeMembers, ' ')
  'retry-after-seconds': retryAfterSeconds
  'entra-tenant-id': entra.?tenantId ?? tenant().tenantId
  // The policy accepts the application's id with and without api://, and no token at all while it is off.
  'entra-audience': !entra.accept ? 'off' : contains(entra.?audience ?? '', '://') ? entra.?audience : 'api://${entra.?audience ?? ''}'
  'entra-app-id': entra.accept ? replace(entra.?audience ?? 'off', 'api://', '') : 'off'
  'entra-role': entra.?role
  'direct-tokens-per-minute': entra.?tokensPerMinute
  'direct-token-quota': entra.?tokensPerMonth
  'bronze-tokens-per-minute': bronze.?tokensPerMinute
  'bronze-token-quota': bronze.?tokensPerMonth
  'silver-tokens-per-minute': silver.?tokensPerMinute
  'silver-token-quota': silver.?tokensPerMonth
  'gold-tokens-per-minute': gold.?tokensPerMinute
  'gold-token-quota': gold.?tokensPerMonth
  'content-safety-threshold': contentSafetyThreshold
  'semantic-cache-score-threshold': semanticCache.?scoreThreshold
  'semantic-cache-seconds': semanticCache.?seconds
}

resource gateway 'Microsoft.ApiManagement/service@2024-06-01-preview' existing = {
  name: gatewayName
}

resource settings 'Microsoft.ApiManagement/service/namedValues@2024-06-01-preview' = [
  for name in objectKeys(defaults): {
    parent: gateway
    name: name
    properties: {
      displayName: name
      value: string(chosen[?name] ?? defaults[name])
      secret: false
    }
  }
]
