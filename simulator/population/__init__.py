"""Who lives in the world: firms, names, relations, districts."""
