// Reports of an Azure OpenAI gateway, made as they fall due, by an Azure Container Apps job beside an existing workspace.
// An installation made by setup_scripts/infra/main.bicep sets that template's parameter reportSchedule instead.
//
// Write it with your values, and the modules that it uses:
//   aoai schedule show container-apps --every monthly --at 06:00 --workspace NAME --output schedule
// Deploy it into the workspace's resource group; build the image in the registry that this makes, from a fresh clone of
// this kit, as the whole folder is sent; set image below; deploy again:
//   az deployment group create --resource-group GROUP --parameters schedule/report.bicepparam
//   az acr build --registry REGISTRY --image aoai-report:1 --file setup_scripts/schedule/container-apps/Dockerfile CLONE
using '../../infra/modules/report-schedule.bicep'

param name = 'aoai'
param workspaceName = 'log-aoai'
param image = ''

// Container Apps counts in UTC, where this is 06:00 in UTC.
param cron = '0 6 * * *'
param every = 'monthly'
param timeZone = 'UTC'
param keep = ''
param reports = []

// The website has no sign-in: addresses from which it can be read. By default from none.
param readerIpRanges = []
