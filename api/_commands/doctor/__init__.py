"""`rowcast doctor`: what is wrong with a deployment, and what puts it right."""
