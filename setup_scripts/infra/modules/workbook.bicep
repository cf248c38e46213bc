metadata description = 'A workbook over the gateway\'s logs: tokens, users, prompts, failures, cost.'
// Made by `aoai export workbook --bicep`; a test keeps it current.

@description('Name of the workbook as the portal lists it.')
@minLength(1)
param name string = 'Azure OpenAI gateway'

@description('Azure region of the workbook itself.')
param location string

@description('Resource id of the Log Analytics workspace that the gateway logs to; readers may choose another.')
param workspaceId string

@description('Tags for the workbook.')
param tags object = {}

// In the JSON the first workspace that a reader can see is chosen; here it is the one given. Put in as data: a function
// of text takes no more than 131,072 characters.
var shipped = loadJsonContent('../../exports/workbook.json')
var items = map(
  shipped.items,
  item => item.name != 'general parameters'
    ? item
    : union(item, {
        content: {
          parameters: map(
            item.content.parameters,
            parameter => parameter.name == 'Workspace' ? union(parameter, { value: workspaceId }) : parameter
          )
        }
      })
)

resource workbook 'Microsoft.Insights/workbooks@2022-04-01' = {
  // A workbook's name is a GUID; the same group and name give the same workbook.
  name: guid(resourceGroup().id, 'azure-openai-gateway-workbook', name)
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: name
    category: 'workbook'
    sourceId: workspaceId
    version: 'Notebook/1.0'
    serializedData: string(union(shipped, { items: items }))
  }
}

@description('Resource id of the workbook.')
output id string = workbook.id
