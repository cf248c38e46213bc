// What `azd up` deploys: one region, two models, open to the internet. Values come from azd's environment:
//   azd env set PUBLISHER_EMAIL you@example.com
// AZURE_ENV_NAME and AZURE_LOCATION are azd's own. Change anything else here, as in dev.bicepparam and prod.bicepparam.
using 'main.bicep'

param name = toLower(readEnvironmentVariable('AZURE_ENV_NAME'))
param publisherEmail = readEnvironmentVariable('PUBLISHER_EMAIL')
param publisherName = readEnvironmentVariable('PUBLISHER_NAME', 'Platform team')
param tags = { 'azd-env-name': readEnvironmentVariable('AZURE_ENV_NAME') }

param gatewayTier = 'BasicV2'

param openAIAccounts = [
  {
    name: 'aoai-${readEnvironmentVariable('MODELS_LOCATION', readEnvironmentVariable('AZURE_LOCATION'))}'
    location: readEnvironmentVariable('MODELS_LOCATION', readEnvironmentVariable('AZURE_LOCATION'))
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
