"""The policy: document, rules, decisions."""
