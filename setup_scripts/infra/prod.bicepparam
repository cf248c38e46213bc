// Production: provisioned throughput with spillover first, a second region behind it, everything private, one public way in.
// Before the first run with applicationGateway: deploy without it, and put the certificate into the Key Vault.
using 'main.bicep'

param name = 'aoai-prod'
param publisherEmail = 'platform-team@contoso.com'
param publisherName = 'Contoso platform team'
param tags = { workload: 'azure-openai-gateway', environment: 'prod' }

param gatewayTier = 'StandardV2'
param gatewayCapacity = 2

param openAIAccounts = [
  {
    name: 'aoai-eastus2'
    location: 'eastus2'
    priority: 1
    weight: 1
    deployments: [
      {
        name: 'chat-prod'
        model: 'gpt-5.4'
        version: '2026-03-05'
        sku: 'DataZoneProvisionedManaged'
        capacity: 50
        spilloverDeploymentName: 'chat-prod-spillover'
      }
      { name: 'chat-prod-spillover', model: 'gpt-5.4', version: '2026-03-05', sku: 'DataZoneStandard', capacity: 300 }
      { name: 'chat-mini', model: 'gpt-5.4-mini', version: '2026-03-17', sku: 'GlobalStandard', capacity: 1000 }
      { name: 'embed-small', model: 'text-embedding-3-small', version: '1', sku: 'Standard', capacity: 200 }
    ]
  }
  {
    name: 'aoai-westus3'
    location: 'westus3'
    priority: 2
    weight: 3
    deployments: [
      { name: 'chat-prod', model: 'gpt-5.4', version: '2026-03-05', sku: 'DataZoneStandard', capacity: 300 }
      { name: 'chat-mini', model: 'gpt-5.4-mini', version: '2026-03-17', sku: 'GlobalStandard', capacity: 1000 }
      { name: 'embed-small', model: 'text-embedding-3-small', version: '1', sku: 'Standard', capacity: 200 }
    ]
  }
  {
    name: 'aoai-northcentralus'
    location: 'northcentralus'
    priority: 2
    weight: 1
    deployments: [
      { name: 'chat-prod', model: 'gpt-5.4', version: '2026-03-05', sku: 'DataZoneStandard', capacity: 100 }
      { name: 'chat-mini', model: 'gpt-5.4-mini', version: '2026-03-17', sku: 'GlobalStandard', capacity: 300 }
      { name: 'embed-small', model: 'text-embedding-3-small', version: '1', sku: 'Standard', capacity: 100 }
    ]
  }
]

param bronze = { tokensPerMinute: 10000, tokensPerMonth: 10000000, subscriptions: ['sub-hr'] }
param silver = { tokensPerMinute: 50000, tokensPerMonth: 100000000, subscriptions: ['sub-finance', 'sub-legal'] }
param gold = { tokensPerMinute: 200000, tokensPerMonth: 1000000000, subscriptions: ['sub-support-bot'] }
param unlimitedSubscriptions = ['sub-platform']

param entra = {
  accept: true
  // The tenant whose users and applications may call.
  tenantId: '00000000-0000-0000-0000-000000000001'
  // The application ID of the gateway's app registration: docs/setup.md, "Entra tokens".
  audience: '00000000-0000-0000-0000-000000000003'
  tokensPerMinute: 20000
  tokensPerMonth: 50000000
}

param contentSafety = true

param retentionDays = 90
param llmLogRetentionDays = 30
param totalRetentionDays = 730
param storageSku = 'Standard_GZRS'
param logToEventHub = true

// Object id of the analysts' group.
param readers = [{ id: '00000000-0000-0000-0000-000000000002', type: 'Group' }]

param sums = {}

param alerts = {
  emails: ['platform-team@contoso.com']
  budgets: { '(all)': '20000', 'sub-support-bot': '9000' }
  monthlyBudget: { amount: 20000, start: '2026-12-01' }
}

// The first run makes the registry; add the image to it, and its name here: docs/reports.md.
param reportSchedule = { every: 'monthly', timeZone: 'America/New_York', keep: '800d' }

param privateNetwork = true
param networkAddressPrefix = '10.64.0.0/22'
param applicationGateway = { hostName: 'ai.contoso.com', certificateName: 'ai-contoso-com' }
