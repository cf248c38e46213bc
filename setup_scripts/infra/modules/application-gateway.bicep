metadata description = 'Application Gateway with a web application firewall: the only public entrance to a private gateway.'

@description('Name of the Application Gateway; its address, policy and identity are named after it.')
@minLength(1)
@maxLength(60)
param name string

@description('Azure region.')
param location string

@description('Tags for all of it.')
param tags object = {}

@description('Subnet for it alone.')
param subnetId string

@description('Host name of the API Management gateway, for example contoso.azure-api.net.')
@minLength(1)
param gatewayHostName string

@description('Name of the Key Vault with the certificate.')
param keyVaultName string

@description('Name of the certificate (with its private key) in the vault.')
@minLength(1)
@maxLength(127)
param certificateName string

@description('Host name that clients use and the certificate is for.')
@minLength(1)
param hostName string

@description('Fewest and most instances.')
param scale {
  @minValue(0)
  min: int
  @minValue(2)
  @maxValue(125)
  max: int
} = { min: 1, max: 4 }

@description('Seconds to wait for an answer. Long answers of reasoning models need minutes.')
@minValue(30)
@maxValue(3600)
param requestTimeoutSeconds int = 600

var keyVaultSecretsUser = '4633458b-17de-408a-b874-0445c86b69e6'
// As many zones as the region has.
var zones = pickZones('Microsoft.Network', 'publicIPAddresses', location, 3)
var frontend = 'public'
var port = 'https'
var pool = 'api-management'

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: keyVaultName
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-id'
  location: location
  tags: tags
}

resource readsCertificate 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, identity.id, keyVaultSecretsUser)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultSecretsUser)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource address 'Microsoft.Network/publicIPAddresses@2024-05-01' = {
  name: '${name}-ip'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  zones: zones
  properties: { publicIPAllocationMethod: 'Static' }
}

resource firewall 'Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies@2024-05-01' = {
  name: '${name}-waf'
  location: location
  tags: tags
  properties: {
    policySettings: {
      state: 'Enabled'
      mode: 'Prevention'
      // Prompts may hold anything (code, SQL, HTML) and be long: body rules would refuse honest requests. The rule set
      // enforces the size of a body (128 KB) and of files apart from the check.
      requestBodyCheck: false
      requestBodyEnforcement: false
      fileUploadEnforcement: false
    }
    managedRules: {
      managedRuleSets: [{ ruleSetType: 'Microsoft_DefaultRuleSet', ruleSetVersion: '2.1' }]
    }
  }
}

resource applicationGateway 'Microsoft.Network/applicationGateways@2024-05-01' = {
  name: name
  location: location
  tags: tags
  zones: zones
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    sku: { name: 'WAF_v2', tier: 'WAF_v2' }
    autoscaleConfiguration: { minCapacity: scale.min, maxCapacity: scale.max }
    firewallPolicy: { id: firewall.id }
    sslPolicy: { policyType: 'Predefined', policyName: 'AppGwSslPolicy20220101' }
    // Without response buffering server-sent events reach the client as they come.
    globalConfiguration: { enableRequestBuffering: true, enableResponseBuffering: false }
    gatewayIPConfigurations: [{ name: 'subnet', properties: { subnet: { id: subnetId } } }]
    frontendIPConfigurations: [{ name: frontend, properties: { publicIPAddress: { id: address.id } } }]
    frontendPorts: [{ name: port, properties: { port: 443 } }]
    sslCertificates: [
      {
        name: certificateName
        properties: { keyVaultSecretId: '${vault.properties.vaultUri}secrets/${certificateName}' }
      }
    ]
    backendAddressPools: [{ name: pool, properties: { backendAddresses: [{ fqdn: gatewayHostName }] } }]
    probes: [
      {
        name: 'gateway-status'
        properties: {
          protocol: 'Https'
          path: '/status-0123456789abcdef'
          pickHostNameFromBackendHttpSettings: true
          interval: 30
          timeout: 30
          unhealthyThreshold: 3
        }
      }
    ]
    backendHttpSettingsCollection: [
      {
        name: 'https'
        properties: {
          port: 443
          protocol: 'Https'
          hostName: gatewayHostName
          requestTimeout: requestTimeoutSeconds
          probe: { id: resourceId('Microsoft.Network/applicationGateways/probes', name, 'gateway-status') }
        }
      }
    ]
    httpListeners: [
      {
        name: 'clients'
        properties: {
          protocol: 'Https'
          hostName: hostName
          frontendIPConfiguration: {
            id: resourceId('Microsoft.Network/applicationGateways/frontendIPConfigurations', name, frontend)
          }
          frontendPort: { id: resourceId('Microsoft.Network/applicationGateways/frontendPorts', name, port) }
          sslCertificate: {
            id: resourceId('Microsoft.Network/applicationGateways/sslCertificates', name, certificateName)
          }
        }
      }
    ]
    requestRoutingRules: [
      {
        name: 'clients-to-gateway'
        properties: {
          ruleType: 'Basic'
          priority: 100
          httpListener: { id: resourceId('Microsoft.Network/applicationGateways/httpListeners', name, 'clients') }
          backendAddressPool: {
            id: resourceId('Microsoft.Network/applicationGateways/backendAddressPools', name, pool)
          }
          backendHttpSettings: {
            id: resourceId('Microsoft.Network/applicationGateways/backendHttpSettingsCollection', name, 'https')
          }
        }
      }
    ]
  }
  dependsOn: [readsCertificate]
}

@description('Resource id of the Application Gateway.')
output id string = applicationGateway.id

@description('Public IP address that the host name has to lead to.')
output publicIpAddress string = address.properties.ipAddress
