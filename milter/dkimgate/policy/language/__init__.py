"""The language of a policy: facts, conditions, actions, and the file that holds them."""
