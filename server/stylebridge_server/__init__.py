"""The heavy side of Stylebridge: the persistent server and the rooms that make the pictures."""
