"""The drawings of the app in Bokeh: each takes values and a theme, shows them, and patches only what changed."""
