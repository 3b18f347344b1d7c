"""The pure render function, analyses, streams and cache keys; looks as text. Importing this loads nothing heavy."""
