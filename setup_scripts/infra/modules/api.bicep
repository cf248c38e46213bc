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

@description('OpenAPI document as text.')
@minLength(1)
param openApi string

@description('Policy of the API as XML.')
@minLength(1)
param policy string

@description('Policy fragments: id to XML.')
param fragments {
  @description('The fragment as XML.')
  *: string
} = {}

@description('true refuses requests without a subscription key before any policy runs. false leaves it to the policy to tell callers by Entra token.')
param subscriptionRequired bool = true

resource gateway 'Microsoft.ApiManagement/service@2024-06-01-preview' existing = {
  name: gatewayName
}

resource policyFragments 'Microsoft.ApiManagement/service/policyFragments@2024-06-01-preview' = [
  for fragment in items(fragments): {
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
    value: openApi
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
