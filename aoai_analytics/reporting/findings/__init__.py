"""What stands out in a period: its numbers beside the period before, and findings in words."""
