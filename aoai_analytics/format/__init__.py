"""Values as people read them: numbers, units, labels, periods and time zones."""
