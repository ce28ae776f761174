"""From a table to a task: what is to be predicted, which samples are held out, how columns become numbers."""
