"""What people run beside `pulumi up`: `vds --help`."""
