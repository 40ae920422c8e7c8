"""The forms: what an operator does. Each shows what it would do, then does it."""
