"""The pure render function: shots, analyses, looks as text, and the keys of caches."""
