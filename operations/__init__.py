"""What people run beside `pulumi up`: `python -m operations --help`."""
