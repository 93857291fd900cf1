"""What the user's project says: manifest, mappings, profiles and outputs, from files that nobody trusts."""
