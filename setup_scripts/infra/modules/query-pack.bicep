metadata description = 'A query pack: the library in the portal\'s query picker, with titles, questions and tags.'

@description('Name of the query pack.')
@minLength(1)
@maxLength(63)
param name string

@description('Azure region.')
param location string

@description('Tags for the query pack.')
param tags object = {}

@description('The queries: exports/query-pack.json, or what "aoai export query-pack" writes.')
param queries packedQuery[]

@export()
@description('A query of the pack.')
type packedQuery = {
  @description('A GUID that stays the same for the query of that name.')
  @minLength(36)
  @maxLength(36)
  id: string
  @description('Title in the query picker.')
  @minLength(1)
  displayName: string
  @description('The question that it answers.')
  description: string
  @description('The query in KQL. It calls the functions that are saved in the workspace.')
  @minLength(1)
  body: string
  @description('Section and name of the query in the library.')
  labels: string[]
}

resource pack 'Microsoft.OperationalInsights/queryPacks@2019-09-01' = {
  name: name
  location: location
  tags: tags
  properties: {}
}

// A few at a time: Azure turns away a burst of writes to one pack.
@batchSize(5)
resource packed 'Microsoft.OperationalInsights/queryPacks/queries@2019-09-01' = [
  for query in queries: {
    parent: pack
    name: query.id
    properties: {
      displayName: query.displayName
      description: query.description
      body: query.body
      related: {
        categories: ['applications', 'monitor']
        resourceTypes: ['microsoft.apimanagement/service', 'microsoft.operationalinsights/workspaces']
      }
      tags: { labels: query.labels, kit: ['Azure OpenAI gateway analytics'] }
    }
  }
]

@description('Resource id of the query pack.')
output id string = pack.id
