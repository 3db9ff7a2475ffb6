"""`rowcast deploy`: from fresh accounts to a running deployment, and each step of it as a verb of its own."""
