"""The push: checks before it, guards, the push itself, and the plan."""
