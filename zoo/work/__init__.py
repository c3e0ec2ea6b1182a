"""Work that is shared out: what runs tasks, here or elsewhere, and how they are given to it."""
