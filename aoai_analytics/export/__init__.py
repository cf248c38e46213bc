"""What the kit gives to other tools, as text: Kusto databases, workbooks, alerts, dashboards, summary rules."""
