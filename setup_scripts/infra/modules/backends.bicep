metadata description = 'A backend with a circuit breaker for each Azure OpenAI account, and the pool that spreads requests over them; the same for Claude.'

@description('Name of the API Management service.')
param gatewayName string

@description('A member of a pool.')
type member = {
  @description('Name of the account.')
  name: string
  @description('Lower is asked first.')
  priority: int
  @description('Share within the priority.')
  weight: int
}

@description('The accounts, with the endpoints of both APIs, ending in a slash.')
@minLength(1)
@maxLength(30)
param accounts { name: string, endpoint: string, claudeEndpoint: string }[]

@description('Those with a backend of OpenAI\'s API, of the account\'s name, and their places in the pool.')
@minLength(1)
param members member[]

@description('Foundry resources with models of Anthropic. Each gets a backend whose id is its name and -claude.')
param claudeMembers member[] = []

@description('Id of the pool of the backends for Claude.')
param claudePoolName string = 'claude-pool'

@description('Id of the pool, which policies name.')
@minLength(1)
@maxLength(80)
param poolName string = 'aoai-pool'

@description('Failures within a minute that open a backend\'s breaker.')
@minValue(1)
@maxValue(100)
param breakerFailures int = 1

@description('The same for a backend of Claude.')
@minValue(1)
@maxValue(100)
param claudeBreakerFailures int = breakerFailures

@description('Seconds for which a breaker stays open where the backend sent no Retry-After.')
@minValue(1)
@maxValue(300)
param breakerSeconds int = 10

@description('Id of the backend of Content Safety.')
param contentSafetyBackendName string = 'content-safety'

@description('true makes a backend for Content Safety.')
param contentSafety bool = false

@description('Endpoint of the Content Safety account; needed with contentSafety.')
param contentSafetyEndpoint string = ''

@description('Id of the backend of the embeddings for the semantic cache.')
param embeddingsBackendName string = 'embeddings'

@description('Name of the embeddings deployment for the semantic cache; empty for no such backend.')
param embeddingsDeployment string = ''

@description('Place of the account that it is asked of.')
param embeddingsAccount int = 0

// What counts as a failure is said once, in the table of backend answers. The service takes one rule a backend.
var breaker = loadJsonContent('../../policies/backend-answers.json', '$.breaker')
func rules(breaker object, failures int, seconds int) object[] => [
  {
    name: 'throttled-or-unreachable'
    failureCondition: {
      count: failures
      interval: 'PT1M'
      statusCodeRanges: breaker.statusCodeRanges
      errorReasons: breaker.errorReasons
    }
    tripDuration: 'PT${seconds}S'
    acceptRetryAfter: breaker.acceptRetryAfter
  }
]
var breakerRules = rules(breaker, breakerFailures, breakerSeconds)

resource gateway 'Microsoft.ApiManagement/service@2024-06-01-preview' existing = {
  name: gatewayName
}

resource openAIBackends 'Microsoft.ApiManagement/service/backends@2024-06-01-preview' = [
  for account in accounts: if (contains(map(members, member => member.name), account.name)) {
    parent: gateway
    name: account.name
    properties: {
      type: 'Single'
      protocol: 'http'
      title: account.name
      description: 'Azure OpenAI account; signed in to with the gateway\'s managed identity, by policy.'
      url: '${account.endpoint}openai'
      tls: { validateCertificateChain: true, validateCertificateName: true }
      circuitBreaker: { rules: breakerRules }
    }
  }
]

// Only a Foundry resource has Anthropic's API, and not at the host of OpenAI's.
resource claudeBackends 'Microsoft.ApiManagement/service/backends@2024-06-01-preview' = [
  for account in accounts: if (contains(map(claudeMembers, member => member.name), account.name)) {
    parent: gateway
    name: '${account.name}-claude'
    properties: {
      type: 'Single'
      protocol: 'http'
      title: '${account.name}-claude'
      description: 'Anthropic\'s API of a Foundry resource; signed in to with the gateway\'s managed identity, by policy.'
      url: '${account.claudeEndpoint}anthropic'
      tls: { validateCertificateChain: true, validateCertificateName: true }
      circuitBreaker: { rules: rules(breaker, claudeBreakerFailures, breakerSeconds) }
    }
  }
]

resource poolGateway 'Microsoft.ApiManagement/service@2025-03-01-preview' existing = {
  name: gatewayName
}

resource pool 'Microsoft.ApiManagement/service/backends@2025-03-01-preview' = {
  parent: poolGateway
  name: poolName
  properties: {
    type: 'Pool'
    title: poolName
    description: 'Azure OpenAI accounts by priority and weight; a tripped one is left out.'
    pool: {
      // Only a request that continues a stored response brings the cookie: the policy removes it from all others.
      sessionAffinity: { sessionId: { source: 'cookie', name: 'aoai-backend' } }
      services: [
        for member in members: {
          id: resourceId('Microsoft.ApiManagement/service/backends', gatewayName, member.name)
          priority: member.priority
          weight: member.weight
        }
      ]
    }
  }
  dependsOn: [openAIBackends]
}

resource claudePool 'Microsoft.ApiManagement/service/backends@2025-03-01-preview' = if (!empty(claudeMembers)) {
  parent: poolGateway
  name: claudePoolName
  properties: {
    type: 'Pool'
    title: claudePoolName
    description: 'Foundry resources with Claude by priority and weight; a tripped one is left out.'
    pool: {
      services: [
        for member in claudeMembers: {
          id: resourceId('Microsoft.ApiManagement/service/backends', gatewayName, '${member.name}-claude')
          priority: member.priority
          weight: member.weight
        }
      ]
    }
  }
  dependsOn: [claudeBackends]
}

resource contentSafetyService 'Microsoft.ApiManagement/service/backends@2024-06-01-preview' = if (contentSafety) {
  parent: gateway
  name: contentSafetyBackendName
  properties: {
    type: 'Single'
    protocol: 'http'
    title: contentSafetyBackendName
    url: contentSafetyEndpoint
    // The policy llm-content-safety signs in with what its backend says. Bicep's published types lack the property.
    #disable-next-line BCP037
    credentials: { managedIdentity: { resource: 'https://cognitiveservices.azure.com' } }
    circuitBreaker: { rules: breakerRules }
  }
}

// The semantic cache's policy authenticates itself and needs the full URL.
resource embeddings 'Microsoft.ApiManagement/service/backends@2024-06-01-preview' = if (!empty(embeddingsDeployment)) {
  parent: gateway
  name: embeddingsBackendName
  properties: {
    type: 'Single'
    protocol: 'http'
    title: embeddingsBackendName
    url: '${accounts[embeddingsAccount].endpoint}openai/deployments/${embeddingsDeployment}/embeddings'
    circuitBreaker: { rules: breakerRules }
  }
}

@description('Resource id of the pool.')
output poolId string = pool.id

@description('Id of the pool, as policies name it.')
output poolName string = pool.name

@description('Ids of the backends.')
output backendNames string[] = map(members, member => member.name)
