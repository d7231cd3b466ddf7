"""Limits that several gateways share on a Valkey server."""
