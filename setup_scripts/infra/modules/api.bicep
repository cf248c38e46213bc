metadata description = 'The language-model APIs, OpenAI\'s and Claude\'s, imported from their OpenAPI documents, with their policy and the policy fragments.'

@description('Name of the API Management service.')
param gatewayName string

@description('Name of the API, as in the logs\' ApiId.')
@minLength(1)
@maxLength(80)
param name string = 'azure-openai'

@description('First part of the URL\'s path. Azure OpenAI clients expect openai.')
@minLength(1)
param path string = 'openai'

@description('true turns the policy option content-safety on.')
param contentSafety bool = false

@description('true turns the policy options semantic-cache-lookup and semantic-cache-store on.')
param semanticCache bool = false

@description('true adds Claude\'s API, at the path anthropic.')
param claude bool = false

@description('Name of Claude\'s API.')
param claudeName string = 'anthropic'

@description('true refuses to continue a response that the gateway does not know to be the caller\'s.')
param ownResponses bool = false

@description('true refuses requests without a subscription key before any policy runs. false leaves it to the policy to tell callers by Entra token.')
param subscriptionRequired bool = true

var fragments = {
  'allowed-models': loadTextContent('../../policies/fragments/allowed-models.xml')
  'answer-traces': loadTextContent('../../policies/fragments/answer-traces.xml')
  'backend-attempts': loadTextContent('../../policies/fragments/backend-attempts.xml')
  'backend-errors': loadTextContent('../../policies/fragments/backend-errors.xml')
  'caller-limits': loadTextContent('../../policies/fragments/caller-limits.xml')
  'gateway-errors': loadTextContent('../../policies/fragments/gateway-errors.xml')
  identity: loadTextContent('../../policies/fragments/identity.xml')
  'include-usage': loadTextContent('../../policies/fragments/include-usage.xml')
  'request-body': loadTextContent('../../policies/fragments/request-body.xml')
  'request-filter': loadTextContent('../../policies/fragments/request-filter.xml')
  'response-owner': loadTextContent('../../policies/fragments/response-owner.xml')
  'response-owner-store': loadTextContent('../../policies/fragments/response-owner-store.xml')
  'token-metric': loadTextContent('../../policies/fragments/token-metric.xml')
}
var optionalFragments = {
  claude: loadTextContent('../../policies/fragments/claude.xml')
  'content-safety': loadTextContent('../../policies/fragments/content-safety.xml')
  'own-responses': loadTextContent('../../policies/fragments/own-responses.xml')
  'semantic-cache-lookup': loadTextContent('../../policies/fragments/semantic-cache-lookup.xml')
  'semantic-cache-store': loadTextContent('../../policies/fragments/semantic-cache-store.xml')
}

// api.xml has a placeholder for each option, replaced by its fragment if the option is on.
var options = concat(
  contentSafety ? ['content-safety'] : [],
  claude ? ['claude'] : [],
  ownResponses ? ['own-responses'] : [],
  semanticCache ? ['semantic-cache-lookup', 'semantic-cache-store'] : []
)
var policy = reduce(
  options,
  loadTextContent('../../policies/api.xml'),
  (text, option) => replace(string(text), '<!-- option ${option} -->', '<include-fragment fragment-id="${option}" />')
)
var deployedFragments = concat(
  items(fragments),
  filter(items(optionalFragments), fragment => contains(options, fragment.key))
)

resource gateway 'Microsoft.ApiManagement/service@2024-06-01-preview' existing = {
  name: gatewayName
}

resource policyFragments 'Microsoft.ApiManagement/service/policyFragments@2024-06-01-preview' = [
  for fragment in deployedFragments: {
    parent: gateway
    name: fragment.key
    properties: {
      format: 'xml'
      value: fragment.value
    }
  }
]

resource api 'Microsoft.ApiManagement/service/apis@2024-06-01-preview' = {
  parent: gateway
  name: name
  properties: {
    displayName: 'Azure OpenAI'
    description: 'Azure OpenAI by deployment and by the v1 routes.'
    apiType: 'http'
    type: 'http'
    format: 'openapi+json'
    value: loadTextContent('../api/azure-openai.openapi.json')
    path: path
    protocols: ['https']
    subscriptionRequired: subscriptionRequired
    // The OpenAI libraries send the key so when they talk to Azure.
    subscriptionKeyParameterNames: { header: 'api-key', query: 'subscription-key' }
  }
}

resource apiPolicy 'Microsoft.ApiManagement/service/apis/policies@2024-06-01-preview' = {
  parent: api
  name: 'policy'
  properties: {
    format: 'xml'
    value: policy
  }
  dependsOn: [policyFragments]
}

resource claudeApi 'Microsoft.ApiManagement/service/apis@2024-06-01-preview' = if (claude) {
  parent: gateway
  name: claudeName
  properties: {
    displayName: 'Claude'
    description: 'Anthropic\'s Messages API of the Foundry resources.'
    apiType: 'http'
    type: 'http'
    format: 'openapi+json'
    value: loadTextContent('../api/anthropic.openapi.json')
    path: 'anthropic'
    protocols: ['https']
    subscriptionRequired: subscriptionRequired
    // Anthropic's libraries send the key so.
    subscriptionKeyParameterNames: { header: 'x-api-key', query: 'subscription-key' }
  }
  // The service refuses two imports at a time.
  dependsOn: [api]
}

resource claudeApiPolicy 'Microsoft.ApiManagement/service/apis/policies@2024-06-01-preview' = if (claude) {
  parent: claudeApi
  name: 'policy'
  properties: {
    format: 'xml'
    value: policy
  }
  dependsOn: [policyFragments]
}

@description('Resource id of the API.')
output id string = api.id

@description('Name of the API.')
output name string = api.name
