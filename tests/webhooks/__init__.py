"""Webhooks: what they say, how they are signed, and that they come."""
