"""Files written into a user's project: macros, generated models, the example."""
