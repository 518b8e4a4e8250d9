"""What docker/e2e.py is made of: the stack and what it answers, and the claims about it."""
