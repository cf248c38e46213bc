metadata description = 'Products, each with its own limits, and their subscriptions.'

@description('Name of the API Management service.')
param gatewayName string

@description('Name of the API the products open.')
param apiName string

@description('Subscriptions of bronze: one for each team or application, so that the logs tell them apart.')
param bronzeSubscriptions string[] = []

@description('Subscriptions of silver.')
param silverSubscriptions string[] = []

@description('Subscriptions of gold.')
param goldSubscriptions string[] = []

@description('Subscriptions of unlimited.')
param unlimitedSubscriptions string[] = []

// Names as in the logs' ProductId; the limits are in the policies, by named values.
var products = [
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
  for (product, index) in products: {
    parent: apiProducts[index]
    name: apiName
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
