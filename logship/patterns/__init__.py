"""Log templates: the sentence behind each line, found online, with one setting for every system."""
