// A small installation to learn and try with: one region, two models, open to the internet.
using 'main.bicep'

param name = 'aoai-dev'
param publisherEmail = 'platform-team@contoso.com'
param publisherName = 'Contoso platform team'
param tags = { workload: 'azure-openai-gateway', environment: 'dev' }

// The smallest of the v2 tiers; it cannot join a virtual network.
param gatewayTier = 'BasicV2'

param openAIAccounts = [
  {
    name: 'aoai-eastus2'
    location: 'eastus2'
    deployments: [
      { name: 'chat-mini', model: 'gpt-5.4-mini', version: '2026-03-17', sku: 'GlobalStandard', capacity: 30 }
      { name: 'embed-small', model: 'text-embedding-3-small', version: '1', sku: 'Standard', capacity: 30 }
    ]
  }
]

param bronze = { tokensPerMinute: 5000, tokensPerMonth: 2000000, subscriptions: ['sub-try-out'] }

param retentionDays = 30
param llmLogRetentionDays = 30
param totalRetentionDays = 30
param storageSku = 'Standard_LRS'
param storageDeleteAfterDays = 60
