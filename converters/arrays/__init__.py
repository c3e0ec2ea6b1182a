"""Arrays, whatever file they come from: their forms, how axes and values move, copying block by block."""
