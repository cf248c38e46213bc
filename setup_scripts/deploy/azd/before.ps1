# azd runs this before it deploys: stop here if a value is missing, or if `aoai setup check` finds what would fail.
$ErrorActionPreference = 'Stop'
Set-Location (Join-Path $PSScriptRoot '../../..')
if (-not $env:PUBLISHER_EMAIL) {
    [Console]::Error.WriteLine('PUBLISHER_EMAIL is not set: azd env set PUBLISHER_EMAIL you@example.com')
    exit 1
}
if ("$env:AZURE_ENV_NAME" -notmatch '^(?=.{3,12}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*$') {
    [Console]::Error.WriteLine("The azd environment '$env:AZURE_ENV_NAME' names the resources: use 3 to 12 letters, digits and single hyphens inside.")
    exit 1
}
if ((Get-Command aoai -ErrorAction SilentlyContinue) -and (Test-Path aoai.toml)) {
    aoai setup check --config aoai.toml
    exit $LASTEXITCODE
}
Write-Output 'Not checked before the deployment: needs the aoai command and an aoai.toml (docs/setup.md).'
