metadata description = 'Everything that makes the gateway write the logs these analyses read: logger, diagnostics, and where the rows go.'

@description('Name of the API Management service.')
param gatewayName string

@description('Names of the language-model APIs.')
@minLength(1)
param apiNames string[]

@description('Resource id of the Log Analytics workspace.')
@minLength(1)
param workspaceId string

@description('Resource id of the storage account for the logs; empty for none.')
param storageAccountId string = ''

@description('Resource id of the namespace\'s authorization rule for the Event Hub; empty for none.')
param eventHubAuthorizationRuleId string = ''

@description('Name of the Event Hub; needed with the rule.')
param eventHubName string = ''

@description('true logs the prompts and the answers in the LLM log, up to llmMessageBytes a side. false logs their tokens and models only.')
param logMessages bool = true

@description('Bytes of each side\'s messages in the LLM log. The gateway cuts them in 32 KB rows.')
@minValue(1)
@maxValue(262144)
param llmMessageBytes int = 262144

@description('Bytes of the request and response bodies in the gateway log, client side only. 0, the default, logs none: the LLM log has the text already. Above 0: prompts stand in a second table; streamed answers are buffered and no longer arrive as a stream; a row above 32 KB loses its bodies and its traces, which is why the backend\'s copies of the same bodies are never logged.')
@minValue(0)
@maxValue(8192)
param bodyBytes int = 0

@description('true also logs the gateway\'s other APIs, for which it sets the gateway\'s own diagnostic.')
param everyApi bool = true

resource gateway 'Microsoft.ApiManagement/service@2024-06-01-preview' existing = {
  name: gatewayName
}

resource apis 'Microsoft.ApiManagement/service/apis@2024-06-01-preview' existing = [
  for name in apiNames: {
    parent: gateway
    name: name
  }
]

// The platform creates this logger only when the portal's page is first opened, and requires this name.
resource logger 'Microsoft.ApiManagement/service/loggers@2024-06-01-preview' = {
  parent: gateway
  name: 'azuremonitor'
  properties: {
    loggerType: 'azureMonitor'
    isBuffered: true
  }
}

var masked = {
  headers: [
    { mode: 'Hide', value: 'api-key' }
    { mode: 'Hide', value: 'x-api-key' }
    { mode: 'Hide', value: 'Authorization' }
  ]
  queryParams: [
    { mode: 'Hide', value: 'api-key' }
    { mode: 'Hide', value: 'subscription-key' }
  ]
}
var noBody = { body: { bytes: 0 }, headers: [], dataMasking: masked }
var clientBody = { body: { bytes: bodyBytes }, headers: [], dataMasking: masked }
var everyRequest = { samplingType: 'fixed', percentage: 100 }

// Every API of the gateway: a row for each request, without bodies.
resource allApis 'Microsoft.ApiManagement/service/diagnostics@2024-06-01-preview' = if (everyApi) {
  parent: gateway
  name: 'azuremonitor'
  properties: {
    loggerId: logger.id
    alwaysLog: 'allErrors'
    logClientIp: true
    sampling: everyRequest
    // Traces below this level are dropped, and with them the attempts and the caller that the policy traces.
    verbosity: 'information'
    frontend: { request: noBody, response: noBody }
    backend: { request: noBody, response: noBody }
  }
}

resource languageModelApis 'Microsoft.ApiManagement/service/apis/diagnostics@2024-06-01-preview' = [
  for (name, index) in apiNames: {
    parent: apis[index]
    name: 'azuremonitor'
    properties: {
      loggerId: logger.id
      alwaysLog: 'allErrors'
      logClientIp: true
      sampling: everyRequest
      verbosity: 'information'
      frontend: { request: clientBody, response: clientBody }
      backend: { request: noBody, response: noBody }
      largeLanguageModel: logMessages
        ? {
            logs: 'enabled'
            requests: { messages: 'all', maxSizeInBytes: llmMessageBytes }
            responses: { messages: 'all', maxSizeInBytes: llmMessageBytes }
          }
        : { logs: 'enabled' }
    }
  }
]

resource destinations 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: gateway
  name: 'gateway-logs'
  properties: {
    workspaceId: workspaceId
    // Dedicated: the resource-specific tables. Without it everything lands in AzureDiagnostics.
    logAnalyticsDestinationType: 'Dedicated'
    storageAccountId: empty(storageAccountId) ? null : storageAccountId
    eventHubAuthorizationRuleId: empty(eventHubAuthorizationRuleId) ? null : eventHubAuthorizationRuleId
    eventHubName: empty(eventHubAuthorizationRuleId) ? null : eventHubName
    logs: [
      { category: 'GatewayLogs', enabled: true }
      { category: 'GatewayLlmLogs', enabled: true }
    ]
  }
  dependsOn: [allApis, languageModelApis]
}

@description('Resource id of the diagnostic settings.')
output diagnosticSettingsId string = destinations.id
