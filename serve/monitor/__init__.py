"""Monitoring: drift and accuracy of a service from its JSON log and feedback store."""
