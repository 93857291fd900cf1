"""The push: what lies before it, what may stop it, how it goes, and what it would do."""
