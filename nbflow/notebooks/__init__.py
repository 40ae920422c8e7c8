"""Notebooks: read what they ask for, execute them, and keep a log that is true for every ending."""
