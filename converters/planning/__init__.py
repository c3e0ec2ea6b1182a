"""What a conversion will do to each array, worked out before a byte of data is read."""
