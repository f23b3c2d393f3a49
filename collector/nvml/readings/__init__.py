"""What is asked of each GPU, when, and how the answers become samples."""
