"""What the parts of a tree may be: each module finds the types of some kinds of node. `checker` says which."""
