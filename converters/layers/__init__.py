"""What Keras' layers are, in every dialect: kinds, names, arrays and their axes, and configurations."""
