"""What a Lambda layer computes: read from its stored code as data, or said, and drawn with today's layers."""
