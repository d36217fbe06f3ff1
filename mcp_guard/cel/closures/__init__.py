"""What the parts of a tree do: each module turns some kinds of node into closures. `evaluator` says which."""
