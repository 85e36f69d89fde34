"""The population of the world: firms, names, relations and districts."""
