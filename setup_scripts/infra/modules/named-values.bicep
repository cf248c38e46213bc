metadata description = 'Settings that policies name as {{name}}. None is a secret: the policies need none.'

@description('Name of the API Management service.')
param gatewayName string

@description('Settings, by name.')
param settings {
  @description('The value.')
  *: string
}

resource gateway 'Microsoft.ApiManagement/service@2024-06-01-preview' existing = {
  name: gatewayName
}

resource plain 'Microsoft.ApiManagement/service/namedValues@2024-06-01-preview' = [
  for setting in items(settings): {
    parent: gateway
    name: setting.key
    properties: {
      displayName: setting.key
      value: setting.value
      secret: false
    }
  }
]
