"""One self-contained HTML page per run, and one for two runs side by side."""
