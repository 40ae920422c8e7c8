"""The pages: each turns what the api says into what a template shows. They see `nbflow.api` and the rules, no store."""
