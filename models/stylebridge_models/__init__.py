"""Network definitions, the registry of weights, and the small weights that the project trained itself."""
