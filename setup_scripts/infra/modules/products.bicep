metadata description = 'Products, each with its own limits, and their subscriptions.'

import { team } from 'types.bicep'

@description('Name of the API Management service.')
param gatewayName string

@description('Names of the APIs the products open.')
@minLength(1)
param apiNames string[]

@description('Subscriptions of bronze: one for each team or application, so that the logs tell them apart.')
param bronzeSubscriptions string[] = []

@description('Subscriptions of silver.')
param silverSubscriptions string[] = []

@description('Subscriptions of gold.')
param goldSubscriptions string[] = []

@description('Subscriptions of unlimited.')
param unlimitedSubscriptions string[] = []

@description('Teams with limits of their own, each with a product.')
param teams team[] = []

// Names as in the logs' ProductId; the limits are in the policies, by named values.
var shared = [
  {
    name: 'bronze'
    displayName: 'Bronze'
    description: 'For trying things out.'
    policy: loadTextContent('../../policies/product-bronze.xml')
    subscriptions: bronzeSubscriptions
  }
  {
    name: 'silver'
    displayName: 'Silver'
    description: 'For a team\'s daily work.'
    policy: loadTextContent('../../policies/product-silver.xml')
    subscriptions: silverSubscriptions
  }
  {
    name: 'gold'
    displayName: 'Gold'
    description: 'For applications in production.'
    policy: loadTextContent('../../policies/product-gold.xml')
    subscriptions: goldSubscriptions
  }
  {
    name: 'unlimited'
    displayName: 'Unlimited'
    description: 'For those who share out the limits themselves.'
    policy: loadTextContent('../../policies/product-unlimited.xml')
    subscriptions: unlimitedSubscriptions
  }
]

var policyOf = toObject(shared, product => product.name, product => product.policy)
var wrongTeams = filter(teams, team => team.product == 'unlimited' && (team.?tokensPerMinute ?? team.?tokensPerMonth) != null)
// A team's policy is its product's, with its own numbers instead of the named values, and the deployments it may use.
var own = [
  for team in empty(wrongTeams)
    ? teams
    : fail('teams: ${first(wrongTeams)!.subscription} has limits, but the product unlimited has none. Choose bronze, silver or gold'): {
    name: 'team-${team.subscription}'
    displayName: 'Team ${team.subscription}'
    description: 'A product for one team, made from ${team.product}.'
    policy: replace(
      replace(
        replace(
          policyOf[team.product],
          '{{${team.product}-tokens-per-minute}}',
          string(team.?tokensPerMinute ?? '{{${team.product}-tokens-per-minute}}')
        ),
        '{{${team.product}-token-quota}}',
        string(team.?tokensPerMonth ?? '{{${team.product}-token-quota}}')
      ),
      '<!-- models -->',
      team.?models == null ? '' : '<set-variable name="allowed-models" value="${join(team.models!, ' ')}" />'
    )
    subscriptions: [team.subscription]
  }
]
var products = concat(shared, own)

var subscriptionNames = flatten(map(products, product => product.subscriptions))
var subscriptions = length(union(subscriptionNames, [])) != length(subscriptionNames) ? fail('Two products have a subscription of the same name. Subscription names are unique in the gateway: rename one') : flatten(map(products, product => map(product.subscriptions, name => { name: name, product: product.name })))

resource gateway 'Microsoft.ApiManagement/service@2024-06-01-preview' existing = {
  name: gatewayName
}

resource apiProducts 'Microsoft.ApiManagement/service/products@2024-06-01-preview' = [
  for product in products: {
    parent: gateway
    name: product.name
    properties: {
      displayName: product.displayName
      description: product.description
      subscriptionRequired: true
      approvalRequired: true
      state: 'published'
    }
  }
]

resource links 'Microsoft.ApiManagement/service/products/apis@2024-06-01-preview' = [
  for place in range(0, length(products) * length(apiNames)): {
    parent: apiProducts[place / length(apiNames)]
    name: apiNames[place % length(apiNames)]
  }
]

resource policies 'Microsoft.ApiManagement/service/products/policies@2024-06-01-preview' = [
  for (product, index) in products: {
    parent: apiProducts[index]
    name: 'policy'
    properties: {
      format: 'xml'
      value: product.policy
    }
  }
]

// The service generates the keys; they are in no template or output.
resource keys 'Microsoft.ApiManagement/service/subscriptions@2024-06-01-preview' = [
  for subscription in subscriptions: {
    parent: gateway
    name: subscription.name
    properties: {
      displayName: subscription.name
      scope: resourceId('Microsoft.ApiManagement/service/products', gatewayName, subscription.product)
      state: 'active'
    }
    dependsOn: [apiProducts]
  }
]

@description('Names of the subscriptions.')
output subscriptionNames string[] = map(subscriptions, subscription => subscription.name)
