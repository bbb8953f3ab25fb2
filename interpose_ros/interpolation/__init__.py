"""Where the frames between two keyframes come from."""
