metadata description = 'A model account (Azure OpenAI, or Microsoft Foundry) with key access turned off, and its model deployments.'

import { modelDeployment } from 'types.bicep'

@export()
@description('What Azure asks of a customer who deploys a model of Anthropic.')
type anthropicCustomer = {
  @description('Name of your organization.')
  @minLength(1)
  organizationName: string

  @description('Its industry, for example technology or healthcare.')
  @minLength(1)
  industry: string

  @description('Its country: two letters, as in ISO 3166.')
  @minLength(2)
  @maxLength(2)
  countryCode: string
}

@description('Name of the account, which is also its subdomain: unique in all of Azure.')
@minLength(2)
@maxLength(64)
param name string

@description('Azure region.')
param location string

@description('OpenAI, or AIServices for a Microsoft Foundry resource.')
param kind 'OpenAI' | 'AIServices' = 'OpenAI'

@description('Tags for the account.')
param tags object = {}

@description('Model deployments.')
@minLength(1)
param deployments modelDeployment[]

@description('Who uses the models of Anthropic; needed for a deployment of that format.')
param claudeCustomer anthropicCustomer?

@description('false leaves private endpoints as the only way in.')
param publicNetworkAccess bool = true

@description('true recovers a soft-deleted account of this name.')
param restore bool = false

var foundry = kind == 'AIServices'
var names = map(deployments, deployment => deployment.name)

// Deployments that spill over come last, for their target has to exist.
var plain = filter(deployments, deployment => deployment.?spilloverDeploymentName == null)
var spilling = filter(deployments, deployment => deployment.?spilloverDeploymentName != null)
var wrongSpillover = filter(
  spilling,
  deployment =>
    !contains(deployment.sku, 'Provisioned') || !contains(
      map(filter(plain, target => !contains(target.sku, 'Provisioned')), target => target.name),
      deployment.spilloverDeploymentName!
    )
)
var spillingChecked = empty(wrongSpillover)
  ? spilling
  : fail('Account ${name}: deployment ${first(wrongSpillover)!.name} cannot spill over. Only a Provisioned deployment can, and spilloverDeploymentName must be a standard deployment of the same account')
var plainChecked = length(union(names, [])) == length(names) ? plain : fail('Account ${name}: two deployments have the same name. Give each deployment of an account its own name')

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: kind
  sku: { name: 'S0' }
  // A Foundry resource has an identity for its projects; the gateway needs neither.
  identity: foundry ? { type: 'SystemAssigned' } : null
  properties: {
    customSubDomainName: name
    allowProjectManagement: foundry ? true : null
    disableLocalAuth: true
    publicNetworkAccess: publicNetworkAccess ? 'Enabled' : 'Disabled'
    networkAcls: { defaultAction: publicNetworkAccess ? 'Allow' : 'Deny' }
    restore: restore
  }
}

// The service refuses two changes to one account at a time, hence one deployment after the other.
@batchSize(1)
resource plainDeployments 'Microsoft.CognitiveServices/accounts/deployments@2025-12-01' = [
  for deployment in plainChecked: {
    parent: account
    name: deployment.name
    sku: { name: deployment.sku, capacity: deployment.capacity }
    // Bicep's published types lack modelProviderData.
    #disable-next-line BCP037
    properties: {
      model: { format: deployment.?format ?? 'OpenAI', name: deployment.model, version: deployment.version }
      versionUpgradeOption: deployment.?versionUpgradeOption ?? 'NoAutoUpgrade'
      // The service refuses a model of Anthropic without its customer, and its filter is not Azure's.
      ...(deployment.?format == 'Anthropic'
        ? { modelProviderData: claudeCustomer }
        : { raiPolicyName: deployment.?contentFilter ?? 'Microsoft.DefaultV2' })
    }
  }
]

@batchSize(1)
resource spillingDeployments 'Microsoft.CognitiveServices/accounts/deployments@2025-12-01' = [
  for deployment in spillingChecked: {
    parent: account
    name: deployment.name
    sku: { name: deployment.sku, capacity: deployment.capacity }
    properties: {
      model: { format: deployment.?format ?? 'OpenAI', name: deployment.model, version: deployment.version }
      versionUpgradeOption: deployment.?versionUpgradeOption ?? 'NoAutoUpgrade'
      raiPolicyName: deployment.?contentFilter ?? 'Microsoft.DefaultV2'
      spilloverDeploymentName: deployment.?spilloverDeploymentName
    }
    dependsOn: [plainDeployments]
  }
]

@description('Resource id of the account.')
output id string = account.id

@description('Name of the account.')
output name string = account.name

// A Foundry resource names its general endpoint (cognitiveservices); the routes of OpenAI's API are at this one.
@description('Endpoint of OpenAI\'s API at the account, ending in a slash.')
output endpoint string = foundry ? 'https://${account.name}.openai.azure.com/' : account.properties.endpoint

@description('Endpoint of Claude\'s API at a Foundry resource, before its path.')
output claudeEndpoint string = 'https://${account.name}.services.ai.azure.com/'
