"""Any Keras model drawn again with a few things changed: its graph, folding, preprocessing inside."""
