"""What is written into a user's project: the macros, the generated models, the example."""
