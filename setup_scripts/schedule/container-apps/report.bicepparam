// Scheduled reports of an Azure OpenAI gateway, run by an Azure Container Apps job for an existing workspace.
// If you use setup_scripts/infra/main.bicep, set its parameter reportSchedule instead.
//
// Write it with your values, together with its modules:
//   aoai schedule show container-apps --every monthly --at 06:00 --workspace NAME --output schedule
// Deploy it to the workspace's resource group; build the image in the registry that it creates, from a fresh clone of
// this kit, because the whole folder is sent; set image below; deploy again:
//   az deployment group create --resource-group GROUP --parameters schedule/report.bicepparam
//   az acr build --registry REGISTRY --image aoai-report:1 --file setup_scripts/schedule/container-apps/Dockerfile CLONE
using '../../infra/modules/report-schedule.bicep'

param name = 'aoai'
param workspaceName = 'log-aoai'
param image = ''

// In UTC, equal to 06:00 in UTC.
param cron = '0 6 * * *'
param every = 'monthly'
param timeZone = 'UTC'
param keep = ''
param reports = []

// Addresses that can read the website, which has no login. Default: none.
param readerIpRanges = []
