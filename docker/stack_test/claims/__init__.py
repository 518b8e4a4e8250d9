"""Each function is a claim about the stack: its name says what holds."""
