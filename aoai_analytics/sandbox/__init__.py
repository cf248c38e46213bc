"""A gateway on this machine: it answers clients and writes logs as the deployed architecture does, without Azure."""
