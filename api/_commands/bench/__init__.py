"""`rowcast bench`: what a prediction costs, beside the least it could cost, measured in the same minutes."""
