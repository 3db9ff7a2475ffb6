"""The same fitted pipelines behind other servers, each in an environment of its own, beside Rowcast."""
