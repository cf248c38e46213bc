"""An Azure on loopback, for the guided setup: Resource Manager, sign-in, models and log queries of one installation."""
