"""Reads gateway logs and keeps them in a lake of Delta tables."""
