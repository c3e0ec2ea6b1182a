"""Small networks for pictures of 32 x 32 pixels."""
