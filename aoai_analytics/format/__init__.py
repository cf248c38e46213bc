"""Formatting of values for people: numbers, units, labels, periods and time zones."""
