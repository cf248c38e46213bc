"""Reading KQL: the one place of the package that looks inside a query."""
