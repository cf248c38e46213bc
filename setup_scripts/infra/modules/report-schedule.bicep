metadata description = 'Scheduled reports: a Container Apps job that runs due reports and delivers their pages to a static website.'

@description('Short name of the installation: what this makes is named after it. Lower-case letters, digits and hyphens.')
@minLength(3)
@maxLength(12)
param name string

@description('Azure region.')
param location string = resourceGroup().location

@description('Tags for every resource that takes them.')
param tags object = {}

// ---- What is reported, and when

@description('Name of the Log Analytics workspace with the gateway\'s logs.')
param workspaceName string

@description('Its resource id, where it is in another resource group.')
param workspaceId string = resourceId('Microsoft.OperationalInsights/workspaces', workspaceName)

@description('Image with the kit, for example REGISTRY.azurecr.io/aoai-report:0.1.0. Empty, the first time, makes all but the job: the image is built in the registry that this makes, and Azure refuses a job whose image is not there.')
param image string = ''

@description('When to look for reports that are due, as a cron expression. Container Apps counts in UTC; "aoai schedule show container-apps" computes it from a time of day in your time zone.')
@minLength(9)
param cron string = '0 6 * * *'

@description('How often a report is due. Each run makes every whole period that ended and has no report yet, so that a missed run is made up for by the next.')
@allowed(['daily', 'weekly', 'monthly', 'quarterly', 'yearly'])
param every string = 'monthly'

@description('Time zone in which days, weeks and months begin and end: an IANA name.')
@minLength(1)
param timeZone string = 'UTC'

@description('How long a report stays after its period, for example 800d; empty keeps all.')
param keep string = ''

@description('Names of the reports; empty makes the standing ones.')
param reports string[] = []

@description('Seconds after which a run is stopped.')
@minValue(300)
@maxValue(86400)
param timeoutSeconds int = 7200

// ---- Where the pages go, and who may read them

@description('Name of the storage account for the pages. Its website has no sign-in: who may read it is a matter of the network.')
@minLength(3)
@maxLength(24)
param storageAccountName string = take('strep${replace(name, '-', '')}${uniqueString(resourceGroup().id, name)}', 24)

@description('Copies of the pages.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageSku string = 'Standard_ZRS'

@description('Public addresses (IPv4, or ranges as 203.0.113.0/24) from which the pages can be read. By default none.')
param readerIpRanges string[] = []

@description('true lets anybody on the internet who knows the address read the pages.')
param anyoneMayRead bool = false

// ---- Network

@description('Name of the container registry for the image; unique in all of Azure.')
@minLength(5)
@maxLength(50)
param registryName string = 'cr${replace(name, '-', '')}${uniqueString(resourceGroup().id, name)}'

@description('Subnet for the job, /27 or larger and delegated to Microsoft.App/environments. Empty makes a network for it alone.')
param subnetId string = ''

@description('Address space of the network that is made where no subnet is given.')
param networkAddressPrefix string = '10.65.0.0/26'

@description('false closes pages and registry to the internet: the subnet\'s network then needs private endpoints of the storage account (blob, web) and of the registry.')
param publicNetworkAccess bool = true

// Built-in roles: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
var acrPull = '7f951dda-4ed3-4680-a7ca-43fe172d538d'

var checkedSubnet = empty(subnetId) && !publicNetworkAccess
  ? fail('subnetId: without public access the job reaches nothing from a network of its own. Give a subnet of the private network, or set publicNetworkAccess to true')
  : subnetId
var networkName = 'vnet-${name}-reports'
var jobSubnetId = empty(checkedSubnet)
  ? resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'job')
  : checkedSubnet

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
  scope: resourceGroup(split(workspaceId, '/')[2], split(workspaceId, '/')[4])
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-${name}-reports'
  location: location
  tags: tags
}

// ---- Where the job runs

module network 'report-network.bicep' = if (empty(subnetId)) {
  params: {
    name: networkName
    location: location
    tags: tags
    addressPrefix: networkAddressPrefix
  }
}

resource environment 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: 'cae-${name}-reports'
  location: location
  tags: tags
  properties: {
    // Through a diagnostic setting: the other way takes a key of the workspace.
    appLogsConfiguration: { destination: 'azure-monitor' }
    vnetConfiguration: { infrastructureSubnetId: jobSubnetId, internal: true }
    workloadProfiles: [{ name: 'Consumption', workloadProfileType: 'Consumption' }]
    zoneRedundant: false
  }
  dependsOn: [network]
}

resource environmentLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: environment
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'ContainerAppConsoleLogs', enabled: true }
      { category: 'ContainerAppSystemLogs', enabled: true }
    ]
  }
}

resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' = {
  name: registryName
  location: location
  tags: tags
  sku: { name: publicNetworkAccess ? 'Basic' : 'Premium' }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
    publicNetworkAccess: publicNetworkAccess ? 'Enabled' : 'Disabled'
  }
}

// ---- The pages

module pages 'report-pages.bicep' = {
  params: {
    name: storageAccountName
    location: location
    tags: tags
    sku: storageSku
    writerId: identity.id
    writerPrincipalId: identity.properties.principalId
    writerSubnetId: jobSubnetId
    readerIpRanges: readerIpRanges
    anyoneMayRead: anyoneMayRead
    publicNetworkAccess: publicNetworkAccess
  }
  dependsOn: [network]
}

// ---- Who may do what

module jobReadsWorkspace 'workspace-reader.bicep' = {
  scope: resourceGroup(split(workspaceId, '/')[2], split(workspaceId, '/')[4])
  params: {
    workspaceName: workspaceName
    principalId: identity.properties.principalId
    key: identity.id
  }
}

resource jobPullsImage 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: registry
  name: guid(registry.id, identity.id, acrPull)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', acrPull)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

// ---- The job

var logs = 'log-analytics://${workspace.properties.customerId}'

resource job 'Microsoft.App/jobs@2025-01-01' = if (!empty(image)) {
  name: 'job-${name}-reports'
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      triggerType: 'Schedule'
      scheduleTriggerConfig: { cronExpression: cron, parallelism: 1, replicaCompletionCount: 1 }
      replicaTimeout: timeoutSeconds
      replicaRetryLimit: 1
      registries: [{ server: registry.properties.loginServer, identity: identity.id }]
    }
    template: {
      containers: [
        {
          name: 'report'
          image: image
          args: concat(
            reports,
            ['--due', every, '--source', logs, '--time-zone', timeZone],
            ['--deliver', pages.outputs.deliverTo, '--link', pages.outputs.websiteUrl],
            empty(keep) ? [] : ['--keep', keep]
          )
          env: [
            // Which of a container's identities signs in, and that nothing else is tried.
            { name: 'AZURE_CLIENT_ID', value: identity.properties.clientId }
            { name: 'AZURE_TOKEN_CREDENTIALS', value: 'ManagedIdentityCredential' }
          ]
          resources: { cpu: 2, memory: '4Gi' }
        }
      ]
    }
  }
  // The first run may come at once, and the image is looked for now.
  dependsOn: [jobReadsWorkspace, jobPullsImage]
}

// ---- What others need to go on

@description('Resource id of the job; empty until there is an image.')
output jobId string = job.?id ?? ''

@description('Host name of that registry.')
output registryLoginServer string = registry.properties.loginServer

@description('Where reports are delivered: what "aoai report --deliver" takes.')
output deliverTo string = pages.outputs.deliverTo

@description('Where the pages are read.')
output websiteUrl string = pages.outputs.websiteUrl
