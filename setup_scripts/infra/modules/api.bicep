metadata description = 'The language-model API, imported from its OpenAPI document, with its policy and the policy fragments.'

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
  'request-filter': loadTextContent('../../policies/fragments/request-filter.xml')
  'response-owner': loadTextContent('../../policies/fragments/response-owner.xml')
  'response-owner-store': loadTextContent('../../policies/fragments/response-owner-store.xml')
  'token-metric': loadTextContent('../../policies/fragments/token-metric.xml')
}
var optionalFragments = {
  'content-safety': loadTextContent('../../policies/fragments/content-safety.xml')
  'semantic-cache-lookup': loadTextContent('../../policies/fragments/semantic-cache-lookup.xml')
  'semantic-cache-store': loadTextContent('../../policies/fragments/semantic-cache-store.xml')
}

// api.xml has a placeholder for each option, replaced by its fragment if the option is on.
var options = concat(
  contentSafety ? ['content-safety'] : [],
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

@description('Resource id of the API.')
output id string = api.id

@description('Name of the API.')
output name string = api.name
