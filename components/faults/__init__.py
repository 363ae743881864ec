"""What does not run in a namespace, and why: for the message of a failed update, and for the doctor."""
