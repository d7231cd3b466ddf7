"""`/openapi.json`, made from what validation and encoding themselves use."""
