"""The models that ragkit can use: the embedded one, and those of an endpoint."""
