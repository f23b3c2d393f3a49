"""Looking into the file: what it is made of, whether it is sound, exports, rescue."""
